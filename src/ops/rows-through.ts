/** Gradients that statistics of a row pass on to all of its values. */
import type { ProgramBuilder, Tensor } from '../gpu/index.ts';
import { rowThrough } from '../kernels/rows-through.ts';
import { learnedGradient, type ThroughOptions } from './rows.ts';

/**
 * The whole gradient with respect to values: what statistics pass on is summed by row, as the gradient of what is learned is.
 * @param grad f32 [rows, ...], with respect to what was made of the values
 * @returns f32 of the same shape
 */
export function throughStatistics(
  b: ProgramBuilder,
  grad: Tensor,
  { own, ...options }: ThroughOptions,
): Tensor {
  const { x, statistics } = options;
  const [rows = 1] = x.shape;
  const learned = b.transient('statistics as learned', [rows, 4], 'f32');
  const sums = learnedGradient(b, grad, { ...options, channels: 'first', learned });
  const out = b.transient('gradient of values', x.shape, 'f32');
  const bound = { own, x, statistics: statistics ?? x, sums, out };
  b.dispatch(rowThrough, bound, { SIZE: x.size, LENGTH: x.size / rows });
  return out;
}
