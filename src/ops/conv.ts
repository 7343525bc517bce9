/**
 * Convolutions: activations NHWC, filters OHWI, bits packed on the last axis. Forward, gradient with respect to the
 * input, gradient with respect to the filters; for binary x binary, real x binary (a first layer) and real x real.
 */
import { OptionError, ShapeError } from '../errors.ts';
import { describe, type ProgramBuilder, type Shape, sizeOf, type Tensor, wordsFor } from '../gpu/index.ts';
import {
  BINARY_FORWARD,
  BINARY_GRAD_INPUT,
  binaryForward,
  binaryGradWeights,
  binaryGradWeightsTile,
  type ConvConstants,
  canTileForward,
  canTileGradInput,
  canTileGradWeights,
  canTileRealGradWeights,
  expandFilters,
  needsPadding,
  pad,
  paddedSize,
  realForward,
  realForwardTile,
  realGradInput,
  realGradInputTile,
  realGradWeights,
  realGradWeightsNarrow,
  realGradWeightsTile,
  signForward,
  sumSlices,
  tapSums,
  transposeFilters,
} from '../kernels/conv.ts';
import { canCountChannels, depthwiseForward, depthwiseWords } from '../kernels/depthwise.ts';
import { choose } from '../kernels/variants.ts';
import type { Conv2dGeometry, Padding } from '../reference/conv.ts';
import { realInput } from './bytes.ts';
import { assertDType, assertShapeIs, type OutOption, resultTensor } from './checks.ts';
import { assertRank4, type PerAxis, positivePair, resolvePlaces } from './windows.ts';

/** How a convolution's windows lie; the names are Keras' and Larq's. */
export interface Conv2dOptions {
  /** Pixels from one window to the next; 1 when absent. */
  readonly strides?: PerAxis | undefined;
  /** Pixels from one tap of a window to the next; 1 when absent. */
  readonly dilations?: PerAxis | undefined;
  /** Groups that input and output channels are split into; 1 when absent. */
  readonly groups?: number | undefined;
  /** `valid` when absent. */
  readonly padding?: Padding | undefined;
  /**
   * What taps outside the image read: 0 (the default), +1 or −1. For binary inputs 0 is exact: those taps count nothing.
   */
  readonly padValue?: 0 | 1 | -1 | undefined;
}

/** A convolution's geometry with the shapes of its three tensors. */
export interface ResolvedConv2d extends Conv2dGeometry {
  readonly padBottom: number;
  readonly padRight: number;
  readonly inputShape: Shape;
  readonly filterShape: Shape;
  readonly outputShape: Shape;
}

/**
 * Works out the geometry of a convolution.
 * @param inputShape [N, H, W, C]
 * @param filterShape [O, kh, kw, C/groups]
 * @param where the layer or operation, for errors
 * @throws ShapeError where the shapes don't fit each other or the window doesn't fit the image; OptionError for an
 *   option that is out of range
 */
export function resolveConv2d(
  inputShape: Shape,
  filterShape: Shape,
  options: Conv2dOptions = {},
  where = 'conv2d',
): ResolvedConv2d {
  const [batch = 0, height = 0, width = 0, channels = 0] = assertRank4(inputShape, 'N, H, W, C', where);
  const [outChannels = 0, kernelHeight = 0, kernelWidth = 0, filterChannels = 0] = assertRank4(
    filterShape,
    'O, kh, kw, C/groups',
    where,
  );
  const [strideY, strideX] = positivePair(options.strides ?? 1, 'strides', where);
  const [dilationY, dilationX] = positivePair(options.dilations ?? 1, 'dilations', where);
  const groups = options.groups ?? 1;
  const padValue = options.padValue ?? 0;
  if (!Number.isSafeInteger(groups) || groups < 1) {
    throw new OptionError('The number of groups is a positive integer.', { given: `${groups}`, where });
  }
  if (padValue !== 0 && padValue !== 1 && padValue !== -1) {
    throw new OptionError('The pad value is -1, 0 or 1.', { given: `${padValue}`, where });
  }
  if (channels % groups !== 0 || outChannels % groups !== 0) {
    throw new ShapeError('Input and output channels divide into the groups.', {
      given: `${channels} input channels, ${outChannels} output channels, ${groups} groups`,
      where,
    });
  }
  if (filterChannels !== channels / groups) {
    throw new ShapeError("The filters don't fit the input.", {
      given: `filters ${describe(filterShape)} for input ${describe(inputShape)}, ${groups} groups`,
      expected: `${channels / groups} channels on the last axis of the filters`,
      where,
      remedy: 'filters are [output channels, height, width, input channels / groups]',
    });
  }
  const [vertical, horizontal] = resolvePlaces(
    [height, width],
    [kernelHeight, kernelWidth],
    [strideY, strideX],
    [dilationY, dilationX],
    options.padding ?? 'valid',
    where,
  );
  return {
    batch,
    height,
    width,
    channels,
    outHeight: vertical.out,
    outWidth: horizontal.out,
    outChannels,
    kernelHeight,
    kernelWidth,
    strideY,
    strideX,
    dilationY,
    dilationX,
    padTop: vertical.before,
    padBottom: vertical.after,
    padLeft: horizontal.before,
    padRight: horizontal.after,
    groups,
    padValue,
    inputShape: [...inputShape],
    filterShape: [...filterShape],
    outputShape: [batch, vertical.out, horizontal.out, outChannels],
  };
}

/**
 * Binary convolution by XOR and popcount: the sum over taps and channels of products of signs, an exact integer.
 * @param a bits [N, H, W, C]
 * @param w bits [O, kh, kw, C/groups]
 * @param options.dtype of the result, `f32` when absent
 * @returns f32 or i32 [N, OH, OW, O]
 * @throws ShapeError, OptionError
 */
export function binaryConv2d(
  b: ProgramBuilder,
  a: Tensor,
  w: Tensor,
  options: Conv2dOptions & OutOption & { readonly dtype?: 'f32' | 'i32' | undefined } = {},
): Tensor {
  const where = 'binaryConv2d';
  assertDType(a, 'bits', where);
  assertDType(w, 'bits', where);
  const geometry = resolveConv2d(a.shape, w.shape, options, where);
  const dtype = options.dtype ?? (options.out?.dtype === 'i32' ? 'i32' : 'f32');
  if (dtype !== 'f32' && dtype !== 'i32') {
    throw new OptionError('A binary convolution gives f32 or i32.', { given: `${dtype}`, where });
  }
  const out = resultTensor(b, where, geometry.outputShape, dtype, options.out);
  const constants = conv2dConstants(geometry);
  const all = binaryConv2dConstants(geometry, dtype);
  const { PADDED, INTEGER } = all;
  const kernel = choose(BINARY_FORWARD, all, b.gpu);
  if (kernel !== undefined) {
    const input = PADDED === 1 ? paddedInput(b, a, constants) : a;
    const words = geometry.kernelHeight * geometry.kernelWidth * wordsFor(geometry.channels);
    const transposed = transposedFilters(b, w, geometry.outChannels, words, 'u32');
    // Something has to be bound; where padding counts as what it is, or there is none, it isn't read.
    const sums = PADDED === 1 && geometry.padValue === 0 ? sumsOfTaps(b, w, geometry) : transposed;
    b.dispatch(kernel, { a: input, w: transposed, sums, out }, all);
  } else if (canCountChannels(constants)) {
    b.dispatch(depthwiseForward, { a, w: channelFilters(b, w, geometry), out }, { ...constants, INTEGER });
  } else {
    b.dispatch(binaryForward, { a, w, out }, { ...constants, INTEGER });
  }
  return out;
}

/**
 * Gradient of a convolution with binary filters with respect to its input (binary or real).
 * @param gradOutput f32 [N, OH, OW, O]
 * @param w bits [O, kh, kw, C/groups]
 * @param options.inputShape [N, H, W, C]
 * @param options.gate bits [N, H, W, C], 1 where the gradient passes the input's quantizer; all pass when absent
 * @returns f32 [N, H, W, C]
 * @throws ShapeError, OptionError
 */
export function binaryConv2dGradInput(
  b: ProgramBuilder,
  gradOutput: Tensor,
  w: Tensor,
  options: Conv2dOptions & OutOption & { readonly inputShape: Shape; readonly gate?: Tensor | undefined },
): Tensor {
  const where = 'binaryConv2dGradInput';
  assertDType(gradOutput, 'f32', where);
  assertDType(w, 'bits', where);
  const geometry = resolveConv2d(options.inputShape, w.shape, options, where);
  assertShapeIs(gradOutput, geometry.outputShape, where);
  const { gate } = options;
  if (gate !== undefined) {
    assertDType(gate, 'bits', where);
    assertShapeIs(gate, geometry.inputShape, where);
  }
  const out = resultTensor(b, where, geometry.inputShape, 'f32', options.out);
  const constants = { ...conv2dConstants(geometry), GATED: gate === undefined ? 0 : 1 };
  // Something has to be bound; without a gate it isn't read.
  const operands = { g: gradOutput, w, gate: gate ?? w, out };
  b.dispatch(choose(BINARY_GRAD_INPUT, constants, b.gpu), operands, constants);
  return out;
}

/**
 * Gradient of a binary convolution with respect to its filters' signs; the straight-through estimator hands it on to
 * the latent weights. Taps outside the image count with the pad value.
 * @param gradOutput f32 [N, OH, OW, O]
 * @param a bits [N, H, W, C]
 * @param options.filterShape [O, kh, kw, C/groups]
 * @returns f32 [O, kh, kw, C/groups]
 * @throws ShapeError, OptionError
 */
export function binaryConv2dGradWeights(
  b: ProgramBuilder,
  gradOutput: Tensor,
  a: Tensor,
  options: Conv2dOptions & OutOption & { readonly filterShape: Shape },
): Tensor {
  const where = 'binaryConv2dGradWeights';
  assertDType(a, 'bits', where);
  const geometry = resolveGradWeights(gradOutput, a, options, where);
  const constants = conv2dConstants(geometry);
  const tiled = canTileGradWeights(constants);
  return inSlices(b, geometry, tiled ? 64 : 1, options.out, where, (out, CHUNKS) =>
    b.dispatch(
      tiled ? binaryGradWeightsTile : binaryGradWeights,
      { g: gradOutput, a, out },
      { ...constants, CHUNKS },
    ),
  );
}

/**
 * Convolution of a real input with binary filters: the first layer of a binary network.
 * @param x f32 [N, H, W, C], or u8 [N, H, W, C]: bytes count as 0 to 255
 * @param w bits [O, kh, kw, C/groups]
 * @returns f32 [N, OH, OW, O]
 * @throws ShapeError, OptionError
 */
export function signConv2d(
  b: ProgramBuilder,
  x: Tensor,
  w: Tensor,
  options: Conv2dOptions & OutOption = {},
): Tensor {
  const where = 'signConv2d';
  const reals = realInput(b, x);
  assertDType(reals, 'f32', where);
  assertDType(w, 'bits', where);
  const geometry = resolveConv2d(x.shape, w.shape, options, where);
  const out = resultTensor(b, where, geometry.outputShape, 'f32', options.out);
  const constants = conv2dConstants(geometry);
  if (canTileForward(constants)) {
    const { outChannels, kernelHeight, kernelWidth, channels } = geometry;
    const TAPS = kernelHeight * kernelWidth;
    const expanded = b.transient('expanded filters', [TAPS, channels, outChannels], 'f32');
    b.dispatch(expandFilters, { w, out: expanded }, { OUT_CHANNELS: outChannels, TAPS, CHANNELS: channels });
    b.dispatch(realForwardTile, { x: reals, w: expanded, out }, constants);
  } else {
    b.dispatch(signForward, { x: reals, w, out }, constants);
  }
  return out;
}

/**
 * Gradient of a convolution of a real input with respect to its filters, or their signs.
 * @param gradOutput f32 [N, OH, OW, O]
 * @param x f32 [N, H, W, C]
 * @param options.filterShape [O, kh, kw, C/groups]
 * @returns f32 [O, kh, kw, C/groups]
 * @throws ShapeError, OptionError
 */
export function signConv2dGradWeights(
  b: ProgramBuilder,
  gradOutput: Tensor,
  x: Tensor,
  options: Conv2dOptions & OutOption & { readonly filterShape: Shape },
): Tensor {
  return realInputGradWeights(b, gradOutput, realInput(b, x), options, 'signConv2dGradWeights');
}

/**
 * Convolution of reals.
 * @param x f32 [N, H, W, C]
 * @param w f32 [O, kh, kw, C/groups]
 * @returns f32 [N, OH, OW, O]
 * @throws ShapeError, OptionError
 */
export function conv2d(
  b: ProgramBuilder,
  x: Tensor,
  w: Tensor,
  options: Conv2dOptions & OutOption = {},
): Tensor {
  const where = 'conv2d';
  assertDType(x, 'f32', where);
  assertDType(w, 'f32', where);
  const geometry = resolveConv2d(x.shape, w.shape, options, where);
  const out = resultTensor(b, where, geometry.outputShape, 'f32', options.out);
  const constants = conv2dConstants(geometry);
  if (canTileForward(constants)) {
    const { outChannels } = geometry;
    const transposed = transposedFilters(b, w, outChannels, w.size / outChannels, 'f32');
    b.dispatch(realForwardTile, { x, w: transposed, out }, constants);
  } else {
    b.dispatch(realForward, { x, w, out }, constants);
  }
  return out;
}

/**
 * Gradient of `conv2d` with respect to its input.
 * @param gradOutput f32 [N, OH, OW, O]
 * @param w f32 [O, kh, kw, C/groups]
 * @param options.inputShape [N, H, W, C]
 * @returns f32 [N, H, W, C]
 * @throws ShapeError, OptionError
 */
export function conv2dGradInput(
  b: ProgramBuilder,
  gradOutput: Tensor,
  w: Tensor,
  options: Conv2dOptions & OutOption & { readonly inputShape: Shape },
): Tensor {
  const where = 'conv2dGradInput';
  assertDType(gradOutput, 'f32', where);
  assertDType(w, 'f32', where);
  const geometry = resolveConv2d(options.inputShape, w.shape, options, where);
  assertShapeIs(gradOutput, geometry.outputShape, where);
  const out = resultTensor(b, where, geometry.inputShape, 'f32', options.out);
  const constants = conv2dConstants(geometry);
  const kernel = canTileGradInput(constants) ? realGradInputTile : realGradInput;
  b.dispatch(kernel, { g: gradOutput, w, out }, constants);
  return out;
}

/**
 * Gradient of `conv2d` with respect to its filters. Taps outside the image count with the pad value.
 * @param gradOutput f32 [N, OH, OW, O]
 * @param x f32 [N, H, W, C]
 * @param options.filterShape [O, kh, kw, C/groups]
 * @returns f32 [O, kh, kw, C/groups]
 * @throws ShapeError, OptionError
 */
export function conv2dGradWeights(
  b: ProgramBuilder,
  gradOutput: Tensor,
  x: Tensor,
  options: Conv2dOptions & OutOption & { readonly filterShape: Shape },
): Tensor {
  return realInputGradWeights(b, gradOutput, x, options, 'conv2dGradWeights');
}

function realInputGradWeights(
  b: ProgramBuilder,
  gradOutput: Tensor,
  x: Tensor,
  options: Conv2dOptions & OutOption & { readonly filterShape: Shape },
  where: string,
): Tensor {
  assertDType(x, 'f32', where);
  const geometry = resolveGradWeights(gradOutput, x, options, where);
  const constants = conv2dConstants(geometry);
  const [kernel, resultsPerInvocation] =
    geometry.channels >= 8 && canTileRealGradWeights(constants)
      ? [realGradWeightsTile, 64]
      : canTileGradWeights(constants)
        ? [realGradWeightsNarrow, 32]
        : [realGradWeights, 1];
  return inSlices(b, geometry, resultsPerInvocation, options.out, where, (out, CHUNKS) =>
    b.dispatch(kernel, { g: gradOutput, x, out }, { ...constants, CHUNKS }),
  );
}

/** Packed activations with their padding around them. */
export function paddedInput(b: ProgramBuilder, a: Tensor, constants: ConvConstants): Tensor {
  const { BATCH, CHANNELS } = constants;
  const out = b.transient('padded input', [BATCH, ...paddedSize(constants), CHANNELS], 'bits');
  b.dispatch(pad, { a, out }, { ...constants, PADDED: 1 });
  return out;
}

/** The sum of the signs of each tap of binary filters: [taps, outputs]. */
export function sumsOfTaps(b: ProgramBuilder, w: Tensor, geometry: ResolvedConv2d): Tensor {
  const { outChannels, kernelHeight, kernelWidth, channels } = geometry;
  const TAPS = kernelHeight * kernelWidth;
  const out = b.transient('sums of taps', [TAPS, outChannels], 'i32');
  b.dispatch(tapSums, { w, out }, { OUT_CHANNELS: outChannels, TAPS, CHANNELS: channels });
  return out;
}

/** Filters with their outputs side by side: [columns, rows]. */
export function transposedFilters(
  b: ProgramBuilder,
  w: Tensor,
  rows: number,
  columns: number,
  dtype: 'u32' | 'f32',
): Tensor {
  const out = b.transient('transposed filters', [columns, rows], dtype);
  b.dispatch(transposeFilters, { w, out }, { ROWS: rows, COLUMNS: columns });
  return out;
}

function resolveGradWeights(
  gradOutput: Tensor,
  input: Tensor,
  options: Conv2dOptions & { readonly filterShape: Shape },
  where: string,
): ResolvedConv2d {
  assertDType(gradOutput, 'f32', where);
  const geometry = resolveConv2d(input.shape, options.filterShape, options, where);
  assertShapeIs(gradOutput, geometry.outputShape, where);
  return geometry;
}

/** How many invocations keep a large GPU busy. */
const ENOUGH_INVOCATIONS = 16_384;
/** The most memory that the slices of a split sum take. */
const MOST_SLICE_BYTES = 2 ** 25;

/**
 * Splits the sum of a filter gradient over rows of the output into slices where there are too few filter weights to
 * keep a GPU busy, and adds the slices. The number of slices depends on shapes only, so results don't vary.
 */
function inSlices(
  b: ProgramBuilder,
  geometry: ResolvedConv2d,
  resultsPerInvocation: number,
  out: Tensor | undefined,
  where: string,
  record: (out: Tensor, chunks: number) => void,
): Tensor {
  const result = resultTensor(b, where, geometry.filterShape, 'f32', out);
  const size = sizeOf(geometry.filterShape);
  const rows = geometry.batch * geometry.outHeight;
  const wanted = Math.ceil((ENOUGH_INVOCATIONS * resultsPerInvocation) / size);
  const affordable = Math.floor(MOST_SLICE_BYTES / (4 * size));
  const chunks = Math.max(1, Math.min(wanted, affordable, rows));
  if (chunks === 1) {
    record(result, 1);
    return result;
  }
  const slices = b.transient(`${where} slices`, [chunks, ...geometry.filterShape], 'f32');
  record(slices, chunks);
  b.dispatch(sumSlices, { slices, out: result }, { SIZE: size, CHUNKS: chunks });
  return result;
}

/** Filters of a channel each with their channels side by side: words [taps, ceil(channels / 32)]. */
export function channelFilters(b: ProgramBuilder, w: Tensor, geometry: Conv2dGeometry): Tensor {
  const { channels: CHANNELS, kernelHeight, kernelWidth } = geometry;
  const TAPS = kernelHeight * kernelWidth;
  const out = b.transient('filters by channel', [TAPS, wordsFor(CHANNELS)], 'u32');
  b.dispatch(depthwiseWords, { w, out }, { CHANNELS, TAPS });
  return out;
}

/** A geometry as the override constants of the kernels. */
export function conv2dConstants(g: ResolvedConv2d): ConvConstants {
  return {
    BATCH: g.batch,
    HEIGHT: g.height,
    WIDTH: g.width,
    CHANNELS: g.channels,
    OUT_HEIGHT: g.outHeight,
    OUT_WIDTH: g.outWidth,
    OUT_CHANNELS: g.outChannels,
    KERNEL_HEIGHT: g.kernelHeight,
    KERNEL_WIDTH: g.kernelWidth,
    STRIDE_Y: g.strideY,
    STRIDE_X: g.strideX,
    DILATION_Y: g.dilationY,
    DILATION_X: g.dilationX,
    PAD_TOP: g.padTop,
    PAD_LEFT: g.padLeft,
    GROUPS: g.groups,
    PAD_VALUE: g.padValue,
  };
}

/** A geometry as the override constants of the kernels that `binaryConv2d` chooses from. */
export function binaryConv2dConstants(
  geometry: ResolvedConv2d,
  dtype: 'f32' | 'i32',
): ConvConstants & Readonly<Record<'PADDED' | 'INTEGER', number>> {
  const constants = conv2dConstants(geometry);
  return { ...constants, PADDED: needsPadding(constants) ? 1 : 0, INTEGER: dtype === 'i32' ? 1 : 0 };
}
