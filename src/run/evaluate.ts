/** How right a network is on labelled samples, on any engine. */
import { sizeOf } from '../gpu/index.ts';
import type { Model } from '../graph/index.ts';
import type { Loss } from '../methods/index.ts';
import type { Runner } from './engine.ts';

/** Samples with the class of each. */
export interface Labelled {
  /** f32 [count, ...inputShape] of the samples from `first` up to `end`. */
  samples(first: number, end: number): Float32Array;
  /** Class of each. */
  readonly labels: ArrayLike<number>;
}

export interface Score {
  /** Mean over the samples; in float64. */
  readonly loss: number;
  /** Share of the samples whose largest output is their class's. */
  readonly accuracy: number;
  readonly correct: number;
  readonly count: number;
}

/** Samples that are prepared at once. */
const CHUNK = 500;

/** Runs all samples, and takes the loss of the outputs. */
export async function evaluateRunner(
  runner: Runner,
  { outputShape }: Model,
  { samples, labels }: Labelled,
  loss: Loss,
): Promise<Score> {
  const width = sizeOf(outputShape);
  const count = labels.length;
  let [total, correct] = [0, 0];
  for (let first = 0; first < count; first += CHUNK) {
    const end = Math.min(count, first + CHUNK);
    const scores = await runner.predict(samples(first, end));
    for (let sample = first; sample < end; sample++) {
      const outputs = Array.from(scores.subarray((sample - first) * width, (sample - first + 1) * width));
      const label = labels[sample] ?? 0;
      const wanted = outputs.map((_, c) => (c === label ? 1 : 0));
      total += loss.twin({ outputs, wanted, taught: wanted }).loss;
      if (outputs.indexOf(Math.max(...outputs)) === label) correct += 1;
    }
  }
  return { loss: total / count, accuracy: correct / count, correct, count };
}
