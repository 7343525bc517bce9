/**
 * Operators on constants, evaluated while a file is read. Keras' Flatten and Reshape ask for the shape of a batch that isn't
 * known: SHAPE, STRIDED_SLICE, PACK, RESHAPE. It is known once the file is read, and all of these are constants. Weights in
 * half floats go through DEQUANTIZE in the same way.
 */
import { sizeOf, wordsFor } from '../../gpu/index.ts';
import { broadcastShape, permuteAxes, slicePlaces } from '../../numerics/axes.ts';
import { type Combination, combine } from '../../numerics/combine.ts';
import type { TfliteOperator } from './container.ts';
import type { Importer } from './importer.ts';
import { refused, shapeText } from './refused.ts';
import {
  CONCATENATION,
  GATHER,
  PACK,
  REDUCER,
  RESHAPE,
  SQUEEZE,
  TENSOR_TYPE,
  tensorTypeName,
} from './schema.ts';
import { sliceOf, stridedSliceOf, type TakenRange } from './slices.ts';
import type { Constant } from './stored.ts';

const TOO_LARGE = 'constants larger than a file of this size may make';

type ConstantRule = (
  importer: Importer,
  operator: TfliteOperator,
  inputs: readonly [Constant, ...(Constant | undefined)[]],
) => Pick<Constant, 'shape' | 'data'>;

/**
 * Evaluates an operator whose inputs are all constants; SHAPE also of what is computed.
 * @returns undefined where it isn't one of these, or its inputs are no constants
 * @throws FormatError
 */
export function foldConstant(importer: Importer, operator: TfliteOperator): Constant | undefined {
  const { type } = importer.output(operator);
  if (operator.kind === 'SHAPE') {
    const value = importer.known(operator.inputs[0] ?? -1);
    if (value !== undefined) {
      const { shape } = value;
      const own = value.type === 'signs' ? [...shape.slice(0, -1), wordsFor(shape.at(-1) ?? 1)] : shape;
      return { shape: [own.length + 1], type, data: [importer.batch, ...own] };
    }
  }
  const rule = RULES[operator.kind];
  if (rule === undefined || !operator.inputs.every((index) => index < 0 || importer.isConstant(index))) {
    return undefined;
  }
  const [first, ...more] = operator.inputs.map((index) =>
    index < 0 ? undefined : importer.stored(operator, index),
  );
  if (first === undefined) return undefined;
  const { shape, data } = rule(importer, operator, [first, ...more]);
  // Numbers take 8 bytes here, where weights take 4.
  importer.claim(operator, 2 * data.length, TOO_LARGE);
  return { shape, type, data: type === TENSOR_TYPE.float32 ? Float32Array.from(data) : data };
}

/** A list of integers: the second input, say. */
function listOf(operator: TfliteOperator, constant: Constant | undefined): number[] {
  if (constant === undefined) throw refused(operator, 'one of its inputs is missing');
  return Array.from(constant.data);
}

function axisOf(operator: TfliteOperator, axis: number, rank: number): number {
  const own = axis < 0 ? axis + rank : axis;
  if (own >= 0 && own < rank) return own;
  throw refused(operator, `along axis ${axis} of ${rank}`);
}

/** Values of x at these places. */
function taken(x: Constant, { range, shape }: TakenRange): Pick<Constant, 'shape' | 'data'> {
  return { shape, data: slicePlaces(x.shape, range).map((place) => x.data[place] ?? 0) };
}

/** Tensors side by side along an axis. */
function joined(parts: readonly Constant[], axis: number): number[] {
  const [first] = parts;
  const outer = sizeOf(first?.shape.slice(0, axis) ?? []);
  const all: number[] = [];
  for (let row = 0; row < outer; row++) {
    for (const { shape, data } of parts) {
      const length = sizeOf(shape.slice(axis));
      for (let i = 0; i < length; i++) all.push(data[row * length + i] ?? 0);
    }
  }
  return all;
}

/** Inputs that are there, of one shape but for `except`. */
function alike(
  operator: TfliteOperator,
  inputs: readonly (Constant | undefined)[],
  except: number,
): Constant[] {
  const parts = inputs.filter((part) => part !== undefined);
  const outline = ({ shape }: Constant) =>
    shape.map((extent, axis) => (axis === except ? -1 : extent)).join();
  if (
    parts.some((part) => part.shape.length !== parts[0]?.shape.length || outline(part) !== outline(parts[0]))
  ) {
    throw refused(operator, `of the shapes ${parts.map(({ shape }) => shapeText(shape)).join(' and ')}`);
  }
  return parts;
}

function arithmetic(kind: Combination): ConstantRule {
  return (importer, operator, [a, b]) => {
    if (b === undefined) throw refused(operator, 'one of its inputs is missing');
    if ((operator.options?.int8(0) ?? 0) !== 0) throw refused(operator, 'it bounds a constant');
    const rank = Math.max(a.shape.length, b.shape.length);
    const filled = (shape: readonly number[]) => [
      ...new Array<number>(rank - shape.length).fill(1),
      ...shape,
    ];
    const [left, right] = [filled(a.shape), filled(b.shape)];
    const shape = broadcastShape(left, right);
    if (shape === undefined) throw refused(operator, `of ${shapeText(a.shape)} and ${shapeText(b.shape)}`);
    importer.claim(operator, 2 * sizeOf(shape), TOO_LARGE);
    const exact = combine(kind, a.data, left, b.data, right);
    return { shape, data: isReal(a) ? exact : exact.map(Math.trunc) };
  };
}

function isReal({ type }: Constant): boolean {
  return type === TENSOR_TYPE.float32 || type === TENSOR_TYPE.float16;
}

const RULES: Readonly<Record<string, ConstantRule>> = {
  ADD: arithmetic('add'),
  CAST: (importer, operator, [x]) => {
    const { type } = importer.output(operator);
    const isWhole = type === TENSOR_TYPE.int32 || type === TENSOR_TYPE.int64;
    if (!isWhole && type !== TENSOR_TYPE.float32) throw refused(operator, `to ${tensorTypeName(type)}`);
    return { shape: x.shape, data: isWhole ? Array.from(x.data, Math.trunc) : x.data };
  },
  CONCATENATION: (_importer, operator, inputs) => {
    const axis = axisOf(operator, operator.options?.int32(CONCATENATION.axis) ?? 0, inputs[0].shape.length);
    const parts = alike(operator, inputs, axis);
    const along = parts.reduce((sum, { shape }) => sum + (shape[axis] ?? 1), 0);
    return { shape: inputs[0].shape.with(axis, along), data: joined(parts, axis) };
  },
  DEQUANTIZE: (importer, operator, [x]) => {
    if (isReal(x)) return x;
    const tensor = importer.tensor(operator, operator.inputs[0], 'input');
    if (x.type !== TENSOR_TYPE.int8) throw refused(operator, `from ${tensorTypeName(x.type)}`);
    const { scale, zeroPoint } = importer.grid(operator, tensor);
    return { shape: x.shape, data: Array.from(x.data, (value) => scale * (value - zeroPoint)) };
  },
  DIV: arithmetic('divide'),
  EXPAND_DIMS: (_importer, operator, [x, where]) => ({
    shape: expanded(operator, x.shape, listOf(operator, where)[0] ?? 0),
    data: x.data,
  }),
  GATHER: (importer, operator, [x, indices]) => {
    const axis = axisOf(operator, operator.options?.int32(GATHER.axis) ?? 0, x.shape.length);
    if ((operator.options?.int32(GATHER.batchDims) ?? 0) !== 0) throw refused(operator, 'in batches');
    const places = listOf(operator, indices);
    const extent = x.shape[axis] ?? 1;
    if (places.some((place) => !(place >= 0 && place < extent))) {
      throw refused(operator, `places ${shapeText(places)} of ${extent}`);
    }
    importer.claim(operator, (2 * places.length * x.data.length) / Math.max(1, extent), TOO_LARGE);
    const columns = places.map((place) => {
      const range = {
        begin: x.shape.map((_, own) => (own === axis ? place : 0)),
        size: x.shape.with(axis, 1),
        strides: x.shape.map(() => 1),
      };
      return { ...x, ...taken(x, { range, shape: range.size }) };
    });
    const shape = x.shape.toSpliced(axis, 1, ...(indices?.shape ?? []));
    return { shape, data: joined(columns, axis) };
  },
  MAXIMUM: arithmetic('maximum'),
  MINIMUM: arithmetic('minimum'),
  MUL: arithmetic('multiply'),
  PACK: (_importer, operator, inputs) => {
    const rank = inputs[0].shape.length + 1;
    const axis = axisOf(operator, operator.options?.int32(PACK.axis) ?? 0, rank);
    const parts = alike(operator, inputs, -1).map((part) => ({
      ...part,
      shape: part.shape.toSpliced(axis, 0, 1),
    }));
    return { shape: inputs[0].shape.toSpliced(axis, 0, parts.length), data: joined(parts, axis) };
  },
  REDUCE_PROD: (_importer, operator, [x]) => {
    if (x.shape.length !== 1) throw refused(operator, `of ${shapeText(x.shape)}, not a list`);
    const product = Array.from(x.data).reduce((all, value) => all * value, 1);
    return { shape: operator.options?.bool(REDUCER.keepDims) ? [1] : [], data: [product] };
  },
  RESHAPE: (_importer, operator, [x, asked]) => {
    const given =
      asked === undefined ? (operator.options?.int32s(RESHAPE.newShape) ?? []) : listOf(operator, asked);
    return { shape: shapeFor(operator, x.data.length, given), data: x.data };
  },
  SHAPE: (_importer, _operator, [x]) => ({ shape: [x.shape.length], data: x.shape }),
  SLICE: (_importer, operator, [x, begin, size]) =>
    taken(x, sliceOf(operator, x.shape, listOf(operator, begin), listOf(operator, size))),
  SQUEEZE: (_importer, operator, [x]) => ({
    shape: squeezed(operator, x.shape, operator.options?.int32s(SQUEEZE.dims) ?? []),
    data: x.data,
  }),
  STRIDED_SLICE: (_importer, operator, [x, begin, end, strides]) =>
    taken(
      x,
      stridedSliceOf(
        operator,
        x.shape,
        [begin, end, strides].map((list) => listOf(operator, list)),
      ),
    ),
  SUB: arithmetic('subtract'),
  TRANSPOSE: (_importer, operator, [x, order]) => {
    const permutation = listOf(operator, order);
    const isWhole = [...permutation].sort((a, b) => a - b).every((axis, index) => axis === index);
    if (!isWhole || permutation.length !== x.shape.length)
      throw refused(operator, `by ${shapeText(permutation)}`);
    return {
      shape: permutation.map((axis) => x.shape[axis] ?? 1),
      data: permuteAxes(x.data, x.shape, permutation),
    };
  },
};

/** Operators that are evaluated where all they take is constant. */
export const CONSTANT_KINDS: readonly string[] = Object.keys(RULES);

/** What −1 stands for filled in. @throws FormatError unless so many values fit */
export function shapeFor(operator: TfliteOperator, size: number, asked: readonly number[]): number[] {
  const rest = size / sizeOf(asked.filter((extent) => extent !== -1));
  const shape = asked.map((extent) => (extent === -1 ? rest : extent));
  const isWhole = shape.every((extent) => Number.isSafeInteger(extent) && extent >= 0);
  if (asked.filter((extent) => extent === -1).length > 1 || !isWhole || sizeOf(shape) !== size) {
    throw refused(operator, `${size} values can't become ${shapeText(asked)}`);
  }
  return shape;
}

/** Without these axes of extent 1, or all of them. */
export function squeezed(
  operator: TfliteOperator,
  shape: readonly number[],
  dims: readonly number[],
): number[] {
  const axes = dims.map((axis) => axisOf(operator, axis, shape.length));
  if (axes.some((axis) => shape[axis] !== 1)) {
    throw refused(operator, `axes ${shapeText(dims)} of ${shapeText(shape)} are not 1 long`);
  }
  return shape.filter((extent, axis) => (dims.length === 0 ? extent !== 1 : !axes.includes(axis)));
}

/** With one more axis of extent 1. */
export function expanded(operator: TfliteOperator, shape: readonly number[], axis: number): number[] {
  return shape.toSpliced(axisOf(operator, axis, shape.length + 1), 0, 1);
}
