/** TensorFlow Lite's own operators, in float32 and in int8. Filters are OHWI there as here. */
import { type Shape, sizeOf, wordsFor } from '../../gpu/index.ts';
import { floatValue, type ParameterValue } from '../../graph/index.ts';
import {
  add,
  averagePool2d,
  concat,
  conv2d,
  dense,
  type Layer,
  maxPool2d,
  multiply,
  pad2d,
  prelu,
  quantConv2d,
  quantDense,
  softmax,
  transpose,
} from '../../layers/index.ts';
import type { TfliteOperator } from './container.ts';
import type { FlatTable } from './flat-table.ts';
import { type Importer, type Placed, type Rule, real, refused, type Value } from './importer.ts';
import { paddingOf } from './larq.ts';
import {
  ACTIVATION,
  ADD,
  CONCATENATION,
  CONV_2D,
  DEPTHWISE_CONV_2D,
  FULLY_CONNECTED,
  MUL,
  OPTIONS,
  POOL_2D,
  REDUCER,
  RESHAPE,
  SOFTMAX,
  TENSOR_TYPE,
} from './schema.ts';

/** @throws FormatError where the options are another operator's */
function optionsOf(operator: TfliteOperator, type: keyof typeof OPTIONS): FlatTable | undefined {
  if (operator.optionsType === OPTIONS.none) return undefined;
  if (operator.optionsType !== OPTIONS[type]) {
    throw refused(operator, `its options are of type ${operator.optionsType}`);
  }
  return operator.options;
}

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
    throw refused(operator, `its input has the shape [${value.shape.join(', ')}], which is no image`);
  }
  return value;
}

/** @throws FormatError unless the constant has four axes, none of them empty */
function filterShape(importer: Importer, operator: TfliteOperator): Shape {
  const { shape } = importer.tensor(operator, operator.inputs[1], 'filter');
  if (shape.length !== 4 || shape.some((extent) => extent < 1)) {
    throw refused(operator, `its filters have the shape [${shape.join(', ')}]`);
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
  const geometry = {
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
    if (kind === 'real') return conv2d({ name, ...geometry, useBias });
    return quantConv2d({ name, ...geometry, useBias, ...binary(value) });
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
  const geometry = {
    filters,
    groups,
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
    { ...stored, kernel, magnitudes: undefined },
    activation,
    (_, useBias) => (name) => conv2d({ name, ...geometry, useBias }),
  );
};

const fullyConnected: Rule = (importer, operator) => {
  const value = importer.numbers(operator);
  const options = optionsOf(operator, 'FullyConnected');
  const { shape } = importer.tensor(operator, operator.inputs[1], 'matrix');
  const [units = 0, depth = 0] = shape;
  if (shape.length !== 2 || units < 1 || depth < 1) {
    throw refused(operator, `its matrix has the shape [${shape.join(', ')}]`);
  }
  if ((options?.int8(FULLY_CONNECTED.weightsFormat) ?? 0) !== 0) {
    throw refused(operator, 'its weights are shuffled');
  }
  if (
    sizeOf(value.shape) !== depth ||
    (options?.bool(FULLY_CONNECTED.keepNumDims) && value.shape.length > 1)
  ) {
    throw refused(operator, `a matrix of ${depth} columns meets [${value.shape.join(', ')}]`);
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

/** A constant operand in real units, as one number a channel. */
function channelsOf(
  importer: Importer,
  operator: TfliteOperator,
  position: number,
  value: Value,
): Float64Array<ArrayBuffer> {
  const { data, tensor } = importer.constant(operator, position, value.type === 'int8' ? 'int8' : 'float32');
  const channels = value.shape.at(-1) ?? 1;
  const isOne = data.length === 1;
  if (!isOne && (tensor.shape.at(-1) !== channels || data.length !== channels)) {
    throw refused(operator, `a constant of shape [${tensor.shape.join(', ')}] isn't one number a channel`);
  }
  const { scale, zeroPoint } =
    value.type === 'int8' ? importer.grid(operator, tensor) : { scale: 1, zeroPoint: 0 };
  const row = new Float64Array(importer.allocate(operator, channels).length);
  return row.map((_, c) => scale * ((data[isOne ? 0 : c] ?? 0) - zeroPoint));
}

/** ADD and MUL, of two values or of one and a constant. */
function elementwise(
  options: 'Add' | 'Mul',
  activationSlot: number,
  withConstant: (constant: number) => readonly [scale: number, shift: number],
  ofTwo: (importer: Importer, operator: TfliteOperator, a: Value, b: Value) => readonly [Placed, number],
): Rule {
  return (importer, operator) => {
    const activation = optionsOf(operator, options)?.int8(activationSlot) ?? ACTIVATION.none;
    const isConstant = (position: number) =>
      importer.file.tensors[operator.inputs[position] ?? -1]?.data !== undefined;
    const unit = (value: Value) => value.grid?.scale ?? 1;
    const out = importer.output(operator);
    const outScale = out.type === TENSOR_TYPE.int8 ? importer.grid(operator, out).scale : 1;
    if (!isConstant(0) && !isConstant(1)) {
      const [a, b] = [importer.numbers(operator, 0), importer.numbers(operator, 1)];
      const [placed, scale] = ofTwo(importer, operator, a, b);
      return importer.finish(operator, placed, { activation, scale: scale / outScale });
    }
    const value = importer.numbers(operator, isConstant(0) ? 1 : 0);
    const steps = Array.from(channelsOf(importer, operator, isConstant(0) ? 0 : 1, value), withConstant);
    const scale = steps.map(([factor]) => (factor * unit(value)) / outScale);
    const shift = steps.map(([, term]) => term / outScale);
    if (value.type === 'int8') return importer.finish(operator, value, { activation, scale, shift });
    return importer.finish(operator, importer.scaled(operator, value, scale, shift), { activation });
  };
}

const RULE_OF_ADD = elementwise(
  'Add',
  ADD.activation,
  (constant) => [1, constant],
  (importer, operator, a, b) => {
    const realOf = (value: Value) =>
      value.grid === undefined ? value : importer.scaled(operator, value, value.grid.scale, 0);
    const [left, right] = [realOf(a), realOf(b)];
    return [importer.place(operator, (name) => add({ name }), [left, right]), 1];
  },
);

const RULE_OF_MUL = elementwise(
  'Mul',
  MUL.activation,
  (constant) => [constant, 0],
  (importer, operator, a, b) => [
    importer.place(operator, (name) => multiply({ name }), [a, b]),
    (a.grid?.scale ?? 1) * (b.grid?.scale ?? 1),
  ],
);

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
  const { data } = importer.constant(operator, 1, 'int32');
  const axes = new Set(Array.from(data, (axis) => (axis < 0 ? axis + 4 : axis)));
  const [height = 1, width = 1, channels = 1] = value.shape;
  if (axes.size === 0 || [...axes].some((axis) => axis !== 1 && axis !== 2)) {
    throw refused(operator, `over the axes ${[...axes].join(', ')}, not height and width`);
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

const pad: Rule = (importer, operator) => {
  const value = imageOf(importer, operator);
  const { data } = importer.constant(operator, 1, 'int32');
  const [before = 0, after = 0, top = 0, bottom = 0, left = 0, right = 0, first = 0, last = 0] =
    Array.from(data);
  if (data.length !== 8 || [before, after, first, last].some((amount) => amount !== 0)) {
    throw refused(operator, `by [${Array.from(data).join(', ')}], not height and width only`);
  }
  const padding = [
    [top, bottom],
    [left, right],
  ] as const;
  const placed = importer.place(operator, (name) => pad2d({ name, padding }), value);
  return importer.kept(operator, { ...value, isSigns: false }, placed);
};

const reshapeRule: Rule = (importer, operator) => {
  const value = importer.input(operator);
  const isPacked = value.type === 'signs';
  if (!isPacked) importer.numbers(operator);
  const own = isPacked ? [...value.shape.slice(0, -1), wordsFor(value.shape.at(-1) ?? 1)] : value.shape;
  const options = optionsOf(operator, 'Reshape');
  const asked = importer.has(operator, 1)
    ? Array.from(importer.constant(operator, 1, 'int32').data)
    : (options?.int32s(RESHAPE.newShape) ?? []);
  const size = importer.batch * sizeOf(own);
  const rest = size / sizeOf(asked.filter((extent) => extent !== -1));
  const dims = asked.map((extent) => (extent === -1 ? rest : extent));
  const [batch, ...shape] = dims;
  if (asked.filter((extent) => extent === -1).length > 1 || sizeOf(dims) !== size) {
    throw refused(operator, `${size} values can't become [${asked.join(', ')}]`);
  }
  if (batch !== importer.batch || shape.length === 0 || dims.some((extent) => !(extent > 0))) {
    throw refused(operator, `[${asked.join(', ')}] mixes samples of a batch of ${importer.batch}`);
  }
  const logical = isPacked ? unpackedShape(operator, value.shape, shape) : shape;
  const result = reshaped(value, logical);
  importer.folded.push(operator.where);
  return isPacked ? result : importer.kept(operator, value, result);
};

/** Axes in another order, the batch first. */
const transposeRule: Rule = (importer, operator) => {
  const value = importer.numbers(operator);
  const [batch, ...axes] = Array.from(importer.constant(operator, 1, 'int32').data);
  if (batch !== 0 || axes.length !== value.shape.length)
    throw refused(operator, `by [${batch}, ${axes.join(', ')}]`);
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

const softmaxRule: Rule = (importer, operator) => {
  const value = importer.numbers(operator);
  const beta = optionsOf(operator, 'Softmax')?.float32(SOFTMAX.beta) ?? 0;
  const scale = beta * (value.grid?.scale ?? 1);
  const logits = scale === 1 ? value : importer.scaled(operator, value, scale, 0);
  const shares = importer.place(operator, (name) => softmax({ name }), logits);
  if (value.grid === undefined) return real(shares);
  const { scale: outScale } = importer.grid(operator, importer.output(operator));
  return importer.finish(operator, shares, { scale: 1 / outScale });
};

function rectifier(activation: number): Rule {
  return (importer, operator) => {
    const value = importer.numbers(operator);
    if (value.grid === undefined) return importer.finish(operator, value, { activation });
    const { scale } = importer.grid(operator, importer.output(operator));
    return importer.finish(operator, value, { activation, scale: value.grid.scale / scale });
  };
}

const preluRule: Rule = (importer, operator) => {
  const value = importer.numbers(operator);
  const alpha = Float32Array.from(channelsOf(importer, operator, 1, value));
  const placed = importer.alike(operator, (name) => prelu({ name }), value, { alpha });
  if (value.grid === undefined) return real(placed);
  const { scale } = importer.grid(operator, importer.output(operator));
  return importer.finish(operator, placed, { scale: value.grid.scale / scale });
};

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
  ADD: RULE_OF_ADD,
  AVERAGE_POOL_2D: pooling(false),
  CONCATENATION: concatenation,
  CONV_2D: convolution,
  DEPTHWISE_CONV_2D: depthwise,
  DEQUANTIZE: dequantize,
  FULLY_CONNECTED: fullyConnected,
  MAX_POOL_2D: pooling(true),
  MEAN: mean,
  MUL: RULE_OF_MUL,
  PAD: pad,
  PRELU: preluRule,
  QUANTIZE: quantize,
  RELU: rectifier(ACTIVATION.relu),
  RELU6: rectifier(ACTIVATION.relu6),
  RELU_N1_TO_1: rectifier(ACTIVATION.reluN1To1),
  RESHAPE: reshapeRule,
  SOFTMAX: softmaxRule,
  TRANSPOSE: transposeRule,
};
