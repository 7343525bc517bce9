/**
 * Gradients of convolutions, with respect to the input and to the filters: activations NHWC, filters OHWI, bits packed on the
 * last axis.
 */
import { type ProgramBuilder, type Shape, sizeOf, type Tensor } from '../gpu/index.ts';
import {
  BINARY_GRAD_INPUT,
  BINARY_GRAD_WEIGHTS,
  canTileGradWeights,
  canTileRealGradWeights,
  REAL_GRAD_INPUT,
  REAL_GRAD_WEIGHTS,
  sumSlices,
  sumSlices4,
} from '../kernels/conv-gradients.ts';
import { choose } from '../kernels/variants.ts';
import { realInput } from './bytes.ts';
import { assertDType, assertShapeIs, type OutOption, resultTensor } from './checks.ts';
import { type Conv2dOptions, conv2dConstants, type ResolvedConv2d, resolveConv2d } from './conv.ts';

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
  const windows = resolveConv2d(options.inputShape, w.shape, options, where);
  assertShapeIs(gradOutput, windows.outputShape, where);
  const { gate } = options;
  if (gate !== undefined) {
    assertDType(gate, 'bits', where);
    assertShapeIs(gate, windows.inputShape, where);
  }
  const out = resultTensor(b, where, windows.inputShape, 'f32', options.out);
  const constants = { ...conv2dConstants(windows), GATED: gate === undefined ? 0 : 1 };
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
  const windows = resolveGradWeights(gradOutput, a, options, where);
  const constants = conv2dConstants(windows);
  const tiled = canTileGradWeights(constants);
  return inSlices(b, windows, tiled ? 64 : 1, options.out, where, (out, CHUNKS) => {
    const extents = { ...constants, CHUNKS };
    b.dispatch(choose(BINARY_GRAD_WEIGHTS, extents, b.gpu), { g: gradOutput, a, out }, extents);
  });
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
  const windows = resolveConv2d(options.inputShape, w.shape, options, where);
  assertShapeIs(gradOutput, windows.outputShape, where);
  const out = resultTensor(b, where, windows.inputShape, 'f32', options.out);
  const constants = conv2dConstants(windows);
  b.dispatch(choose(REAL_GRAD_INPUT, constants, b.gpu), { g: gradOutput, w, out }, constants);
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

function realInputGradWeights(
  b: ProgramBuilder,
  gradOutput: Tensor,
  x: Tensor,
  options: Conv2dOptions & OutOption & { readonly filterShape: Shape },
  where: string,
): Tensor {
  assertDType(x, 'f32', where);
  const windows = resolveGradWeights(gradOutput, x, options, where);
  const constants = conv2dConstants(windows);
  // Of the default on most devices: which kernel runs must not change how sums are split.
  const resultsPerInvocation =
    windows.channels >= 8 && canTileRealGradWeights(constants) ? 64 : canTileGradWeights(constants) ? 32 : 1;
  return inSlices(b, windows, resultsPerInvocation, options.out, where, (out, CHUNKS) => {
    const extents = { ...constants, CHUNKS };
    b.dispatch(choose(REAL_GRAD_WEIGHTS, extents, b.gpu), { g: gradOutput, x, out }, extents);
  });
}

function resolveGradWeights(
  gradOutput: Tensor,
  input: Tensor,
  options: Conv2dOptions & { readonly filterShape: Shape },
  where: string,
): ResolvedConv2d {
  assertDType(gradOutput, 'f32', where);
  const windows = resolveConv2d(input.shape, options.filterShape, options, where);
  assertShapeIs(gradOutput, windows.outputShape, where);
  return windows;
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
  windows: ResolvedConv2d,
  resultsPerInvocation: number,
  out: Tensor | undefined,
  where: string,
  record: (out: Tensor, chunks: number) => void,
): Tensor {
  const result = resultTensor(b, where, windows.filterShape, 'f32', out);
  const size = sizeOf(windows.filterShape);
  const rows = windows.batch * windows.outHeight;
  const wanted = Math.ceil((ENOUGH_INVOCATIONS * resultsPerInvocation) / size);
  const affordable = Math.floor(MOST_SLICE_BYTES / (4 * size));
  const chunks = Math.max(1, Math.min(wanted, affordable, rows));
  if (chunks === 1) {
    record(result, 1);
    return result;
  }
  const slices = b.transient(`${where} slices`, [chunks, ...windows.filterShape], 'f32');
  record(slices, chunks);
  const [kernel, lanes] = size % 4 === 0 ? [sumSlices4, size / 4] : [sumSlices, size];
  b.dispatch(kernel, { slices, out: result }, { LANES: lanes, CHUNKS: chunks });
  return result;
}
