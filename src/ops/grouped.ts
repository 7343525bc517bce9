/** Weights of one bit, or ternary ones, with a scale for each group of them, and real activations: as some language models have them. */
import { OptionError, ShapeError } from '../errors.ts';
import { describe, type ProgramBuilder, type Tensor } from '../gpu/index.ts';
import { GROUPED_F16, GROUPED_F32, GROUPED_I8, halves, tokenBytes } from '../kernels/grouped.ts';
import { choose } from '../kernels/variants.ts';
import { assertDType, assertShapeIs, type OutOption, resultTensor } from './checks.ts';

/** Options of `groupedSignMatMul`. */
export interface GroupedSignMatMulOptions extends OutOption {
  /** bits [N, K], 1 where a weight is not 0: weights are ternary then, −d, 0 or d. Absent: no weight is 0. */
  readonly nonzero?: Tensor | undefined;
  /** f32 [M], what the bytes of a row of activations are multiples of: goes with activations of bytes, and with no others. */
  readonly xScales?: Tensor | undefined;
}

/**
 * x · (d · sign(w))ᵀ, where each group of signs along a row of weights has a scale d: y = Σ_g d_g · Σ_{i in g} s_i · x_i. GGUF's
 * Q1_0 has groups of 128; a group is any multiple of 32 that divides a row. Sums are f32, and of bytes integers for every 32 of them.
 * @param x [M, K]: f32, f16, or u8 that are read as signed bytes, with `xScales` (`quantizeTokens` makes them)
 * @param w bits [N, K]: bit 1 is −1 (of Q1_0 it is +1: negate its words)
 * @param scales f32 or f16 [N, K / group], which says how long a group is
 * @returns f32 [M, N]
 * @throws ShapeError, OptionError
 */
export function groupedSignMatMul(
  b: ProgramBuilder,
  x: Tensor,
  w: Tensor,
  scales: Tensor,
  options: GroupedSignMatMulOptions = {},
): Tensor {
  const where = 'groupedSignMatMul';
  const { nonzero, xScales } = options;
  if (x.dtype !== 'f16' && x.dtype !== 'u8') assertDType(x, 'f32', where);
  assertDType(w, 'bits', where);
  if (scales.dtype !== 'f16') assertDType(scales, 'f32', where);
  const [M = 0, K = 0] = x.shape;
  const [N = 0, length] = w.shape;
  if (x.shape.length !== 2 || w.shape.length !== 2 || length !== K) {
    throw new ShapeError('Activations and weights are rows of one length.', {
      given: `${describe(x.shape)} and ${describe(w.shape)}`,
      expected: '[M, K] and [N, K]',
      where,
    });
  }
  const GROUP = K / (scales.shape[1] ?? 0);
  if (!Number.isInteger(GROUP) || GROUP % 32 !== 0) {
    throw new ShapeError('Groups divide a row, and are multiples of 32.', {
      given: `${scales.shape[1]} scales of a row of ${K}`,
      where,
    });
  }
  assertShapeIs(scales, [N, K / GROUP], where);
  if (nonzero !== undefined) {
    assertDType(nonzero, 'bits', where);
    assertShapeIs(nonzero, [N, K], where);
  }
  if ((x.dtype === 'u8') !== (xScales !== undefined)) {
    throw new OptionError('Activations of bytes come with a scale for each row, and others without.', {
      given: `${x.dtype} ${xScales === undefined ? 'without' : 'with'} xScales`,
      where,
      remedy: 'make both of them with ops.quantizeTokens',
    });
  }
  const out = resultTensor(b, where, [M, N], 'f32', options.out);
  const extents = {
    ...{ M, N, K, GROUP },
    TERNARY: nonzero === undefined ? 0 : 1,
    HALF_SCALES: scales.dtype === 'f16' ? 1 : 0,
  };
  // Something has to be bound; without zeros it isn't read.
  const operands = { x, w, nonzero: nonzero ?? w, scales, out };
  if (xScales !== undefined) {
    assertDType(xScales, 'f32', where);
    assertShapeIs(xScales, [M], where);
    b.dispatch(choose(GROUPED_I8, extents, b.gpu), { ...operands, xScales }, extents);
  } else {
    const family = x.dtype === 'f16' ? GROUPED_F16 : GROUPED_F32;
    b.dispatch(choose(family, extents, b.gpu), operands, extents);
  }
  return out;
}

/**
 * `groupedSignMatMul` of f32 and nothing else, for layers, which know that shapes fit: pages carry this alone.
 * @param x f32 [M, K]
 * @param w bits [N, K]
 * @param scales f32 [N, K / group]
 * @returns f32 [M, N]
 */
export function groupedRows(b: ProgramBuilder, x: Tensor, w: Tensor, scales: Tensor): Tensor {
  const [N = 1, K = 1] = w.shape;
  const M = x.size / K;
  const out = b.transient('grouped rows', [M, N], 'f32');
  const GROUP = (N * K) / scales.size;
  const extents = { M, N, K, GROUP, TERNARY: 0, HALF_SCALES: 0 };
  b.dispatch(choose(GROUPED_F32, extents, b.gpu), { x, w, nonzero: w, scales, out }, extents);
  return out;
}

/**
 * Reals as half floats, rounded as the device rounds them, for products whose activations are to take half the memory.
 * @param x f32, any shape
 * @returns f16 of x's shape
 * @throws ShapeError
 */
export function roundToHalves(b: ProgramBuilder, x: Tensor, options: OutOption = {}): Tensor {
  assertDType(x, 'f32', 'roundToHalves');
  const out = resultTensor(b, 'roundToHalves', x.shape, 'f16', options.out);
  b.dispatch(halves, { x, halves: out }, { COUNT: x.size });
  return out;
}

/** What `quantizeTokens` makes of rows of activations. */
export interface QuantizedTokens {
  /** u8 [M, K], to be read as signed bytes, −127 to 127. */
  readonly values: Tensor;
  /** f32 [M]: a value is its byte times the scale of its row. */
  readonly xScales: Tensor;
}

/**
 * Activations as signed bytes with a scale for each row (token): round(127·x / m) with m the largest |x| of the row, and m / 127.
 * @param x f32 [M, K], K a multiple of 4
 * @throws ShapeError
 */
export function quantizeTokens(b: ProgramBuilder, x: Tensor): QuantizedTokens {
  const where = 'quantizeTokens';
  assertDType(x, 'f32', where);
  const [ROWS = 0, CHANNELS = 0] = x.shape;
  if (x.shape.length !== 2 || CHANNELS % 4 !== 0) {
    throw new ShapeError('Tokens are rows whose length is a multiple of 4.', {
      given: describe(x.shape),
      expected: '[M, K]',
      where,
    });
  }
  const values = b.transient('token bytes', x.shape, 'u8');
  const xScales = b.transient('token scales', [ROWS], 'f32');
  b.dispatch(tokenBytes, { x, values, scales: xScales }, { ROWS, CHANNELS });
  return { values, xScales };
}
