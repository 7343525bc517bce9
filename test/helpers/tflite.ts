/**
 * `.tflite` files assembled by hand: tables are written slot by slot as schema.fbs declares them, with numbers of its
 * own, so that the library's reader and writer can be held against something that shares nothing with them.
 */
import { Builder } from 'flatbuffers';
import { encode, toObject } from 'flatbuffers/js/flexbuffers.js';
import { parseTflite } from '../../src/formats/tflite/container.ts';

export type TensorType = 'float32' | 'float16' | 'int32' | 'int64' | 'int8' | 'bool';

export interface TensorSpec {
  /** Absent: `tensor` and its number. */
  readonly name?: string;
  /** With the batch. Packed signs are int32 words. */
  readonly shape: readonly number[];
  readonly type: TensorType;
  /** Half floats by their bits. */
  readonly data?: readonly number[];
  /** One, or one for each index of `axis`. */
  readonly scale?: readonly number[];
  readonly zeroPoint?: readonly number[];
  readonly axis?: number;
}

export interface OperatorSpec {
  readonly kind: string;
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  readonly options: Readonly<Record<string, number | boolean | readonly number[]>>;
}

export interface FileSpec {
  readonly tensors: readonly TensorSpec[];
  readonly operators: readonly OperatorSpec[];
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  /** Names of metadata with their bytes; no bytes for a buffer that isn't there. */
  readonly metadata?: readonly (readonly [name: string, bytes: Uint8Array | undefined])[];
}

type Kind = 'byte' | 'int' | 'float' | 'bool' | 'ints';
/** Operators: their code, the type of their options in the union, and the options' fields slot by slot. */
const OPERATORS: Readonly<Record<string, [code: number, union: number, ...fields: [string, Kind][]]>> = {
  ADD: [0, 11, ['activation', 'byte']],
  AVERAGE_POOL_2D: [1, 5, ...pool()],
  CONCATENATION: [2, 10, ['axis', 'int'], ['activation', 'byte']],
  CONV_2D: [
    3,
    1,
    ['padding', 'byte'],
    ['strideW', 'int'],
    ['strideH', 'int'],
    ['activation', 'byte'],
    ['dilationW', 'int'],
    ['dilationH', 'int'],
  ],
  DEPTHWISE_CONV_2D: [
    4,
    2,
    ['padding', 'byte'],
    ['strideW', 'int'],
    ['strideH', 'int'],
    ['depthMultiplier', 'int'],
    ['activation', 'byte'],
    ['dilationW', 'int'],
    ['dilationH', 'int'],
  ],
  DEQUANTIZE: [6, 38],
  FULLY_CONNECTED: [9, 8, ['activation', 'byte'], ['weightsFormat', 'byte'], ['keepNumDims', 'bool']],
  LOGISTIC: [14, 0],
  SVDF: [27, 0],
  TANH: [28, 0],
  SUB: [41, 28, ['activation', 'byte']],
  DIV: [42, 29, ['activation', 'byte']],
  MAX_POOL_2D: [17, 5, ...pool()],
  MUL: [18, 21, ['activation', 'byte']],
  RELU: [19, 0],
  RELU_N1_TO_1: [20, 0],
  RELU6: [21, 0],
  RESHAPE: [22, 17, ['newShape', 'ints']],
  SOFTMAX: [25, 9, ['beta', 'float']],
  PAD: [34, 22],
  GATHER: [36, 23, ['axis', 'int'], ['batchDims', 'int']],
  SQUEEZE: [43, 30, ['squeezeDims', 'ints']],
  STRIDED_SLICE: [
    45,
    32,
    ['beginMask', 'int'],
    ['endMask', 'int'],
    ['ellipsisMask', 'int'],
    ['newAxisMask', 'int'],
    ['shrinkAxisMask', 'int'],
    ['offset', 'bool'],
  ],
  CAST: [53, 37, ['inType', 'byte'], ['outType', 'byte']],
  MAXIMUM: [55, 39],
  MINIMUM: [57, 39],
  PADV2: [60, 43],
  SLICE: [65, 48],
  EXPAND_DIMS: [70, 52],
  SHAPE: [77, 55, ['outType', 'byte']],
  REDUCE_PROD: [81, 27, ['keepDims', 'bool']],
  PACK: [83, 59, ['valuesCount', 'int'], ['axis', 'int']],
  LEAKY_RELU: [98, 75, ['alpha', 'float']],
  TRANSPOSE: [39, 26],
  MEAN: [40, 27, ['keepDims', 'bool']],
  PRELU: [54, 0],
  QUANTIZE: [114, 89],
  GELU: [150, 0],
};
const TYPES: Readonly<Record<TensorType, number>> = {
  float32: 0,
  float16: 1,
  int32: 2,
  int64: 4,
  bool: 6,
  int8: 9,
};
const CUSTOM = 32;

function pool(): [string, Kind][] {
  return [
    ['padding', 'byte'],
    ['strideW', 'int'],
    ['strideH', 'int'],
    ['filterW', 'int'],
    ['filterH', 'int'],
    ['activation', 'byte'],
  ];
}

/** Writes a file. Operators that aren't built in are custom ones with their options in a FlexBuffer. */
export function assemble(file: FileSpec): Uint8Array<ArrayBuffer> {
  const { tensors, operators, inputs, outputs, metadata = [] } = file;
  const b = new Builder(1024);
  const ints = (values: readonly number[]) => {
    b.startVector(4, values.length, 4);
    for (const value of values.toReversed()) b.addInt32(value);
    return b.endVector();
  };
  const offsets = (values: readonly number[]) => {
    b.startVector(4, values.length, 4);
    for (const value of values.toReversed()) b.addOffset(value);
    return b.endVector();
  };
  const bytes = (values: Uint8Array) => {
    b.startVector(1, values.length, 16);
    for (const value of values.toReversed()) b.addInt8(value);
    return b.endVector();
  };
  /** A table from functions that add its fields. */
  const table = (slots: number, ...fields: (() => void)[]) => {
    b.startObject(slots);
    for (const add of fields) add();
    return b.endObject();
  };

  const kinds = [...new Set(operators.map(({ kind }) => kind))];
  const codes = kinds.map((kind) => {
    const code = OPERATORS[kind]?.[0] ?? CUSTOM;
    const name = code === CUSTOM ? b.createString(kind) : 0;
    return table(
      4,
      () => b.addFieldInt8(0, Math.min(code, 127), 0),
      () => b.addFieldOffset(1, name, 0),
      () => b.addFieldInt32(2, 1, 1),
      () => b.addFieldInt32(3, code, 0),
    );
  });

  const constants = tensors.flatMap(({ data, type }) => (data === undefined ? [] : [rawBytes(data, type)]));
  const notes = metadata.flatMap(([, data]) => (data === undefined ? [] : [data]));
  const buffers = [new Uint8Array(), ...constants, ...notes].map((data) => {
    const vector = data.length === 0 ? 0 : bytes(data);
    return table(3, () => b.addFieldOffset(0, vector, 0));
  });
  let buffer = 0;
  const tensorTables = tensors.map(({ name: given, shape, type, data, scale, zeroPoint, axis }, index) => {
    const dims = ints(shape);
    const name = b.createString(given ?? `tensor${index}`);
    const quantization = scale === undefined ? 0 : quantizationTable(scale, zeroPoint ?? [], axis ?? 0);
    const at = data === undefined ? 0 : ++buffer;
    return table(
      10,
      () => b.addFieldOffset(0, dims, 0),
      () => b.addFieldInt8(1, TYPES[type], 0),
      () => b.addFieldInt32(2, at, 0),
      () => b.addFieldOffset(3, name, 0),
      () => b.addFieldOffset(4, quantization, 0),
    );
  });

  function quantizationTable(scale: readonly number[], zeroPoint: readonly number[], axis: number): number {
    b.startVector(4, scale.length, 4);
    for (const value of scale.toReversed()) b.addFloat32(value);
    const scales = b.endVector();
    b.startVector(8, zeroPoint.length, 8);
    for (const value of zeroPoint.toReversed()) b.addInt64(BigInt(value));
    const zeroPoints = b.endVector();
    return table(
      7,
      () => b.addFieldOffset(2, scales, 0),
      () => b.addFieldOffset(3, zeroPoints, 0),
      () => b.addFieldInt32(6, axis, 0),
    );
  }

  const operatorTables = operators.map(({ kind, inputs, outputs, options }) => {
    const [, union = 0, ...fields] = OPERATORS[kind] ?? [CUSTOM];
    const isCustom = OPERATORS[kind] === undefined;
    const custom = isCustom && Object.keys(options).length > 0 ? bytes(encode(options)) : 0;
    const vectors = fields.map(([name, kind]) => (kind === 'ints' ? ints(options[name] as number[]) : 0));
    const optionsTable =
      union === 0
        ? 0
        : table(
            fields.length,
            ...fields.map(([name, kind], slot) => () => {
              const value = Number(options[name] ?? 0);
              if (kind === 'ints') b.addFieldOffset(slot, vectors[slot] ?? 0, 0);
              else if (kind === 'float') b.addFieldFloat32(slot, value, 0);
              else if (kind === 'int') b.addFieldInt32(slot, value, name.startsWith('dilation') ? 1 : 0);
              else b.addFieldInt8(slot, value, 0);
            }),
          );
    const from = ints(inputs);
    const to = ints(outputs);
    return table(
      9,
      () => b.addFieldInt32(0, kinds.indexOf(kind), 0),
      () => b.addFieldOffset(1, from, 0),
      () => b.addFieldOffset(2, to, 0),
      () => b.addFieldInt8(3, union, 0),
      () => b.addFieldOffset(4, optionsTable, 0),
      () => b.addFieldOffset(5, custom, 0),
    );
  });

  const [tensorVector, from, to, operatorVector] = [
    offsets(tensorTables),
    ints(inputs),
    ints(outputs),
    offsets(operatorTables),
  ];
  const graph = table(
    5,
    () => b.addFieldOffset(0, tensorVector, 0),
    () => b.addFieldOffset(1, from, 0),
    () => b.addFieldOffset(2, to, 0),
    () => b.addFieldOffset(3, operatorVector, 0),
  );
  const noteTables = metadata.map(([name, data]) => {
    const at = data === undefined ? 9999 : ++buffer;
    const text = b.createString(name);
    return table(
      2,
      () => b.addFieldOffset(0, text, 0),
      () => b.addFieldInt32(1, at, 0),
    );
  });
  const [codeVector, graphVector, bufferVector] = [offsets(codes), offsets([graph]), offsets(buffers)];
  const noteVector = noteTables.length === 0 ? 0 : offsets(noteTables);
  const model = table(
    8,
    () => b.addFieldInt32(0, 3, 0),
    () => b.addFieldOffset(1, codeVector, 0),
    () => b.addFieldOffset(2, graphVector, 0),
    () => b.addFieldOffset(4, bufferVector, 0),
    () => b.addFieldOffset(6, noteVector, 0),
  );
  b.finish(model, 'TFL3');
  return b.asUint8Array().slice();
}

/** A file as the evaluator takes it. The container is the library's; what the operators mean is not. */
export function disassemble(bytes: Uint8Array): FileSpec {
  const { tensors, operators, inputs, outputs } = parseTflite(bytes);
  return {
    ...{ inputs, outputs },
    tensors: tensors.map(({ shape, type, data }): TensorSpec => {
      const name = (Object.keys(TYPES) as TensorType[]).find((known) => TYPES[known] === type) ?? 'int32';
      if (data === undefined) return { shape, type: name };
      const { buffer } = new Uint8Array(data);
      return {
        shape,
        type: name,
        data: [...(name === 'float32' ? new Float32Array(buffer) : new Int32Array(buffer))],
      };
    }),
    operators: operators.map(({ kind, inputs, outputs, options, customOptions }): OperatorSpec => {
      const [, , ...fields] = OPERATORS[kind] ?? [CUSTOM, 0];
      const read = { byte: 'int8', bool: 'int8', int: 'int32', float: 'float32', ints: 'int32s' } as const;
      const builtin = fields.map(([name, own], slot) => [name, options?.[read[own]](slot) ?? 0] as const);
      const custom =
        customOptions.length === 0
          ? {}
          : (toObject(new Uint8Array(customOptions).buffer) as Record<string, number>);
      return { kind, inputs, outputs, options: { ...Object.fromEntries(builtin), ...custom } };
    }),
  };
}

function rawBytes(data: readonly number[], type: TensorType): Uint8Array {
  if (type === 'float32') return new Uint8Array(Float32Array.from(data).buffer);
  if (type === 'int32') return new Uint8Array(Int32Array.from(data).buffer);
  if (type === 'float16') return new Uint8Array(Uint16Array.from(data).buffer);
  if (type === 'int64') return new Uint8Array(BigInt64Array.from(data, BigInt).buffer);
  return Uint8Array.from(data, (value) => value & 255);
}

type Quantized = Pick<TensorSpec, 'scale' | 'zeroPoint' | 'axis'>;

/** A file that is put together tensor by tensor; every call gives the index of a tensor. */
export class TfliteSketch {
  readonly #tensors: TensorSpec[] = [];
  readonly #operators: OperatorSpec[] = [];
  readonly #inputs: number[] = [];

  input(shape: readonly number[], type: TensorType = 'float32', quantized: Quantized = {}): number {
    const index = this.#add({ shape, type, ...quantized });
    this.#inputs.push(index);
    return index;
  }

  constant(
    type: TensorType,
    shape: readonly number[],
    data: readonly number[],
    quantized: Quantized = {},
  ): number {
    return this.#add({ shape, type, data, ...quantized });
  }

  /** The result of an operator, with the tensor that it goes to. */
  op(
    kind: string,
    inputs: readonly number[],
    result: TensorSpec,
    options: OperatorSpec['options'] = {},
  ): number {
    const index = this.#add(result);
    this.#operators.push({ kind, inputs, outputs: [index], options });
    return index;
  }

  build(...outputs: number[]): FileSpec {
    return { tensors: this.#tensors, operators: this.#operators, inputs: this.#inputs, outputs };
  }

  #add(tensor: TensorSpec): number {
    return this.#tensors.push(tensor) - 1;
  }
}
