/**
 * A `.tflite` file as the schema lays it out, walked with nothing but a DataView: what the library writes is held against the
 * format itself, not against the library's reader.
 */

export interface WalkedTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly type: number;
  readonly data: Uint8Array;
  /** Where its bytes begin in the file. */
  readonly offset: number;
}

export interface WalkedFile {
  readonly identifier: string;
  readonly version: number;
  readonly description: string;
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  readonly tensors: readonly WalkedTensor[];
  readonly operators: readonly {
    readonly code: number;
    readonly custom: string;
    readonly version: number;
    readonly inputs: readonly number[];
    readonly outputs: readonly number[];
    readonly optionsType: number;
  }[];
  readonly metadata: Readonly<Record<string, string>>;
}

export function walk(bytes: Uint8Array): WalkedFile {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const u32 = (at: number) => view.getUint32(at, true);
  const i32 = (at: number) => view.getInt32(at, true);
  const follow = (at: number) => at + u32(at);
  /** Where a field of a table is; 0 where it is left away. */
  const field = (table: number, slot: number) => {
    const vtable = table - i32(table);
    const entry = 4 + 2 * slot;
    const offset = entry < view.getUint16(vtable, true) ? view.getUint16(vtable + entry, true) : 0;
    return offset === 0 ? 0 : table + offset;
  };
  const vector = (table: number, slot: number) => {
    const at = field(table, slot);
    const start = at === 0 ? 0 : follow(at);
    return { first: start + 4, length: start === 0 ? 0 : u32(start) };
  };
  const list = <T>(table: number, slot: number, read: (at: number) => T): T[] => {
    const { first, length } = vector(table, slot);
    return Array.from({ length }, (_, i) => read(first + 4 * i));
  };
  const raw = (table: number, slot: number) => {
    const { first, length } = vector(table, slot);
    return { first, bytes: bytes.subarray(first, first + length) };
  };
  const text = (table: number, slot: number) => new TextDecoder().decode(raw(table, slot).bytes);
  const number = (table: number, slot: number, read: (at: number) => number, otherwise = 0) => {
    const at = field(table, slot);
    return at === 0 ? otherwise : read(at);
  };
  const i8 = (at: number) => view.getInt8(at);

  const model = follow(0);
  const [graph = 0] = list(model, 2, follow);
  const buffers = list(model, 4, follow).map((buffer) => raw(buffer, 0));
  const codes = list(model, 1, follow).map((code) => ({
    code: Math.max(number(code, 0, i8), number(code, 3, i32)),
    custom: text(code, 1),
    version: number(code, 2, i32, 1),
  }));
  return {
    identifier: new TextDecoder().decode(bytes.subarray(4, 8)),
    version: number(model, 0, u32),
    description: text(model, 3),
    inputs: list(graph, 1, i32),
    outputs: list(graph, 2, i32),
    tensors: list(graph, 0, follow).map((tensor) => {
      const { first, bytes: data } = buffers[number(tensor, 2, u32)] ?? { first: 0, bytes: new Uint8Array() };
      return {
        name: text(tensor, 3),
        shape: list(tensor, 0, i32),
        type: number(tensor, 1, i8),
        ...{ data, offset: first },
      };
    }),
    operators: list(graph, 3, follow).map((operator) => ({
      ...(codes[number(operator, 0, u32)] ?? { code: -1, custom: '', version: 0 }),
      inputs: list(operator, 1, i32),
      outputs: list(operator, 2, i32),
      optionsType: number(operator, 3, (at) => view.getUint8(at)),
    })),
    metadata: Object.fromEntries(
      list(model, 6, follow).map((note) => [
        text(note, 0),
        new TextDecoder().decode(buffers[number(note, 1, u32)]?.bytes),
      ]),
    ),
  };
}
