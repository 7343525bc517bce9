/** GGUF files written from the specification, right ones and lying ones. */

/** A value; its bytes as they stand after its type. */
export interface GgufPart {
  readonly key: string;
  readonly keyBytes?: readonly number[];
  readonly keyLength?: bigint;
  readonly type: number;
  readonly value: readonly number[];
}

export interface GgufTensorPart {
  readonly name: string;
  /** From the innermost axis out. */
  readonly extents: readonly (number | bigint)[];
  readonly type: number;
  readonly offset: number;
}

/**
 * @param parts.data bytes of data; by default as many as F32 tensors need
 * @returns the file, its data 0, 1, 2, ...
 */
export function ggufFile(parts: {
  readonly magic?: string;
  readonly version?: number;
  readonly tensorCount?: bigint;
  readonly valueCount?: bigint;
  readonly values?: readonly GgufPart[];
  readonly tensors?: readonly GgufTensorPart[];
  readonly data?: number;
}): Uint8Array<ArrayBuffer> {
  const { magic = 'GGUF', version = 3, values = [], tensors = [] } = parts;
  const bytes: number[] = [];
  const put = (value: number | bigint, width: number) => {
    for (let i = 0; i < width; i++) bytes.push(Number((BigInt(value) >> BigInt(8 * i)) & 255n));
  };
  const text = (given: Iterable<number>, length: bigint | undefined) => {
    const all = [...given];
    put(length ?? all.length, 8);
    bytes.push(...all);
  };
  const utf8 = (given: string) => new TextEncoder().encode(given);
  bytes.push(...utf8(magic));
  put(version, 4);
  put(parts.tensorCount ?? tensors.length, 8);
  put(parts.valueCount ?? values.length, 8);
  for (const { key, keyBytes, keyLength, type, value } of values) {
    text(keyBytes ?? utf8(key), keyLength);
    put(type, 4);
    for (const byte of value) bytes.push(byte);
  }
  for (const { name, extents, type, offset } of tensors) {
    text(utf8(name), undefined);
    put(extents.length, 4);
    for (const extent of extents) put(extent, 8);
    put(type, 4);
    put(offset, 8);
  }
  const alignment = values.find(({ key }) => key === 'general.alignment')?.value[0] ?? 32;
  while (alignment > 1 && bytes.length % alignment !== 0) bytes.push(0);
  const needed = tensors.map(
    ({ extents, offset }) => extents.reduce<number>((size, extent) => size * Number(extent), 4) + offset,
  );
  const data = parts.data ?? Math.min(4096, Math.max(0, ...needed));
  for (let i = 0; i < data; i++) bytes.push(i % 256);
  return Uint8Array.from(bytes);
}
