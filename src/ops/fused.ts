/**
 * Binary layers of networks that are only run: a product of signs with all that follows it in one kernel, to reals or to
 * packed signs, so that a stack of them passes bits only. The formulas stand in `src/numerics/epilogue.ts`.
 */
import { OptionError, ShapeError } from '../errors.ts';
import {
  type Constants,
  describe,
  type Gpu,
  type ProgramBuilder,
  type Shape,
  type Tensor,
  type Workgroups,
  wordsFor,
} from '../gpu/index.ts';
import { needsPadding } from '../kernels/conv.ts';
import { canCountChannels, depthwiseLimits, depthwiseReal, depthwiseSigns } from '../kernels/depthwise.ts';
import {
  FUSED_REAL,
  FUSED_SIGNS,
  fusedReal,
  fusedSigns,
  planesFilters,
  planesReal,
  planesSigns,
  planesSplit,
} from '../kernels/fused.ts';
import { candidates, choose, type Family } from '../kernels/variants.ts';
import { clampRange, type FusedActivation } from '../numerics/epilogue.ts';
import { assertDType, assertFloats, type OutOption, resultTensor } from './checks.ts';
import {
  type Conv2dOptions,
  channelFilters,
  conv2dConstants,
  paddedInput,
  type ResolvedConv2d,
  resolveConv2d,
  sumsOfEdges,
  transposedFilters,
} from './conv.ts';

export type { FusedActivation } from '../numerics/epilogue.ts';

/** What sums may be clamped to at the end of a binary product. */
export const FUSED_ACTIVATIONS: readonly FusedActivation[] = ['relu', 'relu6', 'reluN1To1'];

/** Sums as reals: PReLU(clamp(sum)·multiplier + bias + residual). Parameters are f32 [outputs]. */
export interface RealOutput {
  /** Tells it from `SignOutput`. */
  readonly output: 'real';
  /** Absent together with `bias`: the sums stay as they are. */
  readonly multiplier?: Tensor | undefined;
  /** Comes together with `multiplier`. */
  readonly bias?: Tensor | undefined;
  /** f32, shape of the output. */
  readonly residual?: Tensor | undefined;
  /** Of a PReLU. */
  readonly slope?: Tensor | undefined;
}

/** Sums as signs: +1 where direction·clamp(sum) ≥ threshold. Parameters are f32 [outputs]. */
export interface SignOutput {
  /** Tells it from `RealOutput`. */
  readonly output: 'signs';
  /** 1, −1, or 0 where the sign is the same whatever the sum. */
  readonly direction: Tensor;
  /** What direction·clamp(sum) is compared with. */
  readonly threshold: Tensor;
}

/** How a binary product ends. */
export interface FusedOptions extends OutOption {
  /** Clamps the sum before everything else. */
  readonly activation?: FusedActivation | undefined;
  /** What becomes of the sums. */
  readonly epilogue: RealOutput | SignOutput;
  /** A kernel by name, or `general` for the one for any windows; for tests and measurements. */
  readonly variant?: string | undefined;
}

/**
 * Binary convolution with its epilogue.
 * @param a bits [N, H, W, C]
 * @param w bits [O, kh, kw, C/groups]
 * @returns f32 [N, OH, OW, O], or bits of that shape
 * @throws ShapeError, OptionError
 */
export function fusedBinaryConv2d(
  b: ProgramBuilder,
  a: Tensor,
  w: Tensor,
  options: Conv2dOptions & FusedOptions,
): Tensor {
  const where = 'fusedBinaryConv2d';
  assertDType(a, 'bits', where);
  assertDType(w, 'bits', where);
  const windows = resolveConv2d(a.shape, w.shape, options, where);
  return record(b, a, w, windows, windows.outputShape, options, where);
}

/**
 * Product of signs with its epilogue.
 * @param a bits [M, K]
 * @param w bits [N, K]
 * @returns f32 [M, N], or bits of that shape
 * @throws ShapeError, OptionError
 */
export function fusedBinaryMatMul(b: ProgramBuilder, a: Tensor, w: Tensor, options: FusedOptions): Tensor {
  const where = 'fusedBinaryMatMul';
  assertDType(a, 'bits', where);
  assertDType(w, 'bits', where);
  const [M = 0, K = 0] = a.shape;
  const [N = 0] = w.shape;
  if (a.shape.length !== 2 || w.shape.length !== 2 || w.shape[1] !== K) {
    throw new ShapeError("The operands don't fit each other.", {
      given: `${describe(a.shape)} and ${describe(w.shape)}`,
      expected: '[M, K] and [N, K]',
      where,
    });
  }
  // A matrix is a batch of images of one pixel.
  const windows = resolveConv2d([M, 1, 1, K], [N, 1, 1, K], {}, where);
  return record(b, a, w, windows, [M, N], options, where);
}

function record(
  b: ProgramBuilder,
  a: Tensor,
  w: Tensor,
  windows: ResolvedConv2d,
  outputShape: Shape,
  options: FusedOptions,
  where: string,
): Tensor {
  const { epilogue } = options;
  const { outChannels, padValue } = windows;
  const extents = conv2dConstants(windows);
  const constants = { ...extents, ...clampOf(options, where) };
  const bindings = epilogueOf(epilogue, outChannels, outputShape, w, where);
  const out = resultTensor(b, where, outputShape, epilogue.output === 'signs' ? 'bits' : 'f32', options.out);
  if (options.variant === undefined && canCountChannels(extents)) {
    const filters = channelFilters(b, w, windows);
    if (bindings.output === 'signs') {
      const limits = b.transient('limits', [8, wordsFor(outChannels)], 'u32');
      const { LOWEST, HIGHEST } = constants;
      const TAPS = windows.kernelHeight * windows.kernelWidth;
      const channels = { CHANNELS: outChannels, TAPS, LOWEST, HIGHEST };
      b.dispatch(depthwiseLimits, { ...bindings.tensors, out: limits }, channels);
      b.dispatch(depthwiseSigns, { a, w: filters, limits, bits: out }, extents);
    } else {
      const all = { ...constants, ...bindings.flags };
      b.dispatch(depthwiseReal, { a, w: filters, ...bindings.tensors, out }, all);
    }
    return out;
  }
  const PADDED = needsPadding(extents) ? 1 : 0;
  // What the families of kernels share is laid out when one of them takes the windows.
  const operands = () => {
    const words = windows.kernelHeight * windows.kernelWidth * wordsFor(windows.channels);
    const filters = transposedFilters(b, w, outChannels, words, 'u32');
    return {
      a: PADDED === 1 ? paddedInput(b, a, extents) : a,
      w: filters,
      // Something has to be bound; where padding counts as what it is, or there is none, it isn't read.
      edges: PADDED === 1 && padValue === 0 ? sumsOfEdges(b, filters, windows) : filters,
    };
  };
  if (bindings.output === 'signs') {
    const all = { ...constants, PADDED };
    const kernel = kernelOf(FUSED_SIGNS, all, b.gpu, options.variant);
    if (kernel) b.dispatch(kernel, { ...operands(), ...bindings.tensors, bits: out }, all);
    else b.dispatch(fusedSigns, { a, w, ...bindings.tensors, bits: out }, constants);
  } else {
    const all = { ...constants, PADDED, ...bindings.flags };
    const kernel = kernelOf(FUSED_REAL, all, b.gpu, options.variant);
    if (kernel) b.dispatch(kernel, { ...operands(), ...bindings.tensors, out }, all);
    else b.dispatch(fusedReal, { a, w, ...bindings.tensors, out }, { ...constants, ...bindings.flags });
  }
  return out;
}

/**
 * Convolution of an 8-bit image with binary filters by bit planes, with its epilogue: Σ 2^p·(bits − 2·bits that meet −1),
 * exact integers, the same as `signConv2d` gives. Outside the image is 0.
 * @param x u8 [N, H, W, C], or f32 of that shape which holds integers of 8 bits (not checked)
 * @param w bits [O, kh, kw, C]
 * @param options.signed the integers are −128 to 127 instead of 0 to 255; false when absent
 * @param options.epilogue the sums as they are when absent
 * @returns f32 [N, OH, OW, O], or bits of that shape
 * @throws ShapeError, OptionError
 */
export function planeConv2d(
  b: ProgramBuilder,
  x: Tensor,
  w: Tensor,
  options: Conv2dOptions &
    Omit<FusedOptions, 'variant' | 'epilogue'> & {
      readonly epilogue?: FusedOptions['epilogue'] | undefined;
      readonly signed?: boolean | undefined;
    } = {},
): Tensor {
  const where = 'planeConv2d';
  if (x.dtype !== 'u8') assertDType(x, 'f32', where);
  assertDType(w, 'bits', where);
  const windows = resolveConv2d(x.shape, w.shape, options, where);
  const { outChannels: OUT_CHANNELS, channels: CHANNELS, kernelHeight, kernelWidth, outputShape } = windows;
  if (windows.groups !== 1 || windows.padValue !== 0) {
    throw new OptionError('Bit planes are convolved without groups, and padded with 0.', {
      given: `${windows.groups} groups, pad value ${windows.padValue}`,
      where,
      remedy: 'use signConv2d',
    });
  }
  const { epilogue = { output: 'real' } as const } = options;
  const SIGNED = options.signed === true ? 1 : 0;
  const TAPS = kernelHeight * kernelWidth;
  const patchWords = wordsFor(TAPS * CHANNELS);
  const pixels = windows.batch * windows.outHeight * windows.outWidth;
  const extents = conv2dConstants(windows);
  const constants = { ...extents, ...clampOf(options, where), SIGNED };
  const bindings = epilogueOf(epilogue, OUT_CHANNELS, outputShape, w, where);
  const out = resultTensor(b, where, outputShape, epilogue.output === 'signs' ? 'bits' : 'f32', options.out);
  const filters = b.transient('filters as patches', [patchWords, 4 * Math.ceil(OUT_CHANNELS / 4)], 'u32');
  b.dispatch(planesFilters, { w, out: filters }, { OUT_CHANNELS, TAPS, CHANNELS });
  const planes = b.transient('bit planes', [pixels, 4 * (2 * patchWords + 1)], 'u32');
  b.dispatch(planesSplit, { x, planes }, { ...extents, SIGNED, REAL: x.dtype === 'f32' ? 1 : 0 });
  if (bindings.output === 'signs') {
    b.dispatch(planesSigns, { planes, w: filters, ...bindings.tensors, bits: out }, constants);
  } else {
    b.dispatch(
      planesReal,
      { planes, w: filters, ...bindings.tensors, out },
      { ...constants, ...bindings.flags },
    );
  }
  return out;
}

function kernelOf<
  Kernel extends { readonly name: string; workgroups(extents: Extents): Workgroups },
  Extents extends Constants,
>(
  family: Family<Kernel, Extents>,
  extents: Extents,
  gpu: Gpu,
  variant: string | undefined,
): Kernel | undefined {
  if (variant === undefined) return choose(family, extents, gpu);
  return candidates(family, extents, gpu).find(({ name }) => name === variant);
}

/** The interval that sums are clamped to. @throws OptionError for an activation that is unknown */
function clampOf({ activation }: Pick<FusedOptions, 'activation'>, where: string) {
  if (activation !== undefined && !FUSED_ACTIVATIONS.includes(activation)) {
    throw new OptionError('This activation is unknown.', {
      given: String(activation),
      expected: FUSED_ACTIVATIONS.join(', '),
      where,
    });
  }
  const [LOWEST, HIGHEST] = clampRange(activation);
  return { LOWEST, HIGHEST };
}

/** The tensors of an epilogue, checked, and whether the optional ones are there. */
function epilogueOf(
  epilogue: RealOutput | SignOutput,
  channels: number,
  outputShape: Shape,
  unread: Tensor,
  where: string,
) {
  if (epilogue.output === 'signs') {
    const { direction, threshold } = epilogue;
    for (const tensor of [direction, threshold]) assertFloats(tensor, [channels], where);
    return { output: 'signs', tensors: { direction, threshold } } as const;
  }
  const { multiplier, bias, slope, residual } = epilogue;
  for (const tensor of [multiplier, bias, slope]) {
    if (tensor !== undefined) assertFloats(tensor, [channels], where);
  }
  if (residual !== undefined) assertFloats(residual, outputShape, where);
  if ((multiplier === undefined) !== (bias === undefined)) {
    throw new OptionError('A multiplier and a bias come together.', {
      given: multiplier === undefined ? 'a bias' : 'a multiplier',
      where,
    });
  }
  return {
    output: 'real',
    // Something has to be bound; what isn't there isn't read.
    tensors: {
      multiplier: multiplier ?? unread,
      bias: bias ?? unread,
      slope: slope ?? unread,
      residual: residual ?? unread,
    },
    flags: {
      HAS_SCALE: multiplier === undefined ? 0 : 1,
      HAS_RESIDUAL: residual === undefined ? 0 : 1,
      HAS_SLOPE: slope === undefined ? 0 : 1,
    },
  } as const;
}
