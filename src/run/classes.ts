/** Scores as people read them: the best classes of each sample, with their names. */
import { OptionError } from '../errors.ts';

/** A class with its score. */
export interface RankedClass {
  /** Index into the scores. */
  readonly label: number;
  /** The label as text where the classes have no names. */
  readonly name: string;
  /** The network's output for it. */
  readonly score: number;
}

/**
 * The best classes of each sample, the highest score first; of equal scores the lower label.
 * @param scores f32 [count, width]
 * @param width scores a sample
 * @param options.top how many to name; default 3
 * @param options.classes their names
 * @param options.pairFrom one score a sample tells two classes apart: class 1 from this score up, class 0 below; the other
 *   class has the score mirrored at it
 * @throws OptionError unless `top` is a positive integer and the samples are whole
 * @example
 * ```ts
 * import { rankClasses } from 'webgpu-bnn';
 *
 * console.log(rankClasses(Float32Array.of(0.1, 2, 0.7), 3, { classes: ['cat', 'dog', 'bird'], top: 2 }));
 * ```
 */
export function rankClasses(
  scores: Float32Array,
  width: number,
  options: {
    readonly top?: number | undefined;
    readonly classes?: readonly string[] | undefined;
    readonly pairFrom?: number | undefined;
  } = {},
): RankedClass[][] {
  const { top = 3, classes, pairFrom } = options;
  if (!Number.isSafeInteger(top) || top < 1 || scores.length % width !== 0) {
    throw new OptionError("These classes can't be ranked.", {
      given: `top = ${top}, ${scores.length} scores`,
      expected: `a positive integer, and ${width} scores a sample`,
      where: 'rankClasses',
    });
  }
  return Array.from({ length: scores.length / width }, (_, sample) => {
    const own = scores.subarray(sample * width, (sample + 1) * width);
    const [score = 0] = own;
    const row = pairFrom === undefined ? own : [2 * pairFrom - score, score];
    const order = Array.from(row.keys()).sort((a, b) => (row[b] ?? 0) - (row[a] ?? 0));
    // At the border it is class 1.
    if (pairFrom === score) order.reverse();
    return order
      .slice(0, top)
      .map((label) => ({ label, name: classes?.[label] ?? `${label}`, score: row[label] ?? 0 }));
  });
}
