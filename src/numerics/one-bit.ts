/** One bit a weight, with a scale for each group of weights: what that makes of them. */
import { expectedSquaredCosine } from './closed-forms.ts';
import { fromHalf, toHalf } from './halves.ts';

const DEGREES = 180 / Math.PI;

/** Weights that share a scale; where they divide a filter. */
export const GROUP_SIZES = [32, 64, 128, 256, 512, 1024, 2048, 4096] as const;

/** What weights w become with a scale for each group of so many: ŵ = d·sign(w), d = mean |w| of the group, as a half float. */
export interface GroupedSigns {
  /** Weights of a group. */
  readonly size: number;
  /** Bits a weight: its sign, and its share of the scale. */
  readonly bits: number;
  /** Between w and ŵ, all groups together, in degrees. */
  readonly angle: number;
  /** ‖w − ŵ‖ / ‖w‖, all groups together. */
  readonly error: number;
  /** The angle of normal weights in groups of this size: arccos √(2/π + (1 − 2/π)/size); 37.07° of large ones. */
  readonly expectedAngle: number;
  /** The error of normal weights: √((1 − 2/π)(1 − 1/size)); 0.603 of large groups. */
  readonly expectedError: number;
}

/** One bit a weight of a layer. */
export interface OneBit {
  /** ‖w‖: by its square, errors of layers add up. */
  readonly norm: number;
  /** By the size of groups; a scale for a whole filter is the last. */
  readonly groups: readonly GroupedSigns[];
}

/** Adds up what one bit makes of filters, one after another, in float64. NaN and infinite weights count as 0. */
export class GroupSums {
  readonly #sizes: readonly number[];
  /** Of each size: w·ŵ and ŵ·ŵ. */
  readonly #dots: Float64Array;
  readonly #squares: Float64Array;
  /** Sums of |w| of the groups of a filter. */
  readonly #sums: Float64Array;
  #norm = 0;

  /** @param dimension weights of a filter */
  constructor(dimension: number) {
    this.#sizes = [...GROUP_SIZES.filter((size) => size < dimension && dimension % size === 0), dimension];
    this.#dots = new Float64Array(this.#sizes.length);
    this.#squares = new Float64Array(this.#sizes.length);
    this.#sums = new Float64Array(dimension / (this.#sizes[0] ?? dimension));
  }

  /** Adds a filter. */
  add(filter: Float32Array): void {
    const sums = this.#sums;
    let size = this.#sizes[0] ?? filter.length;
    for (let group = 0, at = 0; group < sums.length; group++) {
      let sum = 0;
      for (const end = at + size; at < end; at++) {
        const weight = filter[at] ?? 0;
        if (!Number.isFinite(weight)) continue;
        sum += Math.abs(weight);
        this.#norm += weight * weight;
      }
      sums[group] = sum;
    }
    let groups = sums.length;
    this.#sizes.forEach((next, index) => {
      // Groups of the next size are made of the last ones.
      const parts = next / size;
      groups /= parts;
      size = next;
      for (let group = 0; group < groups; group++) {
        let sum = 0;
        for (let part = 0; part < parts; part++) sum += sums[group * parts + part] ?? 0;
        sums[group] = sum;
        const scale = fromHalf(toHalf(sum / size));
        this.#dots[index] = (this.#dots[index] ?? 0) + scale * sum;
        this.#squares[index] = (this.#squares[index] ?? 0) + scale * scale * size;
      }
    });
  }

  /** Of all filters that were added; angles and errors of zeros are NaN. */
  result(): OneBit {
    const groups = this.#sizes.map((size, index): GroupedSigns => {
      const [dot, square] = [this.#dots[index] ?? 0, this.#squares[index] ?? 0];
      const expected = expectedSquaredCosine(size);
      return {
        size,
        bits: 1 + 16 / size,
        angle: Math.acos(Math.min(1, dot / Math.sqrt(square * this.#norm))) * DEGREES,
        error: Math.sqrt(Math.max(0, this.#norm - 2 * dot + square) / this.#norm),
        expectedAngle: Math.acos(Math.sqrt(expected)) * DEGREES,
        expectedError: Math.sqrt(1 - expected),
      };
    });
    return { norm: Math.sqrt(this.#norm), groups };
  }
}

/** The relative error of several layers together, each with its norm; NaN of nothing but zeros. */
export function pooledError(layers: readonly { readonly norm: number; readonly error: number }[]): number {
  const known = layers.filter(({ error }) => Number.isFinite(error));
  const total = (of: (layer: (typeof known)[number]) => number) =>
    known.reduce((sum, one) => sum + of(one) ** 2, 0);
  return Math.sqrt(total(({ norm, error }) => norm * error) / total(({ norm }) => norm));
}
