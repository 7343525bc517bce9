/** The writer: every layer for inference as nodes of ONNX, with QONNX' operators where signs and few bits are meant. */

import { FormatError, listed, OptionError } from '../../errors.ts';
import type { Shape } from '../../gpu/index.ts';
import type { Model, ModelLayer, ParameterValues } from '../../graph/index.ts';
import { assertSaysQuantizers, inParts } from '../../graph/index.ts';
import { DEFAULT_EPSILON, type SliceOptions } from '../../layers/index.ts';
import { permuteAxes } from '../../numerics/axes.ts';
import type { FusedActivation } from '../../numerics/epilogue.ts';
import { rotate } from '../../numerics/rotation.ts';
import type { RoundingMode } from '../../numerics/rounding.ts';
import { type Conv2dOptions, resolveConv2d } from '../../ops/conv.ts';
import type { Frame } from '../../ops/movement.ts';
import { LARGEST_F32 } from '../../ops/pointwise.ts';
import type { Pool2dOptions } from '../../ops/pool.ts';
import { positivePair, resolvePlaces } from '../../ops/windows.ts';
import { assertKnownOptions } from '../../options.ts';
import { type Attribute, writeOnnx } from './container-writer.ts';
import { Exporter, type OperatorSet, QONNX_DOMAIN, unwritable } from './exporter.ts';
import { Names } from './names.ts';

/** How an ONNX file is written. */
export interface OnnxExportOptions {
  /** Name of the graph; the model's when absent. */
  readonly name?: string;
  /**
   * `qonnx` (the default) says signs and weights of one bit with QONNX' operators, for FINN, Brevitas and this library.
   * `standard` has ONNX' own alone, for any runtime: signs are comparisons, and nothing tells that weights are one bit.
   */
  readonly operators?: OperatorSet;
  /** Texts that go with the file, as `metadata_props`: `importOnnx` gives them back, other tools show them. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** One end has its usual name, several have the model's. */
function endNames(ends: Model['inputs'], usual: string): readonly string[] {
  return ends.map(({ name }) => (ends.length === 1 ? usual : name));
}

/** Versions of the operators that files are written with. */
const OPSET = 13;
const QONNX_VERSION = 1;

/**
 * Writes a model for inference as an ONNX file: float32, NCHW, any batch. Weights take 32 bits each there, since QONNX has
 * no type of one bit. `importOnnx` reads what `qonnx` operators say back to the same scores.
 * @param values of all parameters
 * @throws FormatError listing every layer that can't be written, before anything else; or when a value is missing
 * @example
 * ```ts
 * import { initialValues, mlp } from 'webgpu-bnn';
 * import { exportOnnx } from 'webgpu-bnn/onnx';
 *
 * const network = mlp({ input: [8, 8, 1], classes: 4, units: 32 });
 * const file = exportOnnx(network, initialValues(network, 1));
 * ```
 */
export function exportOnnx(
  source: Model,
  given: ParameterValues,
  options: OnnxExportOptions = {},
): Uint8Array<ArrayBuffer> {
  const { model, values } = inParts(source, given, (kind) => Object.hasOwn(WRITERS, kind));
  assertKnownOptions(options, ['name', 'operators', 'metadata'], 'exportOnnx');
  const { name = source.name, operators = 'qonnx', metadata = {} } = options;
  if (operators !== 'qonnx' && operators !== 'standard') {
    throw new OptionError('There is no such set of operators.', {
      given: String(operators),
      expected: 'qonnx or standard',
      where: 'exportOnnx',
    });
  }
  const unknown = model.layers.filter(({ layer }) => !Object.hasOwn(WRITERS, layer.kind));
  if (unknown.length > 0) {
    throw new FormatError('ONNX files have no operators for these layers.', {
      given: listed(unknown.map(({ name: own, layer }) => `${layer.kind} (${own})`)),
      expected: Object.keys(WRITERS).sort().join(', '),
      where: unknown[0]?.name,
    });
  }
  assertSaysQuantizers(model, 'ONNX');
  const taken = new Names();
  const ins = endNames(model.inputs, 'input').map((own) => taken.free(own));
  const outs = endNames(model.outputs, 'output').map((own) => taken.free(own));
  const exporter = new Exporter(values, operators, [...ins, ...outs]);
  const results: string[] = [];
  for (const entry of model.layers) {
    const writer = WRITERS[entry.layer.kind];
    if (writer === undefined) throw unwritable(entry, 'it is unknown');
    const from = entry.inputs.map((at) => (at < 0 ? (ins[-1 - at] ?? '') : (results[at] ?? '')));
    results.push(writer(exporter, entry, from));
  }
  // The graph's outputs have names of their own, and may be inputs' results, or ones that are read elsewhere.
  for (const [place, { from }] of model.outputs.entries()) {
    const output = outs[place] ?? '';
    exporter.nodes.push({
      name: `${output}_Identity`,
      operator: 'Identity',
      domain: '',
      inputs: [results[from] ?? ''],
      outputs: [output],
      attributes: {},
    });
  }
  const custom = exporter.nodes.some(({ domain }) => domain === QONNX_DOMAIN);
  return writeOnnx({
    name,
    nodes: exporter.nodes,
    initializers: exporter.initializers,
    inputs: model.inputs.map(({ shape }, place) => ({ name: ins[place] ?? '', dims: channelsFirst(shape) })),
    outputs: model.outputs.map(({ shape }, place) => ({
      name: outs[place] ?? '',
      dims: channelsFirst(shape),
    })),
    metadata,
    domains: [
      { domain: '', version: OPSET },
      ...(custom ? [{ domain: QONNX_DOMAIN, version: QONNX_VERSION }] : []),
    ],
  });
}

function channelsFirst(shape: Shape): Shape {
  return [shape.at(-1) ?? 1, ...shape.slice(0, -1)];
}

/** Writes a layer's nodes. @returns the name of its output */
type LayerWriter = (exporter: Exporter, entry: ModelLayer, inputs: readonly string[]) => string;

/** A writer of a layer with one input. */
function single(write: (exporter: Exporter, entry: ModelLayer, x: string) => string): LayerWriter {
  return (exporter, entry, [x = '']) => write(exporter, entry, x);
}

const configOf = <T>({ layer }: ModelLayer) => layer.config as Partial<T>;
const shapeOf = ({ inputShapes }: ModelLayer): Shape => inputShapes[0] ?? [];
const channelsOf = (entry: ModelLayer): number => shapeOf(entry).at(-1) ?? 1;
/** A node of ONNX with the layer's inputs and nothing else. */
function plain(operator: string, attributes: Readonly<Record<string, Attribute>> = {}): LayerWriter {
  return (exporter, entry, inputs) => exporter.node(entry, operator, inputs, attributes);
}

const padsOf = ([[top, bottom], [left, right]]: Frame) => [top, left, bottom, right];

function padded(exporter: Exporter, entry: ModelLayer, x: string, frame: Frame, value: number): string {
  const [top = 0, left = 0, bottom = 0, right = 0] = padsOf(frame);
  if (top + left + bottom + right === 0) return x;
  const pads = exporter.integers(entry, 'pads', [0, 0, top, left, 0, 0, bottom, right]);
  return exporter.node(entry, 'Pad', [x, pads, exporter.scalar(entry, 'filling', value)], {
    mode: 'constant',
  });
}

/** A product with the weights of a parameter. */
interface Product {
  /** Default `kernel`. */
  readonly kernel?: string;
  readonly isBinary: boolean;
  /** Of a convolution; the layer's own when absent. */
  readonly options?: Conv2dOptions;
  /** The layer's own when absent. */
  readonly inputShape?: Shape;
}

/** The product of a dense or a convolutional layer, without what follows it. */
function product(
  exporter: Exporter,
  entry: ModelLayer,
  x: string,
  { kernel: parameter = 'kernel', isBinary, options, inputShape = shapeOf(entry) }: Product,
): string {
  const { quantizer } = entry.parameters.find(({ name }) => name === parameter) ?? {};
  if (quantizer?.row?.hasOffset === true) {
    throw unwritable(entry, `its quantizer, ${quantizer.name}, adds an offset to the weights of each filter`);
  }
  const { written: kernel, shape, areScaled } = exporter.filters(entry, parameter, isBinary);
  const scaled = (sums: string) => {
    if (areScaled || quantizer?.row?.hasScale !== true) return sums;
    const scale = exporter.floats(entry, `${parameter}Scale`);
    return exporter.scaled(entry, sums, [...entry.outputShape.slice(0, -1), scale.length], { scale });
  };
  if (shape.length === 2) return scaled(exporter.node(entry, 'MatMul', [x, kernel]));
  const windows = options ?? (configOf<Conv2dOptions>(entry) as Conv2dOptions);
  const g = resolveConv2d([1, ...inputShape], shape, windows, entry.name);
  const frame: Frame = [
    [g.padTop, g.padBottom],
    [g.padLeft, g.padRight],
  ];
  const padsItself = g.padValue === 0;
  const source = padsItself ? x : padded(exporter, entry, x, frame, g.padValue);
  const sums = exporter.node(entry, 'Conv', [source, kernel], {
    kernel_shape: [g.kernelHeight, g.kernelWidth],
    strides: [g.strideY, g.strideX],
    dilations: [g.dilationY, g.dilationX],
    group: g.groups,
    pads: padsItself ? padsOf(frame) : [0, 0, 0, 0],
  });
  return scaled(sums);
}

interface TrainedConfig {
  readonly inputQuantizer: unknown;
  readonly kernelQuantizer: unknown;
  readonly depthwiseQuantizer: unknown;
  readonly pointwiseQuantizer: unknown;
  readonly useBias: boolean;
}

/** A product, the signs of its input before and a bias after it. */
function trained(
  multiply: (exporter: Exporter, entry: ModelLayer, x: string, config: Partial<TrainedConfig>) => string,
): LayerWriter {
  return single((exporter, entry, x) => {
    const config = configOf<TrainedConfig>(entry);
    const source = config.inputQuantizer === undefined ? x : exporter.signs(entry, x);
    const sums = multiply(exporter, entry, source, config);
    if (config.useBias !== true) return sums;
    return exporter.scaled(entry, sums, entry.outputShape, { shift: exporter.floats(entry, 'bias') });
  });
}

const weighted = trained((exporter, entry, x, { kernelQuantizer }) =>
  product(exporter, entry, x, { isBinary: kernelQuantizer !== undefined }),
);

function depthwise(
  exporter: Exporter,
  entry: ModelLayer,
  x: string,
  kernel: string,
  isBinary: boolean,
): string {
  const options = { ...(configOf<Conv2dOptions>(entry) as Conv2dOptions), groups: channelsOf(entry) };
  return product(exporter, entry, x, { kernel, isBinary, options });
}

const separable = trained((exporter, entry, x, { depthwiseQuantizer, pointwiseQuantizer }) => {
  const spread = depthwise(exporter, entry, x, 'depthwiseKernel', depthwiseQuantizer !== undefined);
  const pointwise = entry.parameters.find(({ name }) => name === 'pointwiseKernel')?.shape ?? [];
  return product(exporter, entry, spread, {
    kernel: 'pointwiseKernel',
    isBinary: pointwiseQuantizer !== undefined,
    options: {},
    inputShape: [...entry.outputShape.slice(0, -1), pointwise.at(-1) ?? 1],
  });
});

function clipped(exporter: Exporter, entry: ModelLayer, x: string, minimum: number, maximum: number): string {
  if (minimum === 0 && maximum >= LARGEST_F32) return exporter.node(entry, 'Relu', [x]);
  const low = exporter.scalar(entry, 'minimum', minimum);
  const high = maximum >= LARGEST_F32 ? [] : [exporter.scalar(entry, 'maximum', maximum)];
  return exporter.node(entry, 'Clip', [x, low, ...high]);
}

/** +1 where direction·x is at least the threshold, else −1. */
function compared(exporter: Exporter, entry: ModelLayer, x: string, shape: Shape): string {
  const direction = exporter.floats(entry, 'direction');
  // Files have no infinities.
  const limits = exporter
    .floats(entry, 'threshold')
    .map((limit) => Math.max(-LARGEST_F32, Math.min(LARGEST_F32, limit)));
  const upright = exporter.scaled(entry, x, shape, { scale: direction });
  if (exporter.operators === 'standard') {
    return exporter.signs(
      entry,
      exporter.node(entry, 'Sub', [upright, exporter.row(entry, 'threshold', limits, shape)]),
    );
  }
  const thresholds = exporter.constant(entry, 'threshold', [limits.length, 1], limits);
  return exporter.custom(entry, 'MultiThreshold', [upright, thresholds], {
    out_dtype: 'BIPOLAR',
    out_scale: { float: 2 },
    out_bias: { float: -1 },
  });
}

const ACTIVATIONS: Readonly<Record<FusedActivation, readonly [number, number]>> = {
  relu: [0, LARGEST_F32],
  relu6: [0, 6],
  reluN1To1: [-1, 1],
};

interface FusedConfig {
  readonly inputIntegers: unknown;
  readonly activation: FusedActivation;
  readonly output: 'real' | 'signs';
  readonly residual: boolean;
  readonly prelu: boolean;
}

/** A binary product with all that follows it. */
const fused: LayerWriter = (exporter, entry, [x = '', residual]) => {
  const config = configOf<FusedConfig>(entry);
  const { outputShape } = entry;
  const source = config.inputIntegers === undefined ? exporter.signs(entry, x) : x;
  const sums = product(exporter, entry, source, { isBinary: true });
  const range = config.activation && ACTIVATIONS[config.activation];
  const inside = range === undefined ? sums : clipped(exporter, entry, sums, ...range);
  if (config.output === 'signs') return compared(exporter, entry, inside, outputShape);
  const [scale, shift] = [exporter.floats(entry, 'multiplier'), exporter.floats(entry, 'bias')];
  const scaled = exporter.scaled(entry, inside, outputShape, { scale, shift });
  const added =
    config.residual && residual !== undefined ? exporter.node(entry, 'Add', [scaled, residual]) : scaled;
  if (config.prelu !== true) return added;
  return exporter.node(entry, 'PRelu', [
    added,
    exporter.row(entry, 'slope', exporter.floats(entry, 'slope'), outputShape),
  ]);
};

function pooled(
  exporter: Exporter,
  entry: ModelLayer,
  operator: string,
  x: string,
  attributes: Readonly<Record<string, Attribute>> = {},
): string {
  const { poolSize = 1, strides, padding = 'valid' } = configOf<Pool2dOptions>(entry);
  const [height = 1, width = 1] = shapeOf(entry);
  const window = positivePair(poolSize, 'poolSize', entry.name);
  const steps = positivePair(strides ?? window, 'strides', entry.name);
  const [y, z] = resolvePlaces([height, width], window, steps, [1, 1], padding, entry.name);
  return exporter.node(entry, operator, [x], {
    kernel_shape: [...window],
    strides: [...steps],
    pads: [y.before, z.before, y.after, z.after],
    ...attributes,
  });
}

const normalized = single((exporter, entry, x) => {
  const {
    epsilon = DEFAULT_EPSILON,
    scale = true,
    center = true,
  } = configOf<{
    epsilon: number;
    scale: boolean;
    center: boolean;
  }>(entry);
  const channels = channelsOf(entry);
  const row = (label: string, data: ArrayLike<number>) => exporter.constant(entry, label, [channels], data);
  const filled = (value: number) => new Float32Array(channels).fill(value);
  return exporter.node(
    entry,
    'BatchNormalization',
    [
      x,
      row('gamma', scale ? exporter.floats(entry, 'gamma') : filled(1)),
      row('beta', center ? exporter.floats(entry, 'beta') : filled(0)),
      row('mean', exporter.floats(entry, 'runningMean')),
      row('variance', exporter.floats(entry, 'runningVariance')),
    ],
    { epsilon: { float: epsilon } },
  );
});

/** The same values in this library's order under another shape. */
const reshaped = single((exporter, entry, x) => {
  const [before, after] = [shapeOf(entry), entry.outputShape];
  if (before.join() === after.join()) return x;
  const last = exporter.channelsLast(entry, x, before);
  if (after.length === 1) return exporter.node(entry, 'Flatten', [last], { axis: 1 });
  const shape = exporter.integers(entry, 'shape', [-1, ...after]);
  return exporter.channelsSecond(entry, exporter.node(entry, 'Reshape', [last, shape]), after);
});

const transposed = single((exporter, entry, x) => {
  const { permutation = [] } = configOf<{ permutation: readonly number[] }>(entry);
  const rank = permutation.length;
  const inOnnx = (axis: number) => (axis === rank - 1 ? 1 : axis + 2);
  const order = [rank - 1, ...Array.from({ length: rank - 1 }, (_, axis) => axis)];
  return exporter.node(entry, 'Transpose', [x], {
    perm: [0, ...order.map((axis) => inOnnx(permutation[axis] ?? 0))],
  });
});

/** Rounding modes as QONNX names them. */
const ROUNDING: Readonly<Record<RoundingMode, string>> = {
  halfEven: 'ROUND',
  floor: 'FLOOR',
  ceil: 'CEIL',
  towardZero: 'DOWN',
  awayFromZero: 'UP',
  halfAwayFromZero: 'HALF_UP',
  halfTowardZero: 'HALF_DOWN',
};

function quantized(
  exporter: Exporter,
  entry: ModelLayer,
  x: string,
  { scale, zero }: { readonly scale: string; readonly zero: string },
  {
    bits,
    signed,
    narrow,
    rounding,
  }: { bits: number; signed: boolean; narrow: boolean; rounding: RoundingMode },
): string {
  return exporter.custom(entry, 'Quant', [x, scale, zero, exporter.scalar(entry, 'bits', bits)], {
    signed: signed ? 1 : 0,
    narrow: narrow ? 1 : 0,
    rounding_mode: ROUNDING[rounding],
  });
}

interface QuantizeConfig {
  readonly bits: number;
  readonly signed: boolean;
  readonly narrow: boolean;
  readonly rounding: RoundingMode;
  readonly output: 'values' | 'integers';
}

const uniform = single((exporter, entry, x) => {
  const config = configOf<QuantizeConfig>(entry);
  const { bits = 8, signed = true, narrow = false, rounding = 'halfEven', output } = config;
  if (bits === 1 && signed) throw unwritable(entry, 'one signed bit is ±1 in QONNX, not −1 and 0');
  const steps = exporter.floats(entry, 'scale');
  const scale = exporter.row(entry, 'scale', steps, shapeOf(entry));
  const zero = exporter.row(entry, 'zero', exporter.floats(entry, 'zeroPoint'), shapeOf(entry));
  const made = quantized(exporter, entry, x, { scale, zero }, { bits, signed, narrow, rounding });
  return output === 'integers' ? exporter.node(entry, 'Div', [made, scale]) : made;
});

/** Integers that TensorFlow Lite's sums are rounded to: a wide grid, then a clip. */
const requantized = single((exporter, entry, x) => {
  const {
    minimum = 0,
    maximum = 0,
    zeroPoint = 0,
  } = configOf<{
    minimum: number;
    maximum: number;
    zeroPoint: number;
  }>(entry);
  const scaled = exporter.scaled(entry, x, shapeOf(entry), {
    scale: exporter.floats(entry, 'scale'),
    shift: exporter.floats(entry, 'shift'),
  });
  const unit = { scale: exporter.scalar(entry, 'unit', 1), zero: exporter.scalar(entry, 'zero', 0) };
  const whole = quantized(exporter, entry, scaled, unit, {
    ...{ bits: 24, signed: true, narrow: false },
    rounding: 'halfAwayFromZero',
  });
  const inside = exporter.node(entry, 'Clip', [
    whole,
    exporter.scalar(entry, 'minimum', minimum),
    exporter.scalar(entry, 'maximum', maximum),
  ]);
  return zeroPoint === 0
    ? inside
    : exporter.node(entry, 'Sub', [inside, exporter.scalar(entry, 'zeroPoint', zeroPoint)]);
});

const WRITERS: Readonly<Record<string, LayerWriter>> = {
  add: plain('Add'),
  affine: single((exporter, entry, x) =>
    exporter.scaled(entry, x, shapeOf(entry), {
      scale: exporter.floats(entry, 'scale'),
      shift: exporter.floats(entry, 'shift'),
    }),
  ),
  averagePool2d: single((exporter, entry, x) =>
    pooled(exporter, entry, 'AveragePool', x, { count_include_pad: 0 }),
  ),
  batchNormalization: normalized,
  binaryConv2d: fused,
  binaryDense: fused,
  concat: plain('Concat', { axis: 1 }),
  conv2d: weighted,
  dense: weighted,
  divide: plain('Div'),
  dropout: single((_exporter, _entry, x) => x),
  elementwiseAffine: single((exporter, entry, x) => {
    const shape = shapeOf(entry);
    const order = [shape.length - 1, ...shape.slice(1).map((_, axis) => axis)];
    const dims = order.map((axis) => shape[axis] ?? 1);
    const constant = (name: string) =>
      exporter.constant(entry, name, dims, permuteAxes(exporter.floats(entry, name), shape, order));
    const scaled = exporter.node(entry, 'Mul', [x, constant('scale')]);
    return exporter.node(entry, 'Add', [scaled, constant('shift')]);
  }),
  flatten: reshaped,
  globalAveragePool2d: single((exporter, entry, x) =>
    exporter.node(entry, 'Flatten', [exporter.node(entry, 'GlobalAveragePool', [x])], { axis: 1 }),
  ),
  leakyRelu: single((exporter, entry, x) => {
    const { alpha = 0.3 } = configOf<{ alpha: number }>(entry);
    return exporter.node(entry, 'LeakyRelu', [x], { alpha: { float: alpha } });
  }),
  maximum: plain('Max'),
  maxPool2d: single((exporter, entry, x) => pooled(exporter, entry, 'MaxPool', x)),
  minimum: plain('Min'),
  multiThreshold: single((exporter, entry, x) => {
    const { levels = 1 } = configOf<{ levels: number }>(entry);
    const limits = exporter.floats(entry, 'thresholds');
    const thresholds = exporter.constant(entry, 'thresholds', [limits.length / levels, levels], limits);
    const bits = Math.ceil(Math.log2(levels + 1));
    return exporter.custom(entry, 'MultiThreshold', [x, thresholds], { out_dtype: `UINT${bits}` });
  }),
  multiply: plain('Mul'),
  pad2d: single((exporter, entry, x) => {
    const none: Frame = [
      [0, 0],
      [0, 0],
    ];
    const { padding = none, value = 0 } = configOf<{ padding: Frame; value: number }>(entry);
    return padded(exporter, entry, x, padding, value);
  }),
  prelu: single((exporter, entry, x) =>
    exporter.node(entry, 'PRelu', [
      x,
      exporter.row(entry, 'alpha', exporter.floats(entry, 'alpha'), shapeOf(entry)),
    ]),
  ),
  quantConv2d: weighted,
  quantDense: weighted,
  quantDepthwiseConv2d: trained((exporter, entry, x, { depthwiseQuantizer }) =>
    depthwise(exporter, entry, x, 'kernel', depthwiseQuantizer !== undefined),
  ),
  quantSeparableConv2d: separable,
  quantize: uniform,
  relu: single((exporter, entry, x) => {
    const { minimum = 0, maximum = LARGEST_F32 } = configOf<{ minimum: number; maximum: number }>(entry);
    return clipped(exporter, entry, x, minimum, maximum);
  }),
  requantize: requantized,
  reshape: reshaped,
  // ONNX has no such transform: the rotation is written as its matrix.
  rotate: single((exporter, entry, x) => {
    const { seed = 0, rounds = 3 } = configOf<{ seed: number; rounds: number }>(entry);
    const shape = shapeOf(entry);
    const [inputs, outputs] = [shape.at(-1) ?? 1, entry.outputShape.at(-1) ?? 1];
    const columns = Array.from({ length: inputs }, (_, column) =>
      rotate(
        Float32Array.from({ length: inputs }, (__, i) => Number(i === column)),
        { seed, rounds },
      ),
    ).flat();
    if (shape.length === 1) {
      return exporter.node(entry, 'MatMul', [
        x,
        exporter.constant(entry, 'rotation', [inputs, outputs], columns),
      ]);
    }
    const dims = [outputs, inputs, ...shape.slice(1).map(() => 1)];
    const filters = permuteAxes(Float32Array.from(columns), [inputs, outputs], [1, 0]);
    return exporter.node(entry, 'Conv', [x, exporter.constant(entry, 'rotation', dims, filters)]);
  }),
  selu: plain('Selu'),
  sigmoid: plain('Sigmoid'),
  sign: single((exporter, entry, x) => exporter.signs(entry, x)),
  signPool2d: single((exporter, entry, x) => {
    const scale = exporter.floats(entry, 'direction');
    const shape = shapeOf(entry);
    const upright = exporter.scaled(entry, exporter.signs(entry, x), shape, { scale });
    const largest = pooled(exporter, entry, 'MaxPool', upright);
    return exporter.scaled(entry, largest, entry.outputShape, { scale });
  }),
  slice: single((exporter, entry, x) => {
    const { begin = [], size = [], strides = size.map(() => 1) } = configOf<SliceOptions>(entry);
    const ends = size.map((extent, axis) => {
      const by = strides[axis] ?? 1;
      const end = (begin[axis] ?? 0) + extent * by;
      // Before the first place: a negative number would count from the end.
      return end < 0 ? -(2 ** 31) : end;
    });
    const inOnnx = size.map((_, axis) => (axis === size.length - 1 ? 1 : axis + 2));
    const lists = { starts: begin, ends, axes: inOnnx, steps: strides };
    const inputs = Object.entries(lists).map(([label, list]) => exporter.integers(entry, label, list));
    return exporter.node(entry, 'Slice', [x, ...inputs]);
  }),
  softmax: plain('Softmax', { axis: 1 }),
  subtract: plain('Sub'),
  tanh: plain('Tanh'),
  threshold: single((exporter, entry, x) => compared(exporter, entry, x, shapeOf(entry))),
  transpose: transposed,
};
