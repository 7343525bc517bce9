/** Filters as Keras and TensorFlow keep them, with the outputs on the last axis, and as the operations here want them. */
import { ShapeError } from '../errors.ts';
import { describe, type ProgramBuilder, type Tensor } from '../gpu/index.ts';
import { transposeFilters } from '../kernels/conv.ts';
import { packOutputsLast } from '../kernels/outputs-last.ts';
import { assertDType, type OutOption, resultTensor } from './checks.ts';

/**
 * Packs the signs of filters whose outputs come last: bit 1 where w < 0; 0, −0 and NaN count as +1.
 * @param w f32 [..., C, O]: HWIO filters, or [inputs, units]
 * @returns bits [O, ..., C]
 * @throws ShapeError
 */
export function packSignsOutputsLast(b: ProgramBuilder, w: Tensor, options: OutOption = {}): Tensor {
  const where = 'packSignsOutputsLast';
  assertDType(w, 'f32', where);
  const [OUTPUTS, CHANNELS, ...taps] = [...w.shape].reverse();
  if (OUTPUTS === undefined || CHANNELS === undefined) {
    throw new ShapeError('Filters have two axes at least.', {
      given: `${w.label}: ${describe(w.shape, w.dtype)}`,
      expected: '[..., channels, outputs]',
      where,
    });
  }
  const bits = resultTensor(b, where, [OUTPUTS, ...taps.reverse(), CHANNELS], 'bits', options.out);
  b.dispatch(packOutputsLast, { w, bits }, { TAPS: w.size / CHANNELS / OUTPUTS, CHANNELS, OUTPUTS });
  return bits;
}

/**
 * Puts the outputs of filters, or of their gradients, last.
 * @param w f32 [O, ...]
 * @returns f32 [..., O]
 * @throws ShapeError
 */
export function outputsLast(b: ProgramBuilder, w: Tensor, options: OutOption = {}): Tensor {
  const where = 'outputsLast';
  assertDType(w, 'f32', where);
  const [ROWS = 1, ...rest] = w.shape;
  const out = resultTensor(b, where, [...rest, ROWS], 'f32', options.out);
  b.dispatch(transposeFilters, { w, out }, { ROWS, COLUMNS: w.size / ROWS });
  return out;
}
