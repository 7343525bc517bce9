/** ONNX files made by hand, message by message. */
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

/** A message from its fields: numbers are varints, `{ float }` four bytes, the rest is length-delimited. */
export function message(
  ...fields: readonly (readonly [number, number | string | Uint8Array | { readonly float: number }])[]
): Uint8Array {
  const writer = new BinaryWriter();
  for (const [number, value] of fields) {
    if (typeof value === 'number') writer.tag(number, WireType.Varint).int64(value);
    else if (typeof value === 'string') writer.tag(number, WireType.LengthDelimited).string(value);
    else if (value instanceof Uint8Array) writer.tag(number, WireType.LengthDelimited).bytes(value);
    else writer.tag(number, WireType.Bit32).float(value.float);
  }
  return writer.finish();
}

/** Integers, a list of them, a text, or a float. */
export type Attribute = number | readonly number[] | string | { readonly float: number };

/** Element types of constants; float by default. */
export type ElementName = 'int64' | 'int32' | 'int8' | 'uint8' | 'float16';

export type HandMadeConstant = readonly [
  dims: readonly number[],
  data: readonly number[],
  type?: ElementName,
];

export interface HandMadeNode {
  readonly domain?: string;
  readonly name?: string;
  /** Default: `n${i}` of node i. */
  readonly outputs?: readonly string[];
}

export interface HandMade {
  /** Of `x`, unless `inputs` say more. */
  readonly input: readonly number[];
  /** Several inputs by name, instead. 0 is an open extent. */
  readonly inputs?: Readonly<Record<string, readonly number[]>>;
  /** A third element names the type: int64 for shapes. */
  readonly constants: Readonly<Record<string, HandMadeConstant>>;
  /** The result of node i is `n${i}`; an input may be left away as ''. */
  readonly nodes: readonly (readonly [
    operator: string,
    inputs: readonly string[],
    attributes?: Readonly<Record<string, Attribute>>,
    more?: HandMadeNode,
  ])[];
  /** Float32 constants, as other systems take them; else float64. */
  readonly single?: boolean;
  readonly output?: readonly number[];
  /** Names of several outputs. Default: the last node's. */
  readonly outputs?: readonly string[];
  readonly opset?: number;
  readonly metadata?: Readonly<Record<string, string>>;
  /** Of values, by name. */
  readonly annotations?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Where the data of constants is instead: the file's name, the first byte. */
  readonly external?: Readonly<Record<string, readonly [location: string, offset: number]>>;
}

/** Numbers of AttributeProto's types and fields. */
function attribute(name: string, value: Attribute): Uint8Array {
  if (typeof value === 'string') return message([1, name], [4, value], [20, 3]);
  if (typeof value === 'number') return message([1, name], [3, value], [20, 2]);
  if ('float' in value) return message([1, name], [2, value], [20, 1]);
  return message([1, name], ...value.map((own) => [8, own] as const), [20, 7]);
}

/** Bits of a number that half floats hold exactly. */
function half(value: number): number {
  if (value === 0) return 0;
  const exponent = Math.floor(Math.log2(Math.abs(value)));
  const bits =
    exponent < -14
      ? Math.abs(value) * 2 ** 24
      : ((exponent + 14) << 10) + Math.abs(value) * 2 ** (10 - exponent);
  return (value < 0 ? 0x8000 : 0) | bits;
}

/** The number of a constant's type, and its bytes. */
export function elements(
  data: readonly number[],
  type: ElementName | 'float' | 'double',
): readonly [number, Uint8Array] {
  const bytes = (array: { buffer: ArrayBufferLike }) => new Uint8Array(array.buffer);
  switch (type) {
    case 'float':
      return [1, bytes(new Float32Array(data))];
    case 'double':
      return [11, bytes(new Float64Array(data))];
    case 'int64':
      return [7, bytes(new BigInt64Array(data.map(BigInt)))];
    case 'int32':
      return [6, bytes(new Int32Array(data))];
    case 'int8':
      return [3, bytes(new Int8Array(data))];
    case 'uint8':
      return [2, bytes(new Uint8Array(data))];
    case 'float16':
      return [10, bytes(new Uint16Array(data.map(half)))];
  }
}

const CUSTOM = new Set(['Quant', 'BipolarQuant', 'MultiThreshold', 'XnorPopcountMatMul']);

/** A file whose nodes follow each other. */
export function fileOf(file: HandMade): Uint8Array {
  const { input, inputs = { x: input }, constants, nodes, single = false, output, opset = 13 } = file;
  const { outputs = [nodes.at(-1)?.[3]?.outputs?.at(-1) ?? `n${nodes.length - 1}`], metadata = {} } = file;
  const info = (name: string, dims: readonly number[] | undefined) => {
    const shape =
      dims && message(...dims.map((extent) => [1, extent > 0 ? message([1, extent]) : message()] as const));
    return message([1, name], [2, message([1, message([1, 1], ...(shape ? [[2, shape] as const] : []))])]);
  };
  const pair = (key: string, value: string) => message([1, key], [2, value]);
  const graph = message(
    ...nodes.map(([operator, from, attributes = {}, more = {}], index) => {
      const domain = more.domain ?? (CUSTOM.has(operator) ? 'qonnx.custom_op.general' : '');
      return [
        1,
        message(
          ...from.map((name) => [1, name] as const),
          ...(more.outputs ?? [`n${index}`]).map((name) => [2, name] as const),
          [3, more.name ?? `node${index}`],
          [4, operator],
          ...Object.entries(attributes).map(([name, value]) => [5, attribute(name, value)] as const),
          ...(domain === '' ? [] : [[7, domain] as const]),
        ),
      ] as const;
    }),
    [2, 'graph'],
    ...Object.entries(constants).map(([name, [dims, data, type]]) => {
      const [kind, raw] = elements(data, type ?? (single ? 'float' : 'double'));
      const place = file.external?.[name];
      const content =
        place === undefined
          ? [[9, raw] as const]
          : [
              [13, pair('location', place[0])] as const,
              [13, pair('offset', `${place[1]}`)] as const,
              [13, pair('length', `${raw.length}`)] as const,
              [14, 1] as const,
            ];
      return [5, message(...dims.map((d) => [1, d] as const), [2, kind], [8, name], ...content)] as const;
    }),
    ...Object.entries(inputs).map(([name, dims]) => [11, info(name, dims)] as const),
    ...outputs.map(
      (name) => [12, info(name, file.outputs === undefined ? (output ?? input) : undefined)] as const,
    ),
    ...Object.entries(file.annotations ?? {}).map(
      ([name, notes]) =>
        [14, message([1, name], ...Object.entries(notes).map(([k, v]) => [2, pair(k, v)] as const))] as const,
    ),
  );
  return message(
    [1, 8],
    [7, graph],
    [8, message([2, opset])],
    ...Object.entries(metadata).map(([key, value]) => [14, pair(key, value)] as const),
  );
}
