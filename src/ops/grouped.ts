/** Weights of one bit with a scale for each group of them, and real activations: as language models of one bit have them. */
import { ShapeError } from '../errors.ts';
import { describe, type ProgramBuilder, type Tensor } from '../gpu/index.ts';
import { groupedSign } from '../kernels/grouped.ts';
import { assertDType, assertShapeIs, type OutOption, resultTensor } from './checks.ts';

/**
 * x · (d · sign(w))ᵀ, where each group of signs along a row of weights has a scale d: y = Σ_g d_g · Σ_{i in g} s_i · x_i. GGUF's
 * Q1_0 has groups of 128; a group is any multiple of 32 that divides a row. All of the weights are read once for four rows of x.
 * @param x f32 [M, K]
 * @param w bits [N, K]: bit 1 is −1 (of Q1_0 it is +1: negate its words)
 * @param scales f32 [N, K / group], which says how long a group is
 * @returns f32 [M, N]
 * @throws ShapeError
 */
export function groupedSignMatMul(
  b: ProgramBuilder,
  x: Tensor,
  w: Tensor,
  scales: Tensor,
  options: OutOption = {},
): Tensor {
  const where = 'groupedSignMatMul';
  assertDType(x, 'f32', where);
  assertDType(w, 'bits', where);
  assertDType(scales, 'f32', where);
  const [M = 0, K = 0, ...more] = x.shape;
  const [N = 0, length, ...others] = w.shape;
  if (x.shape.length !== 2 || w.shape.length !== 2 || length !== K || more.length + others.length > 0) {
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
  const out = resultTensor(b, where, [M, N], 'f32', options.out);
  b.dispatch(groupedSign, { x, w, scales, out }, { M, N, K, GROUP });
  return out;
}
