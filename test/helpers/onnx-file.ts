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

export interface HandMade {
  readonly input: readonly number[];
  /** A third element names the type: int64 for shapes. */
  readonly constants: Readonly<
    Record<string, readonly [dims: readonly number[], data: readonly number[], type?: 'int64']>
  >;
  /** The result of node i is `n${i}`; an input may be left away as ''. */
  readonly nodes: readonly (readonly [
    operator: string,
    inputs: readonly string[],
    attributes?: Readonly<Record<string, Attribute>>,
  ])[];
  /** Float32 constants, as other systems take them; else float64. */
  readonly single?: boolean;
  readonly output?: readonly number[];
}

/** Numbers of AttributeProto's types and fields. */
function attribute(name: string, value: Attribute): Uint8Array {
  if (typeof value === 'string') return message([1, name], [4, value], [20, 3]);
  if (typeof value === 'number') return message([1, name], [3, value], [20, 2]);
  if ('float' in value) return message([1, name], [2, value], [20, 1]);
  return message([1, name], ...value.map((own) => [8, own] as const), [20, 7]);
}

const CUSTOM = new Set(['Quant', 'BipolarQuant', 'MultiThreshold', 'XnorPopcountMatMul']);

/** A file whose nodes follow each other. */
export function fileOf({ input, constants, nodes, single = false, output }: HandMade): Uint8Array {
  const info = (name: string, dims: readonly number[]) => {
    const shape = message(...dims.map((extent) => [1, message([1, extent])] as const));
    return message([1, name], [2, message([1, message([1, 1], [2, shape])])]);
  };
  const graph = message(
    ...nodes.map(([operator, inputs, attributes = {}], index) => {
      const domain = CUSTOM.has(operator) ? [[7, 'qonnx.custom_op.general'] as const] : [];
      return [
        1,
        message(
          ...inputs.map((name) => [1, name] as const),
          [2, `n${index}`],
          [3, `node${index}`],
          [4, operator],
          ...Object.entries(attributes).map(([name, value]) => [5, attribute(name, value)] as const),
          ...domain,
        ),
      ] as const;
    }),
    [2, 'graph'],
    ...Object.entries(constants).map(([name, [dims, data, type]]) => {
      const array =
        type === 'int64'
          ? new BigInt64Array(data.map(BigInt))
          : single
            ? new Float32Array(data)
            : new Float64Array(data);
      const kind = type === 'int64' ? 7 : single ? 1 : 11;
      const raw = new Uint8Array(array.buffer);
      return [5, message(...dims.map((d) => [1, d] as const), [2, kind], [8, name], [9, raw])] as const;
    }),
    [11, info('x', input)],
    [12, info(`n${nodes.length - 1}`, output ?? input)],
  );
  return message([1, 8], [7, graph], [8, message([2, 13])]);
}
