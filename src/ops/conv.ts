/**
 * Convolutions: activations NHWC, filters OHWI, bits packed on the last axis. For binary x binary,
 * real x binary (a first layer) and real x real; gradients are in `conv-gradients.ts`.
 */
import { OptionError, ShapeError } from '../errors.ts';
import { describe, type ProgramBuilder, type Shape, type Tensor, wordsFor } from '../gpu/index.ts';
import {
  BINARY_FORWARD,
  binaryForward,
  type ConvConstants,
  edgeClasses,
  edgeSums,
  expandFilters,
  needsPadding,
  pad,
  paddedSize,
  REAL_FORWARD,
  realForward,
  signForward,
  tapSums,
  transposeFilters,
} from '../kernels/conv.ts';
import { canCountChannels, depthwiseForward, depthwiseWords } from '../kernels/depthwise.ts';
import { choose } from '../kernels/variants.ts';
import type { Conv2dWindows, Padding } from '../numerics/windows.ts';
import { realInput } from './bytes.ts';
import { assertDType, type OutOption, resultTensor } from './checks.ts';
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

/** A convolution's windows with the shapes of its three tensors. */
export interface ResolvedConv2d extends Conv2dWindows {
  /** Rows of padding below the image. */
  readonly padBottom: number;
  /** Columns of padding right of the image. */
  readonly padRight: number;
  /** [N, H, W, C]. */
  readonly inputShape: Shape;
  /** [O, kh, kw, C/groups]. */
  readonly filterShape: Shape;
  /** [N, H', W', O]. */
  readonly outputShape: Shape;
}

/**
 * Works out the windows of a convolution.
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
  const windows = resolveConv2d(a.shape, w.shape, options, where);
  const dtype = options.dtype ?? (options.out?.dtype === 'i32' ? 'i32' : 'f32');
  if (dtype !== 'f32' && dtype !== 'i32') {
    throw new OptionError('A binary convolution gives f32 or i32.', { given: `${dtype}`, where });
  }
  const out = resultTensor(b, where, windows.outputShape, dtype, options.out);
  const constants = conv2dConstants(windows);
  const all = binaryConv2dConstants(windows, dtype);
  const { PADDED, INTEGER } = all;
  const kernel = choose(BINARY_FORWARD, all, b.gpu);
  if (kernel !== undefined) {
    const input = PADDED === 1 ? paddedInput(b, a, constants) : a;
    const words = windows.kernelHeight * windows.kernelWidth * wordsFor(windows.channels);
    const transposed = transposedFilters(b, w, windows.outChannels, words, 'u32');
    // Something has to be bound; where padding counts as what it is, or there is none, it isn't read.
    const edges = PADDED === 1 && windows.padValue === 0 ? sumsOfEdges(b, transposed, windows) : transposed;
    b.dispatch(kernel, { a: input, w: transposed, edges, out }, all);
  } else if (canCountChannels(constants)) {
    b.dispatch(depthwiseForward, { a, w: channelFilters(b, w, windows), out }, { ...constants, INTEGER });
  } else {
    b.dispatch(binaryForward, { a, w, out }, { ...constants, INTEGER });
  }
  return out;
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
  const windows = resolveConv2d(x.shape, w.shape, options, where);
  const out = resultTensor(b, where, windows.outputShape, 'f32', options.out);
  const constants = conv2dConstants(windows);
  const tile = choose(REAL_FORWARD, constants, b.gpu);
  if (tile !== undefined) {
    const { outChannels, kernelHeight, kernelWidth, channels } = windows;
    const TAPS = kernelHeight * kernelWidth;
    const expanded = b.transient('expanded filters', [TAPS, channels, outChannels], 'f32');
    b.dispatch(expandFilters, { w, out: expanded }, { OUT_CHANNELS: outChannels, TAPS, CHANNELS: channels });
    b.dispatch(tile, { x: reals, w: expanded, out }, constants);
  } else {
    b.dispatch(signForward, { x: reals, w, out }, constants);
  }
  return out;
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
  const windows = resolveConv2d(x.shape, w.shape, options, where);
  const out = resultTensor(b, where, windows.outputShape, 'f32', options.out);
  const constants = conv2dConstants(windows);
  const tile = choose(REAL_FORWARD, constants, b.gpu);
  if (tile !== undefined) {
    const { outChannels } = windows;
    const transposed = transposedFilters(b, w, outChannels, w.size / outChannels, 'f32');
    b.dispatch(tile, { x, w: transposed, out }, constants);
  } else {
    b.dispatch(realForward, { x, w, out }, constants);
  }
  return out;
}

/** Packed activations with their padding around them. */
export function paddedInput(b: ProgramBuilder, a: Tensor, constants: ConvConstants): Tensor {
  const { BATCH, CHANNELS } = constants;
  const out = b.transient('padded input', [BATCH, ...paddedSize(constants), CHANNELS], 'bits');
  b.dispatch(pad, { a, out }, { ...constants, PADDED: 1 });
  return out;
}

/**
 * What the taps outside a padded image add where the padding reads +1: [rows, columns, outputs] of `edgeClasses`.
 * @param filters u32, as `transposedFilters` gives them
 */
export function sumsOfEdges(b: ProgramBuilder, filters: Tensor, windows: ResolvedConv2d): Tensor {
  const { outChannels, kernelHeight, kernelWidth, channels } = windows;
  const constants = conv2dConstants(windows);
  const TAPS = kernelHeight * kernelWidth;
  const sums = b.transient('sums of taps', [TAPS, outChannels], 'i32');
  b.dispatch(tapSums, { w: filters, out: sums }, { OUT_CHANNELS: outChannels, TAPS, CHANNELS: channels });
  const out = b.transient('sums of edges', [...edgeClasses(constants), outChannels], 'i32');
  // The same for every batch, and known by these numbers.
  b.dispatch(edgeSums, { sums, out }, { ...constants, BATCH: 1, PADDED: 1 });
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

/** Filters of a channel each with their channels side by side: words [taps, ceil(channels / 32)]. */
export function channelFilters(b: ProgramBuilder, w: Tensor, windows: Conv2dWindows): Tensor {
  const { channels: CHANNELS, kernelHeight, kernelWidth } = windows;
  const TAPS = kernelHeight * kernelWidth;
  const out = b.transient('filters by channel', [TAPS, wordsFor(CHANNELS)], 'u32');
  b.dispatch(depthwiseWords, { w, out }, { CHANNELS, TAPS });
  return out;
}

/** Windows as the override constants of the kernels. */
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

/** Windows as the override constants of the kernels that `binaryConv2d` chooses from. */
export function binaryConv2dConstants(
  windows: ResolvedConv2d,
  dtype: 'f32' | 'i32',
): ConvConstants & Readonly<Record<'PADDED' | 'INTEGER', number>> {
  const constants = conv2dConstants(windows);
  return { ...constants, PADDED: needsPadding(constants) ? 1 : 0, INTEGER: dtype === 'i32' ? 1 : 0 };
}
