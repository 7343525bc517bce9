/** TensorFlow Lite's own products, pools and operators that move values, in float32 and in int8. Filters are OHWI there as here. */
import { type Shape, sizeOf, wordsFor } from '../../gpu/index.ts';
import { floatValue, type ParameterValue } from '../../graph/index.ts';
import { averagePool2d, concat, type Layer, maxPool2d, pad2d, slice, transpose } from '../../layers/index.ts';
import { conv2d, dense, quantConv2d, quantDense, quantDepthwiseConv2d } from '../../layers/plain.ts';
import { expanded, shapeFor, squeezed } from './constants.ts';
import type { TfliteOperator } from './container.ts';
import { type Importer, optionsOf, type Rule, real, type Value } from './importer.ts';
import { paddingOf } from './larq.ts';
import { refused, shapeText } from './refused.ts';
import {
  ACTIVATION,
  CONCATENATION,
  CONV_2D,
  DEPTHWISE_CONV_2D,
  FULLY_CONNECTED,
  POOL_2D,
  REDUCER,
  RESHAPE,
  SQUEEZE,
  TENSOR_TYPE,
} from './schema.ts';
import { sliceOf, stridedSliceOf } from './slices.ts';

/** What a convolution multiplies with: OHWI, or [units, inputs]. */
interface Weights {
  readonly kernel: ParameterValue;
  /** int8 only: one number a filter. */
  readonly scales: readonly number[] | undefined;
  /** float32 only: every filter is a sign times one magnitude, which is here. */
  readonly magnitudes: Float32Array<ArrayBuffer> | undefined;
}

function weightsOf(
  importer: Importer,
  operator: TfliteOperator,
  type: Value['type'],
  filters: number,
  /** Which axis of the tensor counts filters. */
  axis: number,
): Weights {
  const signs = type === 'float32' ? importer.signs.get(operator.inputs[1] ?? -1) : undefined;
  if (signs !== undefined) {
    return { kernel: signs, scales: undefined, magnitudes: importer.allocate(operator, filters).fill(1) };
  }
  if (type === 'float32') {
    const kernel = importer.constant(operator, 1, 'float32').data as Float32Array<ArrayBuffer>;
    return { kernel, scales: undefined, magnitudes: axis === 0 ? magnitudesOf(kernel, filters) : undefined };
  }
  const { data, tensor } = importer.constant(operator, 1, 'int8');
  const scales = tensor.quantization?.scales ?? [];
  const fits =
    scales.length === 1 || (scales.length === filters && tensor.quantization?.axis === axis && filters > 1);
  if (!fits || !scales.every((scale) => scale > 0 && Number.isFinite(scale))) {
    throw refused(operator, `${scales.length} scales for ${filters} filters`);
  }
  if (tensor.quantization?.zeroPoints.some((zero) => zero !== 0)) {
    throw refused(operator, 'its weights have a zero point');
  }
  const kernel = importer.allocate(operator, data.length);
  kernel.set(data);
  const perFilter = scales.length === 1 ? new Array<number>(filters).fill(scales[0] ?? 1) : scales;
  return { kernel, scales: perFilter, magnitudes: undefined };
}

/** The magnitude of each filter's weights, if each has one: such weights are binary, however they are stored. */
function magnitudesOf(
  kernel: Float32Array<ArrayBuffer>,
  filters: number,
): Float32Array<ArrayBuffer> | undefined {
  const depth = kernel.length / filters;
  const magnitudes = Float32Array.from({ length: filters }, (_, filter) =>
    Math.abs(kernel[filter * depth] ?? 0),
  );
  const isBinary = kernel.every((weight, index) => {
    const magnitude = magnitudes[Math.floor(index / depth)] ?? 0;
    return magnitude > 0 && Math.abs(weight) === magnitude;
  });
  return isBinary ? magnitudes : undefined;
}

/** The third input: one number a filter, in real units or, with int8, in those of the sums. */
function biasOf(
  importer: Importer,
  operator: TfliteOperator,
  type: Value['type'],
  filters: number,
): ArrayLike<number> | undefined {
  if (!importer.has(operator, 2)) return undefined;
  const { data } = importer.constant(operator, 2, type === 'float32' ? 'float32' : 'int32');
  if (data.length !== filters) throw refused(operator, `${data.length} biases for ${filters} filters`);
  return data;
}

/**
 * Sums of products with their bias and activation.
 * @param make the layer: with real weights and a bias, or with binary ones where the weights are
 */
function product(
  importer: Importer,
  operator: TfliteOperator,
  value: Value,
  filters: number,
  weights: Weights,
  activation: number,
  make: (kind: 'real' | 'binary', useBias: boolean) => (name: string) => Layer,
): Value {
  const given = biasOf(importer, operator, value.type, filters);
  const bias = given !== undefined && Array.from(given).some((term) => term !== 0) ? given : undefined;
  const { kernel, scales, magnitudes } = weights;
  if (value.grid !== undefined && scales !== undefined) {
    const { scale: outScale } = importer.grid(operator, importer.output(operator));
    const { scale: inScale } = value.grid;
    const sums = importer.place(operator, make('real', false), value, { kernel });
    const scale = scales.map((own) => (inScale * own) / outScale);
    const shift = scale.map((own, filter) => own * (bias?.[filter] ?? 0));
    return importer.finish(operator, sums, { activation, scale, shift });
  }
  const own = bias === undefined ? {} : { bias: Float32Array.from(bias) };
  if (magnitudes?.every((magnitude) => magnitude === 1)) {
    const sums = importer.place(operator, make('binary', bias !== undefined), value, { kernel, ...own });
    return importer.finish(operator, sums, { activation });
  }
  if (value.isSigns && magnitudes !== undefined) {
    const sums = importer.place(operator, make('binary', false), value, { kernel });
    const scaled = importer.scaled(operator, sums, magnitudes, bias ?? 0);
    return importer.finish(operator, scaled, { activation });
  }
  const sums = importer.place(operator, make('real', bias !== undefined), value, { kernel, ...own });
  return importer.finish(operator, sums, { activation });
}

/** Quantizers of a layer whose weights are signs; saying that its input is signs too counts its products as binary. */
function binary(value: Value): { inputQuantizer?: 'steSign'; kernelQuantizer: 'steSign' } {
  return { ...(value.isSigns ? { inputQuantizer: 'steSign' } : {}), kernelQuantizer: 'steSign' };
}

function imageOf(importer: Importer, operator: TfliteOperator): Value {
  const value = importer.numbers(operator);
  if (value.shape.length !== 3) {
    throw refused(operator, `its input has the shape ${shapeText(value.shape)}, which is no image`);
  }
  return value;
}

/** @throws FormatError unless the constant has four axes, none of them empty */
function filterShape(importer: Importer, operator: TfliteOperator): Shape {
  const { shape } = importer.tensor(operator, operator.inputs[1], 'filter');
  if (shape.length !== 4 || shape.some((extent) => extent < 1)) {
    throw refused(operator, `its filters have the shape ${shapeText(shape)}`);
  }
  return shape;
}

const convolution: Rule = (importer, operator) => {
  const value = imageOf(importer, operator);
  const options = optionsOf(operator, 'Conv2D');
  const [filters = 1, height = 1, width = 1, depth = 1] = filterShape(importer, operator);
  const groups = (value.shape[2] ?? 1) / depth;
  if (!Number.isInteger(groups) || filters % groups !== 0) {
    throw refused(operator, `filters of ${depth} channels meet ${value.shape[2]}`);
  }
  const windows = {
    filters,
    groups,
    kernelSize: [height, width] as const,
    strides: [options?.int32(CONV_2D.strideHeight) ?? 0, options?.int32(CONV_2D.strideWidth) ?? 0] as const,
    dilations: [
      options?.int32(CONV_2D.dilationHeight, 1) ?? 1,
      options?.int32(CONV_2D.dilationWidth, 1) ?? 1,
    ] as const,
    padding: paddingOf(operator, options?.int8(CONV_2D.padding) ?? 0),
  };
  const weights = weightsOf(importer, operator, value.type, filters, 0);
  const activation = options?.int8(CONV_2D.activation) ?? ACTIVATION.none;
  return product(importer, operator, value, filters, weights, activation, (kind, useBias) => (name) => {
    if (kind === 'real') return conv2d({ name, ...windows, useBias });
    return quantConv2d({ name, ...windows, useBias, ...binary(value) });
  });
};

const depthwise: Rule = (importer, operator) => {
  const value = imageOf(importer, operator);
  const options = optionsOf(operator, 'DepthwiseConv2D');
  const [one = 0, height = 1, width = 1, filters = 1] = filterShape(importer, operator);
  const groups = value.shape[2] ?? 1;
  if (one !== 1 || filters % groups !== 0)
    throw refused(operator, `${filters} filters meet ${groups} channels`);
  const stored = weightsOf(importer, operator, value.type, filters, 3);
  // 1HWO in the file; OHW1 here.
  const weights = floatValue(stored.kernel, [1, height, width, filters], operator.where);
  const kernel = importer.allocate(operator, weights.length);
  const taps = height * width;
  weights.forEach((weight, index) => {
    kernel[(index % filters) * taps + Math.floor(index / filters)] = weight;
  });
  const magnitudes = value.type === 'float32' ? magnitudesOf(kernel, filters) : undefined;
  const windows = {
    kernelSize: [height, width] as const,
    strides: [
      options?.int32(DEPTHWISE_CONV_2D.strideHeight) ?? 0,
      options?.int32(DEPTHWISE_CONV_2D.strideWidth) ?? 0,
    ] as const,
    dilations: [
      options?.int32(DEPTHWISE_CONV_2D.dilationHeight, 1) ?? 1,
      options?.int32(DEPTHWISE_CONV_2D.dilationWidth, 1) ?? 1,
    ] as const,
    padding: paddingOf(operator, options?.int8(DEPTHWISE_CONV_2D.padding) ?? 0),
  };
  const activation = options?.int8(DEPTHWISE_CONV_2D.activation) ?? ACTIVATION.none;
  return product(
    importer,
    operator,
    value,
    filters,
    { ...stored, kernel, magnitudes },
    activation,
    (kind, useBias) => (name) => {
      if (kind === 'real') return conv2d({ name, ...windows, filters, groups, useBias });
      const { kernelQuantizer: depthwiseQuantizer, ...quantized } = binary(value);
      const depthMultiplier = filters / groups;
      return quantDepthwiseConv2d({
        name,
        ...windows,
        depthMultiplier,
        useBias,
        ...quantized,
        depthwiseQuantizer,
      });
    },
  );
};

const fullyConnected: Rule = (importer, operator) => {
  const value = importer.numbers(operator);
  const options = optionsOf(operator, 'FullyConnected');
  const { shape } = importer.tensor(operator, operator.inputs[1], 'matrix');
  const [units = 0, depth = 0] = shape;
  if (shape.length !== 2 || units < 1 || depth < 1) {
    throw refused(operator, `its matrix has the shape ${shapeText(shape)}`);
  }
  if ((options?.int8(FULLY_CONNECTED.weightsFormat) ?? 0) !== 0) {
    throw refused(operator, 'its weights are shuffled');
  }
  if (
    sizeOf(value.shape) !== depth ||
    (options?.bool(FULLY_CONNECTED.keepNumDims) && value.shape.length > 1)
  ) {
    throw refused(operator, `a matrix of ${depth} columns meets ${shapeText(value.shape)}`);
  }
  const flat = reshaped(value, [depth]);
  const weights = weightsOf(importer, operator, value.type, units, 0);
  const activation = options?.int8(FULLY_CONNECTED.activation) ?? ACTIVATION.none;
  return product(importer, operator, flat, units, weights, activation, (kind, useBias) => (name) => {
    if (kind === 'real') return dense({ name, units, useBias });
    return quantDense({ name, units, useBias, ...binary(value) });
  });
};

/** The same values under another shape, which is pending. */
function reshaped(value: Value, shape: Shape): Value {
  return shape.join() === value.shape.join() ? value : { ...value, shape };
}

const concatenation: Rule = (importer, operator) => {
  const options = optionsOf(operator, 'Concatenation');
  const parts = operator.inputs.map((_, position) => importer.numbers(operator, position));
  const [first] = parts;
  if (first === undefined) throw refused(operator, 'it has no inputs');
  const rank = first.shape.length + 1;
  const axis = options?.int32(CONCATENATION.axis) ?? 0;
  if (axis !== -1 && axis !== rank - 1) throw refused(operator, `along axis ${axis} of ${rank}`);
  const activation = options?.int8(CONCATENATION.activation) ?? ACTIVATION.none;
  const placed = importer.place(operator, (name) => concat({ name }), parts);
  for (const part of parts.slice(1)) importer.kept(operator, part, placed);
  const isSigns = parts.every((part) => part.isSigns);
  return importer.kept(operator, { ...first, isSigns }, placed, activation);
};

function pooling(isMax: boolean): Rule {
  return (importer, operator) => {
    const value = imageOf(importer, operator);
    const options = optionsOf(operator, 'Pool2D');
    const window = {
      poolSize: [
        options?.int32(POOL_2D.filterHeight) ?? 0,
        options?.int32(POOL_2D.filterWidth) ?? 0,
      ] as const,
      strides: [options?.int32(POOL_2D.strideHeight) ?? 0, options?.int32(POOL_2D.strideWidth) ?? 0] as const,
      padding: paddingOf(operator, options?.int8(POOL_2D.padding) ?? 0),
    };
    const activation = options?.int8(POOL_2D.activation) ?? ACTIVATION.none;
    const make = isMax ? maxPool2d : averagePool2d;
    const placed = importer.place(operator, (name) => make({ name, ...window }), value);
    if (isMax) return importer.kept(operator, value, placed, activation);
    importer.kept(operator, value, placed);
    return importer.finish(operator, placed, { activation, addsZeroFirst: true });
  };
}

const mean: Rule = (importer, operator) => {
  const value = imageOf(importer, operator);
  const options = optionsOf(operator, 'Reducer');
  const axes = new Set(importer.integers(operator, 1).map((axis) => (axis < 0 ? axis + 4 : axis)));
  const [height = 1, width = 1, channels = 1] = value.shape;
  if (axes.size === 0 || [...axes].some((axis) => axis !== 1 && axis !== 2)) {
    throw refused(operator, `over the axes ${shapeText([...axes])}, not height and width`);
  }
  const poolSize = [axes.has(1) ? height : 1, axes.has(2) ? width : 1] as const;
  const placed = importer.place(operator, (name) => averagePool2d({ name, poolSize }), value);
  const kept = [...(axes.has(1) ? [] : [height]), ...(axes.has(2) ? [] : [width]), channels];
  const pooled: Value = { ...value, ...placed, isSigns: false };
  const shaped = options?.bool(REDUCER.keepDims) ? pooled : reshaped(pooled, kept);
  if (value.grid === undefined) return importer.finish(operator, shaped);
  const { scale } = importer.grid(operator, importer.output(operator));
  return importer.finish(operator, shaped, { scale: value.grid.scale / scale });
};

/** PAD and PADV2, whose third input is what the frame holds. */
const pad: Rule = (importer, operator) => {
  const value = imageOf(importer, operator);
  const amounts = importer.integers(operator, 1);
  const [before = 0, after = 0, top = 0, bottom = 0, left = 0, right = 0, first = 0, last = 0] = amounts;
  if (amounts.length !== 8 || [before, after, first, last].some((amount) => amount !== 0)) {
    throw refused(operator, `by ${shapeText(amounts)}, not height and width only`);
  }
  const padding = [
    [top, bottom],
    [left, right],
  ] as const;
  let filler = 0;
  if (operator.kind === 'PADV2') {
    const { data, tensor } = importer.constant(operator, 2, value.type === 'int8' ? 'int8' : 'float32');
    if (data.length !== 1) throw refused(operator, `with ${data.length} numbers`);
    // Integers less the zero point, as the value's own.
    filler = (data[0] ?? 0) - (value.type === 'int8' ? importer.grid(operator, tensor).zeroPoint : 0);
  }
  const placed = importer.place(operator, (name) => pad2d({ name, padding, value: filler }), value);
  const isSigns = value.isSigns && Math.abs(filler) === 1;
  return importer.kept(operator, { ...value, isSigns }, placed);
};

/** SLICE and STRIDED_SLICE: all samples, and a part of each. */
const slicing: Rule = (importer, operator) => {
  const value = importer.numbers(operator);
  const whole = [importer.batch, ...value.shape];
  const lists = operator.inputs.slice(1).map((_, at) => importer.integers(operator, at + 1));
  const [begin = [], size = []] = lists;
  const { range, shape } =
    operator.kind === 'SLICE'
      ? sliceOf(operator, whole, begin, size)
      : stridedSliceOf(operator, whole, lists);
  const [batchBegin, batchSize, batchStride] = [range.begin[0], range.size[0], range.strides[0]];
  const isOfSamples = batchBegin === 0 && batchSize === importer.batch && batchStride === 1;
  if (!isOfSamples || shape[0] !== importer.batch || shape.length < 2 || sizeOf(shape) === 0) {
    throw refused(operator, `${shapeText(shape)} of ${shapeText(whole)} is no part of every sample`);
  }
  const own = {
    begin: range.begin.slice(1),
    size: range.size.slice(1),
    strides: range.strides.slice(1),
  };
  const placed = importer.place(operator, (name) => slice({ name, ...own }), value);
  return importer.kept(operator, value, reshaped({ ...value, ...placed }, shape.slice(1)));
};

/** SQUEEZE and EXPAND_DIMS: other axes of extent 1. */
const respaced: Rule = (importer, operator) => {
  const value = importer.numbers(operator);
  const whole = [importer.batch, ...value.shape];
  const asked =
    operator.kind === 'SQUEEZE'
      ? squeezed(operator, whole, optionsOf(operator, 'Squeeze')?.int32s(SQUEEZE.dims) ?? [])
      : expanded(operator, whole, importer.integers(operator, 1)[0] ?? 0);
  if (asked[0] !== importer.batch || asked.length < 2) {
    throw refused(operator, `${shapeText(whole)} becomes ${shapeText(asked)}, without the batch`);
  }
  importer.folded.push(operator.where);
  return importer.kept(operator, value, reshaped(value, asked.slice(1)));
};

const reshapeRule: Rule = (importer, operator) => {
  const value = importer.input(operator);
  const isPacked = value.type === 'signs';
  if (!isPacked) importer.numbers(operator);
  const own = isPacked ? [...value.shape.slice(0, -1), wordsFor(value.shape.at(-1) ?? 1)] : value.shape;
  const options = optionsOf(operator, 'Reshape');
  const asked = importer.has(operator, 1)
    ? importer.integers(operator, 1)
    : (options?.int32s(RESHAPE.newShape) ?? []);
  const dims = shapeFor(operator, importer.batch * sizeOf(own), asked);
  const [batch, ...shape] = dims;
  if (batch !== importer.batch || shape.length === 0 || dims.some((extent) => !(extent > 0))) {
    throw refused(operator, `${shapeText(asked)} mixes samples of a batch of ${importer.batch}`);
  }
  const logical = isPacked ? unpackedShape(operator, value.shape, shape) : shape;
  const result = reshaped(value, logical);
  importer.folded.push(operator.where);
  return isPacked ? result : importer.kept(operator, value, result);
};

/** Axes in another order, the batch first. */
const transposeRule: Rule = (importer, operator) => {
  const value = importer.numbers(operator);
  const [batch, ...axes] = importer.integers(operator, 1);
  if (batch !== 0 || axes.length !== value.shape.length)
    throw refused(operator, `by ${shapeText([batch ?? -1, ...axes])}`);
  const permutation = axes.map((axis) => axis - 1);
  const placed = importer.place(operator, (name) => transpose({ name, permutation }), value);
  return importer.kept(operator, value, placed);
};

/** What packed signs mean when their words get another shape: rows stay whole, or all words are full. */
function unpackedShape(operator: TfliteOperator, from: Shape, words: Shape): Shape {
  const channels = from.at(-1) ?? 1;
  const last = words.at(-1) ?? 1;
  if (last === wordsFor(channels)) return [...words.slice(0, -1), channels];
  if (channels % 32 === 0) return [...words.slice(0, -1), 32 * last];
  throw refused(operator, `rows of ${channels} packed signs can't be made rows of ${last} words`);
}

const quantize: Rule = (importer, operator) => {
  const value = importer.input(operator);
  const out = importer.output(operator);
  if ((value.type !== 'float32' && value.type !== 'int8') || out.type !== TENSOR_TYPE.int8) {
    throw refused(operator, `from ${value.type} to type ${out.type}`);
  }
  const { scale } = importer.grid(operator, out);
  return importer.finish(operator, value, { scale: (value.grid?.scale ?? 1) / scale });
};

const dequantize: Rule = (importer, operator) => {
  const value = importer.input(operator);
  const out = importer.output(operator);
  if (value.grid === undefined || out.type !== TENSOR_TYPE.float32) {
    throw refused(operator, `from ${value.type} to type ${out.type}`);
  }
  return real(importer.scaled(operator, value, value.grid.scale, 0));
};

export const STANDARD_RULES: Readonly<Record<string, Rule>> = {
  AVERAGE_POOL_2D: pooling(false),
  CONCATENATION: concatenation,
  CONV_2D: convolution,
  DEPTHWISE_CONV_2D: depthwise,
  DEQUANTIZE: dequantize,
  FULLY_CONNECTED: fullyConnected,
  MAX_POOL_2D: pooling(true),
  MEAN: mean,
  EXPAND_DIMS: respaced,
  PAD: pad,
  PADV2: pad,
  QUANTIZE: quantize,
  RESHAPE: reshapeRule,
  SLICE: slicing,
  SQUEEZE: respaced,
  STRIDED_SLICE: slicing,
  TRANSPOSE: transposeRule,
};
