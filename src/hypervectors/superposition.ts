/** Several models' weights in the memory of one. */
import { OptionError, ShapeError } from '../errors.ts';
import { assertSizes, itemRow } from '../vectors/memories.ts';

/** The weights, bound to a model's random signs: bound twice they are what they were. */
function bound(weights: Float32Array, which: number, seed: number): Float32Array<ArrayBuffer> {
  const signs = itemRow(which, weights.length, seed);
  return Float32Array.from(weights, (value, k) => (((signs[k >> 5] ?? 0) >>> (k & 31)) & 1 ? -value : value));
}

/**
 * Adds the weights of several models, each bound to random signs of its own: as many numbers as one model has.
 * Source: Cheung et al. 2019, "Superposition of many models into one", arXiv 1902.05522; Hersche et al. 2020, "Compressing
 * Subject-specific Brain-Computer Interface Models into One Model by Superposition in Hyperdimensional Space"; without the
 * latter's training anew.
 * @param models f32, as many weights each
 * @param seed of the signs, 32 bits
 * @returns f32, as many weights as one of them has
 * @throws ShapeError, OptionError
 */
export function superpose(models: readonly Float32Array[], seed: number): Float32Array<ArrayBuffer> {
  const where = 'superpose';
  const length = models[0]?.length ?? 0;
  assertSizes({ 'models.length': models.length, 'weights of a model': length }, seed, where);
  if (models.some((model) => model.length !== length)) {
    throw new ShapeError('Models in one vector have as many weights each.', {
      given: models.map((model) => model.length).join(', '),
      where,
    });
  }
  const sum = new Float64Array(length);
  models.forEach((model, which) => {
    const one = bound(model, which, seed);
    for (let k = 0; k < length; k++) sum[k] = (sum[k] ?? 0) + (one[k] ?? 0);
  });
  return Float32Array.from(sum);
}

/**
 * One model's weights from a sum of several: with noise, whose mean is 0 and whose square is the sum of the others' squares.
 * @param sum what `superpose` gave
 * @param which its place among the models, from 0 on
 * @param seed the one that they were added with
 * @throws OptionError
 */
export function takeOut(sum: Float32Array, which: number, seed: number): Float32Array<ArrayBuffer> {
  assertSizes({ 'weights of a model': sum.length }, seed, 'takeOut');
  if (Number.isSafeInteger(which) && which >= 0) return bound(sum, which, seed);
  throw new OptionError('A model has a place from 0 on.', { given: `${which}`, where: 'takeOut' });
}
