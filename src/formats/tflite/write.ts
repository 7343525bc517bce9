/**
 * The exporter to `.tflite` with Larq Compute Engine's operators. Binary layers become `LceBconv2d` with one bit a weight
 * in the file, dense ones too, as 1×1 convolutions of one pixel; a threshold or a scale and shift after them goes into the
 * operator, as Larq's converter does it:
 *
 * - a sign of the sum becomes packed output: bit 1 (−1) where the count of differing bits exceeds ⌊(K − T)/2⌋, which is
 *   Larq's ⌊½(β/|γ| + K)⌋; filters of channels that compare "at most" are negated; constants are the ends of int32;
 * - where reals are read, multiplier and bias; `LceQuantize` stands where reals meet a binary layer.
 *
 * Larq's fast kernels have no packed output with exact zero padding: such a layer writes reals, and `LceQuantize` follows.
 */

import { listed, OptionError } from '../../errors.ts';
import type { Shape } from '../../gpu/index.ts';
import type { Model, ModelLayer, ParameterValues } from '../../graph/index.ts';
import { assertSaysQuantizers, inParts } from '../../graph/index.ts';
import {
  type BinaryOutputOptions,
  DEFAULT_EPSILON,
  type LeakyReluOptions,
  type Pad2dOptions,
  type Pool2dLayerOptions,
  type ReluOptions,
  type SliceOptions,
  type TransposeOptions,
} from '../../layers/index.ts';
import { slopeOf } from '../../numerics/curves.ts';
import { type Conv2dOptions, type ResolvedConv2d, resolveConv2d, resolvePool2d } from '../../ops/index.ts';
import { LARGEST_F32 } from '../../ops/pointwise.ts';
import { assertKnownOptions } from '../../options.ts';
import { type Comparison, signOfNormalized, signOfScaled } from '../comparisons.ts';
import type { OptionField } from './container-writer.ts';
import {
  Exporter,
  type Floats,
  type LayerWriter,
  type Pool,
  type Sum,
  type Value,
  type Written,
} from './exporter.ts';
import {
  ACTIVATION,
  CONCATENATION,
  CONV_2D,
  DEPTHWISE_CONV_2D,
  LEAKY_RELU,
  MUL,
  PADDING,
  REDUCER,
  SOFTMAX,
  STRIDED_SLICE,
} from './schema.ts';

/** How a `.tflite` file is written. */
export interface TfliteExportOptions {
  /** Texts to keep in the file's `metadata`, by name. */
  readonly metadata?: Readonly<Record<string, string>> | undefined;
}

/**
 * Writes a network for inference as a `.tflite` file for Larq Compute Engine. Normalisations and scales of which only
 * signs are read become comparisons. Several inputs and outputs are called as in the model.
 * @param values of all parameters
 * @returns the file; read again, it gives the same signs and the same integers to the bit, and reals to the rounding of
 *   f32 where a normalisation became a multiplier and a bias
 * @throws OptionError listing all layers that the format has no operator for; FormatError for values that don't fit
 * @example
 * ```ts
 * import { initialValues, mlp } from 'webgpu-bnn';
 * import { exportTflite } from 'webgpu-bnn/tflite';
 *
 * const network = mlp({ input: [8, 8, 1], classes: 4, units: 32 });
 * const file = exportTflite(network, initialValues(network, 1));
 * ```
 */
export function exportTflite(
  source: Model,
  given: ParameterValues,
  options: TfliteExportOptions = {},
): Uint8Array<ArrayBuffer> {
  const { model, values } = inParts(source, given, (kind) => Object.hasOwn(WRITERS, kind));
  assertKnownOptions(options, ['metadata'], 'exportTflite');
  const missing = model.layers.filter(({ layer }) => !Object.hasOwn(WRITERS, layer.kind));
  if (missing.length > 0) {
    throw new OptionError('These layers have no operator in TensorFlow Lite that this library writes.', {
      given: listed(missing.map(({ name, layer }) => `${layer.kind} (${name})`)),
      expected: Object.keys(WRITERS).join(', '),
      where: model.name,
      remedy: 'write an ONNX file; or, where rotations were packed, the network as it was before',
    });
  }
  assertSaysQuantizers(model, 'TensorFlow Lite');
  for (const entry of model.layers) {
    if (entry.layer.config.groupScale !== undefined) {
      throw refused(
        entry,
        'its weights have a scale for each group',
        'write an ONNX file, where they are reals',
      );
    }
    const shifting = entry.parameters.find(({ quantizer }) => quantizer?.row?.hasOffset === true);
    if (shifting !== undefined) {
      const { name } = shifting.quantizer ?? {};
      throw refused(entry, `its quantizer, ${name}, adds an offset to the weights of each filter`);
    }
  }
  return new Exporter(model, values).run(WRITERS, options.metadata);
}

function refused({ name, layer }: ModelLayer, reason: string, remedy?: string): OptionError {
  return new OptionError('This layer has no counterpart in TensorFlow Lite.', {
    given: `${layer.kind}: ${reason}`,
    where: name,
    remedy,
  });
}

function imageShape(entry: ModelLayer): readonly [number, number, number] {
  const [height = 1, width = 1, channels = 1] = entry.inputShapes[0] ?? [];
  return [height, width, channels];
}

/** Which of the format's two paddings places the windows like this; undefined for neither. */
function paddingOf(
  place: (padding: 'same' | 'valid') => readonly number[],
  wanted: readonly number[],
): 'same' | 'valid' | undefined {
  // Where nothing is added both are the same, and `valid` has packed output.
  return (['valid', 'same'] as const).find((padding) => {
    try {
      return place(padding).join() === wanted.join();
    } catch {
      return false;
    }
  });
}

/** A convolution that is written: the layer's own, or one of the two of a separable one. */
interface Convolution {
  readonly resolved: ResolvedConv2d;
  /** Undefined where neither of the format's paddings places the windows so. */
  readonly padding: 'same' | 'valid' | undefined;
  /** Of its weights, OHWI. */
  readonly parameter: string;
  readonly bias: Floats | undefined;
}

function convolutionOf(
  entry: ModelLayer,
  parameter: string,
  options: Conv2dOptions,
  image: Shape,
  bias: Floats | undefined,
): Convolution {
  const filterShape = entry.parameters.find(({ name }) => name === parameter)?.shape ?? [];
  const groups = (image[2] ?? 1) / (filterShape[3] ?? 1);
  const own = { ...options, groups };
  const input = [1, ...image];
  const places = ({ outHeight, outWidth, padTop, padLeft, padBottom, padRight }: ResolvedConv2d) => [
    ...[outHeight, outWidth, padTop, padLeft, padBottom, padRight],
  ];
  const resolved = resolveConv2d(input, filterShape, own, entry.name);
  const padding = paddingOf(
    (rule) => places(resolveConv2d(input, filterShape, { ...own, padding: rule }, entry.name)),
    places(resolved),
  );
  return { resolved, padding, parameter, bias };
}

/** The convolution that a layer is, but for a separable one. */
function onlyConvolution(exporter: Exporter, entry: ModelLayer, hasBias = true): Convolution {
  const bias = hasBias ? exporter.optionalFloats(entry, 'bias') : undefined;
  return convolutionOf(entry, 'kernel', entry.layer.config as Conv2dOptions, imageShape(entry), bias);
}

function framesOf({ padTop, padBottom, padLeft, padRight }: ResolvedConv2d) {
  return [
    [padTop, padBottom],
    [padLeft, padRight],
  ] as const;
}

/**
 * A binary convolution or dense layer, with signs packed on both sides. A frame of −1, or of +1 where the format's own rule
 * would lie elsewhere, is put around the image before.
 * @returns undefined where Larq Compute Engine doesn't have it
 */
function binarySum(
  exporter: Exporter,
  entry: ModelLayer,
  input: Value,
  extra: Partial<Pick<Sum, 'activation' | 'multiplier' | 'bias'>> = {},
): Sum | undefined {
  const stored = exporter.signs(entry, 'kernel');
  const isDense = stored.shape.length === 2;
  const [units = 1, features = 1] = stored.shape;
  const kernel = isDense ? { words: stored.words, shape: [units, 1, 1, features] } : stored;
  const { resolved, padding } = isDense
    ? {
        resolved: resolveConv2d([1, 1, 1, features], kernel.shape, {}, entry.name),
        padding: 'valid' as const,
      }
    : onlyConvolution(exporter, entry, false);
  const { groups, channels, padValue } = resolved;
  const isFramed = padding === undefined || (padding === 'same' && padValue === -1);
  if (isFramed && padValue === 0) return undefined;
  if (groups > 1 && channels % (32 * groups) !== 0) return undefined;
  const dims = isDense ? [1, 1, features] : imageShape(entry);
  // The sign of a frame of signs is itself.
  const framed = () =>
    exporter.framed(exporter.view(exporter.real(input), dims), framesOf(resolved), padValue);
  return {
    form: 'sum',
    name: entry.name,
    input: isFramed ? exporter.packed(framed()) : exporter.view(exporter.packed(input), dims),
    ...{ kernel, resolved, padding: isFramed ? 'valid' : padding },
    ...{ activation: ACTIVATION.none, multiplier: undefined, bias: undefined, ...extra },
    pools: [],
    shape: entry.outputShape,
  };
}

/** @throws OptionError for weights with scales, which only the products of signs are written with */
function assertUnscaled(entry: ModelLayer): void {
  const scaling = entry.parameters.find(({ quantizer }) => quantizer?.row?.hasScale === true)?.quantizer;
  if (scaling === undefined) return;
  throw refused(entry, `its quantizer, ${scaling.name}, scales weights that meet reals`);
}

/** A convolution of reals, with whatever weights. */
function realConvolution(exporter: Exporter, entry: ModelLayer, input: Value, one: Convolution): Written {
  assertUnscaled(entry);
  const { resolved, parameter } = one;
  const { groups, channels, height, width, outHeight, outWidth, outChannels, padValue } = resolved;
  const image = exporter.view(exporter.real(input), [height, width, channels]);
  const isFramed = one.padding === undefined || (one.padding === 'same' && padValue !== 0);
  const x = isFramed ? exporter.framed(image, framesOf(resolved), padValue) : image;
  const isDepthwise = groups > 1 && groups === channels;
  const weights = isDepthwise
    ? exporter.depthwiseWeights(entry, parameter)
    : exporter.weights(entry, parameter);
  const bias = one.bias ?? new Float32Array(outChannels);
  const inputs = [x.tensor, weights, exporter.constant(`${parameter} bias`, [outChannels], bias)];
  const slots = isDepthwise ? DEPTHWISE_CONV_2D : CONV_2D;
  const fields: OptionField[] = [
    { slot: slots.strideWidth, int32: resolved.strideX },
    { slot: slots.strideHeight, int32: resolved.strideY },
    { slot: slots.dilationWidth, int32: resolved.dilationX },
    { slot: slots.dilationHeight, int32: resolved.dilationY },
    { slot: slots.padding, int8: PADDING[isFramed ? 'valid' : (one.padding ?? 'valid')] },
    { slot: slots.activation, int8: ACTIVATION.none },
    ...(isDepthwise ? [{ slot: DEPTHWISE_CONV_2D.depthMultiplier, int32: outChannels / groups }] : []),
  ];
  const isDilated = resolved.dilationX > 1 || resolved.dilationY > 1;
  return exporter.emit(
    isDepthwise
      ? {
          kind: 'DEPTHWISE_CONV_2D',
          version: isDilated ? 2 : 1,
          inputs,
          options: { type: 'DepthwiseConv2D', fields },
        }
      : { kind: 'CONV_2D', version: groups > 1 ? 6 : 1, inputs, options: { type: 'Conv2D', fields } },
    'real',
    [outHeight, outWidth, outChannels],
  );
}

/** Layers that binarize weights, inputs or both. */
const convolution: LayerWriter = (exporter, entry, [input]) => {
  const { inputQuantizer, kernelQuantizer, depthwiseQuantizer = kernelQuantizer } = entry.layer.config;
  const isBinaryInput =
    inputQuantizer !== undefined || (input.form === 'packed' && depthwiseQuantizer !== undefined);
  const one = onlyConvolution(exporter, entry);
  if (isBinaryInput && depthwiseQuantizer !== undefined) {
    const multiplier = exporter.optionalFloats(entry, 'kernelScale');
    const sum = binarySum(exporter, entry, input, {
      ...(one.bias && { bias: one.bias }),
      ...(multiplier && { multiplier }),
    });
    if (sum !== undefined) return sum;
  }
  const x = isBinaryInput ? exporter.packed(input) : input;
  return realConvolution(exporter, entry, x, one);
};

/** A depthwise convolution and one of single pixels, which takes its reals. */
const separable: LayerWriter = (exporter, entry, [input]) => {
  const { config } = entry.layer;
  const isBinaryInput =
    config.inputQuantizer !== undefined ||
    (input.form === 'packed' && config.depthwiseQuantizer !== undefined);
  const first = convolutionOf(
    entry,
    'depthwiseKernel',
    config as Conv2dOptions,
    imageShape(entry),
    undefined,
  );
  const between = realConvolution(exporter, entry, isBinaryInput ? exporter.packed(input) : input, first);
  const bias = exporter.optionalFloats(entry, 'bias');
  const second = convolutionOf(entry, 'pointwiseKernel', {}, between.dims, bias);
  return realConvolution(exporter, entry, between, second);
};

const denseWriter: LayerWriter = (exporter, entry, [input]) => {
  const { inputQuantizer, kernelQuantizer } = entry.layer.config;
  const isBinaryInput =
    inputQuantizer !== undefined || (input.form === 'packed' && kernelQuantizer !== undefined);
  if (isBinaryInput && kernelQuantizer !== undefined) {
    const bias = exporter.optionalFloats(entry, 'bias');
    const multiplier = exporter.optionalFloats(entry, 'kernelScale');
    const sum = binarySum(exporter, entry, input, {
      ...(bias && { bias }),
      ...(multiplier && { multiplier }),
    });
    if (sum !== undefined) return sum;
  }
  assertUnscaled(entry);
  const [features = 1] = entry.inputShapes[0] ?? [];
  const [units = 1] = entry.outputShape;
  const x = exporter.view(exporter.real(isBinaryInput ? exporter.packed(input) : input), [features]);
  const bias = exporter.optionalFloats(entry, 'bias') ?? new Float32Array(units);
  const inputs = [x.tensor, exporter.weights(entry), exporter.constant('bias', [units], bias)];
  return exporter.builtin('FULLY_CONNECTED', inputs, [units], 'FullyConnected');
};

/** Bounds of the activations that a binary layer may have. */
const BOUNDS = {
  none: [-Infinity, Infinity],
  relu: [0, Infinity],
  reluN1To1: [-1, 1],
  relu6: [0, 6],
} as const;

/** `binaryConv2d` and `binaryDense`: folded layers, whose parameters say what follows the sum. */
const foldedBinary: LayerWriter = (exporter, entry, [input, residual]) => {
  const {
    output,
    activation = 'none',
    prelu,
  } = entry.layer.config as unknown as BinaryOutputOptions & {
    activation?: keyof typeof BOUNDS;
  };
  const isSigns = output === 'signs';
  const takesIntegers = entry.layer.config.inputIntegers !== undefined;
  if (takesIntegers && !isSigns)
    throw refused(entry, 'it scales sums of integers', 'write it before folding');
  const extra = isSigns
    ? {}
    : {
        multiplier: exporter.floats(entry, 'multiplier'),
        bias: exporter.floats(entry, 'bias'),
        activation: ACTIVATION[activation],
      };
  const sum =
    (takesIntegers ? undefined : binarySum(exporter, entry, input, extra)) ??
    finishedReals(exporter, entry, takesIntegers ? input : exporter.packed(input), activation, extra);
  if (isSigns) {
    const comparison = {
      direction: exporter.floats(entry, 'direction'),
      limit: exporter.floats(entry, 'threshold'),
    };
    const { direction, limit } = clampedComparison(comparison, BOUNDS[activation]);
    return compared(exporter, entry, sum, { direction, limit });
  }
  if (residual === undefined && prelu !== true) return sum;
  let written = exporter.view(exporter.real(sum), entry.outputShape);
  if (residual !== undefined) {
    const added = exporter.view(exporter.real(residual), entry.outputShape);
    const fields = [{ slot: MUL.activation, int8: ACTIVATION.none }];
    written = exporter.builtin('ADD', [written.tensor, added.tensor], entry.outputShape, 'Add', fields);
  }
  if (prelu !== true) return written;
  const slope = exporter.floats(entry, 'slope');
  const slopes = exporter.constant('slope', [slope.length], slope);
  return exporter.builtin('PRELU', [written.tensor, slopes], entry.outputShape);
};

/** A folded convolution that Larq Compute Engine doesn't have, for reals: its sums, bounded, scaled and shifted. */
function finishedReals(
  exporter: Exporter,
  entry: ModelLayer,
  input: Value,
  activation: keyof typeof BOUNDS,
  { multiplier, bias }: Partial<Pick<Sum, 'multiplier' | 'bias'>>,
): Written {
  const sums = realConvolution(exporter, entry, input, onlyConvolution(exporter, entry, false));
  // Those of which only signs are read are bounded by the comparison.
  if (multiplier === undefined) return sums;
  const [minimum, maximum] = BOUNDS[activation];
  return exporter.scaled(bounded(exporter, sums, minimum, maximum), multiplier, bias);
}

/** Reals between two bounds. */
function bounded(exporter: Exporter, x: Written, minimum: number, maximum: number): Written {
  const kinds = { '0 Infinity': 'RELU', '0 6': 'RELU6', '-1 1': 'RELU_N1_TO_1' } as const;
  const kind = kinds[`${minimum} ${maximum}` as keyof typeof kinds];
  if (kind !== undefined) return exporter.builtin(kind, [x.tensor], x.dims);
  const limits = [
    ['MAXIMUM', minimum, -LARGEST_F32],
    ['MINIMUM', maximum, LARGEST_F32],
  ] as const;
  return limits.reduce((value, [extreme, limit, none]) => {
    if (Math.abs(limit) >= LARGEST_F32 && Math.sign(limit) === Math.sign(none)) return value;
    const constant = exporter.constant('bound', [], Float32Array.of(limit));
    return exporter.builtin(extreme, [value.tensor, constant], x.dims, 'MaximumMinimum');
  }, x);
}

/** The same comparison of what isn't clamped any more. */
function clampedComparison(
  { direction, limit }: Comparison,
  [low, high]: readonly [number, number],
): Comparison {
  const always = direction.map((side, c) => {
    const [least, most] = side < 0 ? [-high, -low] : [low, high];
    const needed = limit[c] ?? 0;
    return side === 0 ? 0 : needed <= least ? 1 : needed > most ? -1 : 0;
  });
  return {
    direction: direction.map((side, c) => (always[c] === 0 ? side : 0)),
    limit: limit.map((needed, c) => (always[c] === 0 ? needed : always[c] === 1 ? 0 : 1)),
  };
}

/** A comparison: in the operator of a sum, or of reals that are shifted by the limit and quantized. */
function compared(
  exporter: Exporter,
  entry: ModelLayer,
  input: Value,
  { direction, limit }: Comparison,
): Value {
  if (input.form === 'sum') return exporter.sumAsSigns(input, direction, limit);
  const negated = limit.map((value) => -value);
  const x = exporter.view(exporter.real(input), entry.outputShape);
  return exporter.packed(exporter.scaled(x, direction, negated));
}

/** A scale and a shift of a sum go into its operator. */
function scaledBy(exporter: Exporter, entry: ModelLayer, input: Value, scale: Floats, shift: Floats): Value {
  if (input.form === 'sum' && input.pools.length === 0 && !input.multiplier && !input.bias) {
    return { ...input, multiplier: scale, bias: shift };
  }
  return exporter.scaled(exporter.view(exporter.real(input), entry.outputShape), scale, shift);
}

const affineWriter: LayerWriter = (exporter, entry, [input]) => {
  const [scale, shift] = [exporter.floats(entry, 'scale'), exporter.floats(entry, 'shift')];
  if (exporter.isReadAsSigns(entry)) return compared(exporter, entry, input, signOfScaled(scale, shift));
  return scaledBy(exporter, entry, input, scale, shift);
};

const normalization: LayerWriter = (exporter, entry, [input]) => {
  const { epsilon = DEFAULT_EPSILON } = entry.layer.config as { epsilon?: number };
  const [mean, variance] = [exporter.floats(entry, 'runningMean'), exporter.floats(entry, 'runningVariance')];
  const [gamma, beta] = [exporter.optionalFloats(entry, 'gamma'), exporter.optionalFloats(entry, 'beta')];
  if (exporter.isReadAsSigns(entry)) {
    const comparison = signOfNormalized(gamma, beta, mean, variance, epsilon);
    return compared(exporter, entry, input, comparison);
  }
  // In float64, rounded once.
  const scales = Array.from(mean, (_, c) => (gamma?.[c] ?? 1) / Math.sqrt((variance[c] ?? 0) + epsilon));
  const shift = mean.map((centre, c) => (beta?.[c] ?? 0) - centre * (scales[c] ?? 1));
  return scaledBy(exporter, entry, input, Float32Array.from(scales), shift);
};

function poolOf(entry: ModelLayer): Pool {
  const options = entry.layer.config as unknown as Pool2dLayerOptions;
  const input = [1, ...imageShape(entry)];
  const resolved = resolvePool2d(input, options, entry.name);
  const places = ({ outHeight, outWidth, padTop, padLeft }: typeof resolved) => [
    ...[outHeight, outWidth, padTop, padLeft],
  ];
  const padding = paddingOf(
    (rule) => places(resolvePool2d(input, { ...options, padding: rule }, entry.name)),
    places(resolved),
  );
  if (padding === undefined) throw refused(entry, 'its padding is neither same nor valid');
  return {
    filter: [resolved.poolHeight, resolved.poolWidth],
    strides: [resolved.strideY, resolved.strideX],
    padding,
    dims: entry.outputShape,
  };
}

const maxPooling: LayerWriter = (exporter, entry, [input]) => {
  const pool = poolOf(entry);
  if (input.form === 'sum' && !input.multiplier && !input.bias) {
    return { ...input, pools: [...input.pools, pool], shape: pool.dims };
  }
  const image = exporter.view(exporter.materialized(input), imageShape(entry));
  if (image.form === 'packed') return exporter.packedPool(image, pool);
  return exporter.pooled('MAX_POOL_2D', image, pool);
};

/** The largest sign of each window in some channels, the smallest in others: Larq's operator has the largest only. */
const signPooling: LayerWriter = (exporter, entry, [input]) => {
  const pool = poolOf(entry);
  const direction = exporter.floats(entry, 'direction');
  const image = exporter.view(exporter.packed(input), imageShape(entry));
  if (direction.every((side) => side >= 0)) return exporter.packedPool(image, pool);
  const sides = direction.map((side) => (side < 0 ? -1 : 1));
  const turned = exporter.scaled(exporter.real(image), sides, undefined);
  return exporter.packed(exporter.scaled(exporter.pooled('MAX_POOL_2D', turned, pool), sides, undefined));
};

const signWriter: LayerWriter = (exporter, entry, [input]) => {
  if (input.form !== 'sum' || input.multiplier || input.bias) return exporter.packed(input);
  const channels = entry.outputShape.at(-1) ?? 1;
  return exporter.sumAsSigns(input, new Float32Array(channels).fill(1), new Float32Array(channels));
};

/** The same values under another shape: what reads them says how they have to lie. */
const reshaping: LayerWriter = (exporter, entry, [input]) => ({
  ...exporter.materialized(input),
  shape: entry.outputShape,
});

/** Operators of several values. */
function merging(
  kind: 'ADD' | 'CONCATENATION' | 'DIV' | 'MAXIMUM' | 'MINIMUM' | 'MUL' | 'SUB',
  type: 'Add' | 'Concatenation' | 'Div' | 'MaximumMinimum' | 'Mul' | 'Sub',
): LayerWriter {
  return (exporter, entry, inputs) => {
    const tensors = inputs.map(
      (input, index) => exporter.view(exporter.real(input), entry.inputShapes[index] ?? []).tensor,
    );
    if (kind === 'CONCATENATION') {
      const fields = [
        { slot: CONCATENATION.axis, int32: entry.outputShape.length },
        { slot: CONCATENATION.activation, int8: ACTIVATION.none },
      ];
      return exporter.builtin(kind, tensors, entry.outputShape, 'Concatenation', fields);
    }
    const fields = type === 'MaximumMinimum' ? [] : [{ slot: MUL.activation, int8: ACTIVATION.none }];
    return exporter.builtin(kind, tensors, entry.outputShape, type, fields);
  };
}

/** A function of single reals. */
function curve(
  kind: 'LEAKY_RELU' | 'LOGISTIC' | 'TANH',
  fields: (entry: ModelLayer) => readonly OptionField[] = () => [],
): LayerWriter {
  return (exporter, entry, [input]) => {
    const { tensor } = exporter.view(exporter.real(input), entry.outputShape);
    const type = kind === 'LEAKY_RELU' ? 'LeakyRelu' : 'none';
    return exporter.builtin(kind, [tensor], entry.outputShape, type, fields(entry));
  };
}

const slicing: LayerWriter = (exporter, entry, [input]) => {
  const { begin, size, strides = size.map(() => 1) } = entry.layer.config as unknown as SliceOptions;
  const x = exporter.view(exporter.real(input), entry.inputShapes[0] ?? []);
  const ends = begin.map((first, axis) => first + (size[axis] ?? 1) * (strides[axis] ?? 1));
  const list = (what: string, batch: number, numbers: readonly number[]) =>
    exporter.constant(what, [numbers.length + 1], Int32Array.from([batch, ...numbers]));
  const inputs = [x.tensor, list('begin', 0, begin), list('end', 1, ends), list('strides', 1, strides)];
  // Backwards to the first place and beyond: a negative end would count from the last one.
  const endMask = ends.reduce((mask, end, axis) => (end < 0 ? mask | (2 << axis) : mask), 0);
  const { beginMask, ellipsisMask, newAxisMask, shrinkAxisMask } = STRIDED_SLICE;
  const none = [beginMask, ellipsisMask, newAxisMask, shrinkAxisMask].map((slot) => ({ slot, int32: 0 }));
  const fields = [...none, { slot: STRIDED_SLICE.endMask, int32: endMask }];
  return exporter.builtin('STRIDED_SLICE', inputs, entry.outputShape, 'StridedSlice', fields);
};

const WRITERS: Readonly<Record<string, LayerWriter>> = {
  add: merging('ADD', 'Add'),
  affine: affineWriter,
  averagePool2d: (exporter, entry, [input]) =>
    exporter.pooled('AVERAGE_POOL_2D', exporter.view(exporter.real(input), imageShape(entry)), poolOf(entry)),
  batchNormalization: normalization,
  binaryConv2d: foldedBinary,
  binaryDense: foldedBinary,
  concat: merging('CONCATENATION', 'Concatenation'),
  conv2d: convolution,
  dense: denseWriter,
  divide: merging('DIV', 'Div'),
  dropout: (_, _entry, [input]) => input,
  elementwiseAffine: (exporter, entry, [input]) => {
    const { outputShape } = entry;
    const x = exporter.view(exporter.real(input), outputShape);
    const activation = [{ slot: MUL.activation, int8: ACTIVATION.none }];
    const constant = (name: string) =>
      exporter.constant(name, [1, ...outputShape], exporter.floats(entry, name));
    const scaled = exporter.builtin('MUL', [x.tensor, constant('scale')], outputShape, 'Mul', activation);
    return exporter.builtin('ADD', [scaled.tensor, constant('shift')], outputShape, 'Add', activation);
  },
  flatten: reshaping,
  globalAveragePool2d: (exporter, entry, [input]) => {
    const image = exporter.view(exporter.real(input), imageShape(entry));
    const axes = exporter.constant('axes', [2], Int32Array.of(1, 2));
    const fields = [{ slot: REDUCER.keepDims, int8: 0 }];
    return exporter.builtin('MEAN', [image.tensor, axes], entry.outputShape, 'Reducer', fields);
  },
  leakyRelu: curve('LEAKY_RELU', ({ layer }) => [
    { slot: LEAKY_RELU.alpha, float32: slopeOf(layer.config as LeakyReluOptions) },
  ]),
  maxPool2d: maxPooling,
  maximum: merging('MAXIMUM', 'MaximumMinimum'),
  minimum: merging('MINIMUM', 'MaximumMinimum'),
  multiply: merging('MUL', 'Mul'),
  pad2d: (exporter, entry, [input]) => {
    const { padding, value = 0 } = entry.layer.config as unknown as Pad2dOptions;
    return exporter.framed(exporter.view(exporter.real(input), imageShape(entry)), padding, value);
  },
  prelu: (exporter, entry, [input]) => {
    const alpha = exporter.floats(entry, 'alpha');
    const inputs = [
      exporter.view(exporter.real(input), entry.outputShape).tensor,
      exporter.constant('alpha', [alpha.length], alpha),
    ];
    return exporter.builtin('PRELU', inputs, entry.outputShape);
  },
  quantConv2d: convolution,
  quantDense: denseWriter,
  quantDepthwiseConv2d: convolution,
  quantSeparableConv2d: separable,
  relu: (exporter, entry, [input]) => {
    const { minimum = 0, maximum = Infinity } = entry.layer.config as ReluOptions;
    return bounded(exporter, exporter.view(exporter.real(input), entry.outputShape), minimum, maximum);
  },
  reshape: reshaping,
  sigmoid: curve('LOGISTIC'),
  sign: signWriter,
  signPool2d: signPooling,
  slice: slicing,
  softmax: (exporter, entry, [input]) => {
    const { tensor } = exporter.view(exporter.real(input), entry.outputShape);
    return exporter.builtin('SOFTMAX', [tensor], entry.outputShape, 'Softmax', [
      { slot: SOFTMAX.beta, float32: 1 },
    ]);
  },
  subtract: merging('SUB', 'Sub'),
  tanh: curve('TANH'),
  threshold: (exporter, entry, [input]) =>
    compared(exporter, entry, input, {
      direction: exporter.floats(entry, 'direction'),
      limit: exporter.floats(entry, 'threshold'),
    }),
  transpose: (exporter, entry, [input]) => {
    const { permutation } = entry.layer.config as unknown as TransposeOptions;
    const x = exporter.view(exporter.real(input), entry.inputShapes[0] ?? []);
    const order = Int32Array.from([0, ...permutation.map((axis) => axis + 1)]);
    const inputs = [x.tensor, exporter.constant('permutation', [order.length], order)];
    return exporter.builtin('TRANSPOSE', inputs, entry.outputShape, 'Transpose');
  },
};
