/** The part of onnx.proto3 that `container.ts` reads, written. */
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

/** A number is an integer, a list are integers, and `{ float }` is a real number. */
export type Attribute = number | readonly number[] | string | { readonly float: number };

export interface WrittenNode {
  readonly name: string;
  readonly operator: string;
  /** Empty for ONNX' own operators. */
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, Attribute>>;
}

/** float32 or int64 by its data. */
export interface WrittenTensor {
  readonly name: string;
  readonly dims: readonly number[];
  readonly data: Float32Array<ArrayBuffer> | BigInt64Array<ArrayBuffer>;
}

export interface WrittenValue {
  readonly name: string;
  /** Without the batch, whose extent is left open; undefined where the file needn't say it. */
  readonly dims: readonly number[] | undefined;
}

export interface WrittenGraph {
  readonly name: string;
  readonly nodes: readonly WrittenNode[];
  readonly initializers: readonly WrittenTensor[];
  readonly inputs: readonly WrittenValue[];
  readonly outputs: readonly WrittenValue[];
  readonly metadata: Readonly<Record<string, string>>;
  readonly domains: readonly { readonly domain: string; readonly version: number }[];
}

/** Of the container's own format: the first that has everything used here. */
const IR_VERSION = 8;
const ELEMENT = { float32: 1, int64: 7 } as const;
/** Numbers of AttributeProto's types. */
const ATTRIBUTE = { float: 1, int: 2, string: 3, ints: 7 } as const;

export type Field = readonly [
  number: number,
  value: number | string | Uint8Array | { readonly float: number },
];

/** A message from its fields: integers are varints, `{ float }` is four bytes, the rest has its length before it. */
export function message(fields: readonly Field[]): Uint8Array<ArrayBuffer> {
  const writer = new BinaryWriter();
  for (const [number, value] of fields) {
    if (typeof value === 'number') writer.tag(number, WireType.Varint).int64(value);
    else if (typeof value === 'string') writer.tag(number, WireType.LengthDelimited).string(value);
    else if (value instanceof Uint8Array) writer.tag(number, WireType.LengthDelimited).bytes(value);
    else writer.tag(number, WireType.Bit32).float(value.float);
  }
  return writer.finish();
}

/** The bytes of a model file. */
export function writeOnnx({
  name,
  nodes,
  initializers,
  inputs,
  outputs,
  metadata,
  domains,
}: WrittenGraph): Uint8Array<ArrayBuffer> {
  const graph = message([
    ...nodes.map((node): Field => [1, nodeOf(node)]),
    [2, name],
    ...initializers.map((tensor): Field => [5, tensorOf(tensor)]),
    ...inputs.map((value): Field => [11, typed(value)]),
    ...outputs.map((value): Field => [12, typed(value)]),
    ...[...inputs, ...outputs].flatMap((value) => annotated(value)),
  ]);
  return message([
    [1, IR_VERSION],
    [2, 'webgpu-bnn'],
    [7, graph],
    ...domains.map(
      ({ domain, version }): Field => [
        8,
        message([
          [1, domain],
          [2, version],
        ]),
      ],
    ),
    ...Object.entries(metadata).map(([key, value]): Field => [14, pair(key, value)]),
  ]);
}

/** StringStringEntryProto. */
function pair(key: string, value: string): Uint8Array {
  return message([
    [1, key],
    [2, value],
  ]);
}

/** Axes by FINN's letters, the batch first. */
const LETTERS: Readonly<Record<number, string>> = { 2: 'NC', 3: 'NCW', 4: 'NCHW', 5: 'NCDHW' };

/** What a value's axes are, as FINN says it: operators alone don't tell it of every network. */
function annotated({ name, dims = [] }: WrittenValue): Field[] {
  const letters = LETTERS[dims.length + 1];
  if (letters === undefined) return [];
  const list = [...letters].map((letter) => `'${letter}'`).join(', ');
  return [
    [
      14,
      message([
        [1, name],
        [2, pair('tensor_layout', `[${list}]`)],
      ]),
    ],
  ];
}

function nodeOf({ name, operator, domain, inputs, outputs, attributes }: WrittenNode): Uint8Array {
  return message([
    ...inputs.map((input): Field => [1, input]),
    ...outputs.map((output): Field => [2, output]),
    [3, name],
    [4, operator],
    ...Object.entries(attributes).map(([key, value]): Field => [5, attributeOf(key, value)]),
    ...(domain === '' ? [] : [[7, domain] satisfies Field]),
  ]);
}

function attributeOf(name: string, value: Attribute): Uint8Array {
  if (typeof value === 'string')
    return message([
      [1, name],
      [4, value],
      [20, ATTRIBUTE.string],
    ]);
  if (typeof value === 'number')
    return message([
      [1, name],
      [3, value],
      [20, ATTRIBUTE.int],
    ]);
  if ('float' in value)
    return message([
      [1, name],
      [2, value],
      [20, ATTRIBUTE.float],
    ]);
  return message([[1, name], ...value.map((own): Field => [8, own]), [20, ATTRIBUTE.ints]]);
}

function tensorOf({ name, dims, data }: WrittenTensor): Uint8Array {
  const type = data instanceof Float32Array ? ELEMENT.float32 : ELEMENT.int64;
  const raw = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return message([...dims.map((extent): Field => [1, extent]), [2, type], [8, name], [9, raw]]);
}

/** ValueInfoProto > TypeProto > tensor_type > shape > dim; of float32. */
export function typed({ name, dims }: WrittenValue): Uint8Array<ArrayBuffer> {
  const batch: Field = [1, message([[2, 'batch']])];
  const extents = dims?.map((extent): Field => [1, message([[1, extent]])]);
  const tensor = message([
    [1, ELEMENT.float32],
    ...(extents === undefined ? [] : [[2, message([batch, ...extents])] satisfies Field]),
  ]);
  return message([
    [1, name],
    [2, message([[1, tensor]])],
  ]);
}
