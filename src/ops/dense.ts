/**
 * Packing and matrix products: binary × binary by XOR and popcount, real × binary (a first layer) and real × real, with
 * the gradients that training takes of them. Weights are [outputs, inputs] with bits packed along the inputs.
 */
import { OptionError, ShapeError } from '../errors.ts';
import { describe, type ProgramBuilder, type Tensor, wordsFor } from '../gpu/index.ts';
import { transposeFilters } from '../kernels/conv.ts';
import {
  BINARY,
  BINARY_BY_SIDE,
  type Extents,
  REAL,
  REAL_NT,
  REAL_TN,
  real,
  SIGN,
  SIGN_GRAD_INPUT,
  SIGN_GRAD_WEIGHTS,
} from '../kernels/gemm.ts';
import { pack, unpack } from '../kernels/pack.ts';
import { choose } from '../kernels/variants.ts';
import { realInput } from './bytes.ts';
import { assertDType, assertShapeIs, type OutOption, resultTensor } from './checks.ts';

/**
 * Packs signs along the last axis: bit 1 where x < 0; 0, −0 and NaN count as +1.
 * @param x f32 [..., C]
 * @returns bits [..., C]
 * @throws ShapeError
 */
export function packSigns(b: ProgramBuilder, x: Tensor, options: OutOption = {}): Tensor {
  assertDType(x, 'f32', 'packSigns');
  const bits = resultTensor(b, 'packSigns', x.shape, 'bits', options.out);
  b.dispatch(pack, { x, bits }, rowsOf(x));
  return bits;
}

/**
 * The inverse of `packSigns`: −1 where a bit is 1, +1 where it is 0.
 * @param bits bits [..., C]
 * @returns f32 [..., C]
 * @throws ShapeError
 */
export function unpackSigns(b: ProgramBuilder, bits: Tensor, options: OutOption = {}): Tensor {
  assertDType(bits, 'bits', 'unpackSigns');
  const x = resultTensor(b, 'unpackSigns', bits.shape, 'f32', options.out);
  b.dispatch(unpack, { bits, x }, rowsOf(bits));
  return x;
}

/**
 * sign(a) · sign(w)ᵀ by XOR and popcount: K − 2 · popcount(a ⊕ w), an exact integer.
 * @param a bits [M, K]
 * @param w bits [N, K]
 * @param options.dtype of the result, `f32` when absent (exact too, below 2²⁴)
 * @returns f32 or i32 [M, N]
 * @throws ShapeError, OptionError
 */
export function binaryMatMul(
  b: ProgramBuilder,
  a: Tensor,
  w: Tensor,
  options: OutOption & { readonly dtype?: 'f32' | 'i32' | undefined } = {},
): Tensor {
  const where = 'binaryMatMul';
  assertDType(a, 'bits', where);
  assertDType(w, 'bits', where);
  const extents = forwardExtents(a, w, where);
  const dtype = options.dtype ?? (options.out?.dtype === 'i32' ? 'i32' : 'f32');
  if (dtype !== 'f32' && dtype !== 'i32') {
    throw new OptionError('A binary product gives f32 or i32.', { given: `${dtype}`, where });
  }
  const out = resultTensor(b, where, [extents.M, extents.N], dtype, options.out);
  const constants = { ...extents, INTEGER: dtype === 'i32' ? 1 : 0 };
  const { M, N, K } = extents;
  // To lay the weights anew costs as much as a few rows do.
  const bySide = M >= 16 ? choose(BINARY_BY_SIDE, constants, b.gpu) : undefined;
  if (bySide !== undefined) {
    const words = b.transient('words side by side', [wordsFor(K), N], 'u32');
    b.dispatch(transposeFilters, { w, out: words }, { ROWS: N, COLUMNS: wordsFor(K) });
    b.dispatch(bySide, { a, w: words, out }, constants);
  } else {
    b.dispatch(choose(BINARY, constants, b.gpu), { a, w, out }, constants);
  }
  return out;
}

/**
 * Gradient of a product with binary weights with respect to its left operand (binary or real): g · sign(w), gated.
 * @param gradOutput f32 [M, N]
 * @param w bits [N, K]
 * @param options.gate bits [M, K], 1 where the gradient passes the operand's quantizer; all pass when absent
 * @returns f32 [M, K]
 * @throws ShapeError
 */
export function binaryMatMulGradInput(
  b: ProgramBuilder,
  gradOutput: Tensor,
  w: Tensor,
  options: OutOption & { readonly gate?: Tensor | undefined } = {},
): Tensor {
  const where = 'binaryMatMulGradInput';
  assertDType(gradOutput, 'f32', where);
  assertDType(w, 'bits', where);
  const [M, N] = extentsOf(gradOutput, where);
  const [rows, K] = extentsOf(w, where);
  assertSameExtent(N, rows, 'outputs', [gradOutput, w], where);
  const { gate } = options;
  if (gate !== undefined) {
    assertDType(gate, 'bits', where);
    assertShapeIs(gate, [M, K], where);
  }
  const out = resultTensor(b, where, [M, K], 'f32', options.out);
  // Something has to be bound; without a gate it isn't read.
  const constants = { M, N, K, GATED: gate === undefined ? 0 : 1 };
  b.dispatch(
    choose(SIGN_GRAD_INPUT, constants, b.gpu),
    { g: gradOutput, w, gate: gate ?? w, out },
    constants,
  );
  return out;
}

/**
 * Gradient of a binary product with respect to the signs of its weights: gᵀ · sign(a). The straight-through estimator
 * hands it on to the latent weights.
 * @param gradOutput f32 [M, N]
 * @param a bits [M, K]
 * @returns f32 [N, K]
 * @throws ShapeError
 */
export function binaryMatMulGradWeights(
  b: ProgramBuilder,
  gradOutput: Tensor,
  a: Tensor,
  options: OutOption = {},
): Tensor {
  const where = 'binaryMatMulGradWeights';
  assertDType(gradOutput, 'f32', where);
  assertDType(a, 'bits', where);
  const extents = gradWeightsExtents(gradOutput, a, where);
  const out = resultTensor(b, where, [extents.N, extents.K], 'f32', options.out);
  b.dispatch(choose(SIGN_GRAD_WEIGHTS, extents, b.gpu), { g: gradOutput, a, out }, extents);
  return out;
}

/**
 * x · sign(w)ᵀ: a real input, binary weights (the first layer of a binary network).
 * @param x f32 [M, K], or u8 [M, K]: bytes count as 0 to 255
 * @param w bits [N, K]
 * @returns f32 [M, N]
 * @throws ShapeError
 */
export function signMatMul(b: ProgramBuilder, x: Tensor, w: Tensor, options: OutOption = {}): Tensor {
  const where = 'signMatMul';
  const reals = realInput(b, x);
  assertDType(reals, 'f32', where);
  assertDType(w, 'bits', where);
  const extents = forwardExtents(reals, w, where);
  const out = resultTensor(b, where, [extents.M, extents.N], 'f32', options.out);
  b.dispatch(choose(SIGN, extents, b.gpu), { x: reals, w, out }, extents);
  return out;
}

/**
 * Gradient of a product of a real input with respect to its weights, or their signs: gᵀ · x.
 * @param gradOutput f32 [M, N]
 * @param x f32 or u8 [M, K]
 * @returns f32 [N, K]
 * @throws ShapeError
 */
export function signMatMulGradWeights(
  b: ProgramBuilder,
  gradOutput: Tensor,
  x: Tensor,
  options: OutOption = {},
): Tensor {
  const where = 'signMatMulGradWeights';
  const reals = realInput(b, x);
  assertDType(gradOutput, 'f32', where);
  assertDType(reals, 'f32', where);
  gradWeightsExtents(gradOutput, reals, where);
  return matMul(b, gradOutput, reals, { ...options, transposeA: true });
}

/** Which operands of `matMul` are stored transposed. */
export interface TransposeOptions {
  /** `a` is stored as [K, M]. Default false. */
  readonly transposeA?: boolean | undefined;
  /** `b` is stored as [N, K]. Default false. */
  readonly transposeB?: boolean | undefined;
}

/**
 * Product of reals.
 * @param a f32 [M, K], or [K, M] with `transposeA`
 * @param c f32 [K, N], or [N, K] with `transposeB`
 * @returns f32 [M, N]
 * @throws ShapeError
 */
export function matMul(
  b: ProgramBuilder,
  a: Tensor,
  c: Tensor,
  options: OutOption & TransposeOptions = {},
): Tensor {
  const where = 'matMul';
  assertDType(a, 'f32', where);
  assertDType(c, 'f32', where);
  const { transposeA = false, transposeB = false } = options;
  const [aRows, aColumns] = extentsOf(a, where);
  const [cRows, cColumns] = extentsOf(c, where);
  const [M, K] = transposeA ? [aColumns, aRows] : [aRows, aColumns];
  const [depth, N] = transposeB ? [cColumns, cRows] : [cRows, cColumns];
  assertSameExtent(K, depth, 'products to add', [a, c], where);
  const out = resultTensor(b, where, [M, N], 'f32', options.out);
  const extents = { M, N, K };
  const family = transposeA ? (transposeB ? undefined : REAL_TN) : transposeB ? REAL_NT : REAL;
  const tile = family && choose(family, extents, b.gpu);
  if (tile !== undefined) b.dispatch(tile, { a, c, out }, extents);
  else {
    const transposes = { TRANSPOSE_A: transposeA ? 1 : 0, TRANSPOSE_B: transposeB ? 1 : 0 };
    b.dispatch(real, { a, c, out }, { ...extents, ...transposes });
  }
  return out;
}

/** All axes but the last as rows. */
function rowsOf(x: Tensor): { ROWS: number; CHANNELS: number } {
  const CHANNELS = x.shape.at(-1) ?? 1;
  return { ROWS: x.size / CHANNELS, CHANNELS };
}

function extentsOf(x: Tensor, where: string): readonly [rows: number, columns: number] {
  const [rows, columns] = x.shape;
  if (rows === undefined || columns === undefined || x.shape.length !== 2) {
    throw new ShapeError('A matrix has two axes.', {
      given: `${x.label}: ${describe(x.shape, x.dtype)}`,
      expected: '[rows, columns]',
      where,
      remedy: 'reshape it',
    });
  }
  return [rows, columns];
}

function assertSameExtent(
  left: number,
  right: number,
  what: string,
  given: readonly Tensor[],
  where: string,
): void {
  if (left !== right) {
    throw new ShapeError("The matrices don't fit each other.", {
      given: given.map((x) => `${x.label}: ${describe(x.shape, x.dtype)}`).join('; '),
      expected: `the same number of ${what}, not ${left} and ${right}`,
      where,
    });
  }
}

function forwardExtents(x: Tensor, w: Tensor, where: string): Extents {
  const [M, K] = extentsOf(x, where);
  const [N, inputs] = extentsOf(w, where);
  assertSameExtent(K, inputs, 'inputs', [x, w], where);
  return { M, N, K };
}

function gradWeightsExtents(g: Tensor, x: Tensor, where: string): Extents {
  const [M, N] = extentsOf(g, where);
  const [rows, K] = extentsOf(x, where);
  assertSameExtent(M, rows, 'rows', [g, x], where);
  return { M, N, K };
}
