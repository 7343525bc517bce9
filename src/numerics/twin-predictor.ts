/**
 * Binary twins as predictors of real neurons: how well a dot product of signs tells what the real one would be, and what share
 * of the real work a threshold would leave out. Nothing is left out here; it is what could be.
 */
import { OptionError, ShapeError } from '../errors.ts';
import { assertPresent } from '../options.ts';
import { meanOf } from './mean.ts';

/** What a threshold on r would leave out of a layer with ReLU. */
export interface Skippable {
  /** Neurons whose r is at least this are predicted. */
  readonly threshold: number;
  /** Share of all outputs that are predicted to be 0, and not computed. */
  readonly skipped: number;
  /** Share of all outputs that are skipped, and are not 0. */
  readonly wrong: number;
}

/** How well twins predict. */
export interface TwinPrediction {
  /** Pearson's r of each neuron: the twin's products against the real ones. NaN where one of them never changes. */
  readonly r: readonly number[];
  /** One of each threshold, in order. */
  readonly skippable: readonly Skippable[];
}

/**
 * Predicts from products of signs which outputs of a ReLU are 0: where a line that is fitted to each neuron is at or below 0
 * (after Mixture-of-Rookies, whose own rule was not at hand).
 * @param twin products of the signs of weights and inputs, [samples, neurons]
 * @param real what goes into the ReLU, of the same shape
 * @param neurons in a row
 * @param thresholds of r. Default: 0, 0.5, 0.7, 0.8, 0.9, 0.95
 * @throws ShapeError unless both are whole rows of the same number; OptionError for less than two samples
 */
export function twinPrediction(
  twin: ArrayLike<number>,
  real: ArrayLike<number>,
  neurons: number,
  thresholds: readonly number[] = [0, 0.5, 0.7, 0.8, 0.9, 0.95],
): TwinPrediction {
  const where = 'twinPrediction';
  for (const values of [twin, real]) assertPresent(values, 'the products', where, 'length');
  assertPresent(thresholds, 'the thresholds', where, 'length');
  const samples = real.length / neurons;
  if (!Number.isSafeInteger(samples) || twin.length !== real.length) {
    throw new ShapeError('Products of twins and of neurons are of the same samples.', {
      given: `${twin.length} and ${real.length} values`,
      expected: `as many, in rows of ${neurons}`,
      where,
    });
  }
  if (samples < 2) throw new OptionError('A line needs two samples.', { given: String(samples), where });
  const columnOf = (values: ArrayLike<number>, neuron: number) =>
    Array.from({ length: samples }, (_, row) => values[row * neurons + neuron] ?? 0);
  const fits = Array.from({ length: neurons }, (_, neuron) => {
    const [x, y] = [columnOf(twin, neuron), columnOf(real, neuron)];
    const [mx, my] = [meanOf(x), meanOf(y)];
    const moment = (a: readonly number[], ma: number, b: readonly number[], mb: number) =>
      a.reduce((sum, value, i) => sum + (value - ma) * ((b[i] ?? 0) - mb), 0);
    const [xx, xy, yy] = [moment(x, mx, x, mx), moment(x, mx, y, my), moment(y, my, y, my)];
    const slope = xy / xx;
    const zeros = x.map((value) => my + slope * (value - mx) <= 0);
    return {
      r: xy / Math.sqrt(xx * yy),
      skipped: zeros.filter(Boolean).length,
      wrong: zeros.filter((isZero, i) => isZero && (y[i] ?? 0) > 0).length,
    };
  });
  return {
    r: fits.map(({ r }) => r),
    skippable: thresholds.map((threshold) => {
      const used = fits.filter(({ r }) => r >= threshold);
      const share = (of: 'skipped' | 'wrong') => used.reduce((sum, fit) => sum + fit[of], 0) / real.length;
      return { threshold, skipped: share('skipped'), wrong: share('wrong') };
    }),
  };
}

/**
 * Share of a recurrent neuron's evaluations that fuzzy memoization would leave out: the value of the step before stands as long
 * as the twin's relative change, added up since it was last computed, stays below a threshold (after Silfa et al. 2019; a reading of
 * the abstract's rule |b_t - b_m| / |b_m|).
 * @param twin products of signs at one step after the other
 * @param threshold of the changes that are added up
 * @throws OptionError for no steps, or a threshold below 0
 */
export function memoizedShare(twin: ArrayLike<number>, threshold: number): number {
  const where = 'memoizedShare';
  assertPresent(twin, 'the products', where, 'length');
  if (twin.length === 0 || !isThreshold(threshold)) {
    throw new OptionError('A memory is of some steps, and has a threshold.', {
      given: `${twin.length} steps, threshold ${threshold}`,
      expected: '1 step or more, 0 or more',
      where,
    });
  }
  const memory = new TwinMemory(threshold);
  let left = 0;
  for (let step = 0; step < twin.length; step++) if (memory.stands(twin[step] ?? 0)) left += 1;
  return left / twin.length;
}

/** Whether it is a number that changes may stay below. */
export const isThreshold = (given: number) => typeof given === 'number' && given >= 0;

/** What was last computed of a neuron, and how far its twin has gone from there. */
export class TwinMemory {
  readonly #threshold: number;
  #kept: number | undefined;
  #drift = 0;

  constructor(threshold: number) {
    this.#threshold = threshold;
  }

  /** Whether the value that was last computed stands. Where it doesn't, this step's is the one that is kept. @param twin of this step */
  stands(twin: number): boolean {
    const kept = this.#kept;
    if (kept !== undefined) {
      // Of a product of 0 any change is as large as can be, and none is none.
      this.#drift += twin === kept ? 0 : Math.abs(twin - kept) / Math.abs(kept);
      if (this.#drift < this.#threshold) return true;
    }
    [this.#kept, this.#drift] = [twin, 0];
    return false;
  }
}
