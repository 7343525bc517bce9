/** Losses on logits [rows, classes] with a class a row, in float64. */
import { NO_LABEL } from './data.ts';

export type LossKind = 'squaredHinge' | 'crossEntropy';

export interface LossResult {
  /** Mean over the rows that have a label; NaN when a logit isn't finite or a label is no class. */
  readonly loss: number;
  /** Rows whose largest logit is at the label; the first of several largest ones counts. */
  readonly correct: number;
  /** Rows that have a label. */
  readonly valid: number;
  readonly gradLogits: Float64Array<ArrayBuffer>;
}

/**
 * - `squaredHinge`: mean over rows and classes of max(0, 1 − t·o)², t = +1 for the label's class and −1 for the others
 *   (Courbariaux et al. 2016; Keras' `squared_hinge`).
 * - `crossEntropy`: mean over rows of log Σ exp(o) − o at the label.
 */
export function loss(
  kind: LossKind,
  logits: ArrayLike<number>,
  labels: ArrayLike<number>,
  classes: number,
): LossResult {
  const gradLogits = new Float64Array(logits.length);
  const valid = Array.from(labels).filter((label) => label !== NO_LABEL).length;
  let total = 0;
  let correct = 0;
  for (let row = 0; row < labels.length; row++) {
    const label = labels[row] ?? NO_LABEL;
    if (label === NO_LABEL) continue;
    const outputs = Array.from({ length: classes }, (_, c) => logits[row * classes + c] ?? 0);
    const largest = outputs.reduce((a, o) => Math.max(a, o), Number.NEGATIVE_INFINITY);
    const broken = label >= classes || !outputs.every(Number.isFinite);
    if (!broken && outputs.indexOf(largest) === label) correct += 1;
    const sum = outputs.reduce((partial, o) => partial + Math.exp(o - largest), 0);
    if (broken) total = Number.NaN;
    else if (kind === 'crossEntropy') total += Math.log(sum) - ((outputs[label] ?? 0) - largest);
    outputs.forEach((output, c) => {
      const side = c === label ? 1 : -1;
      const margin = Math.max(0, 1 - side * output);
      if (kind === 'squaredHinge') total += margin ** 2 / classes;
      gradLogits[row * classes + c] =
        kind === 'squaredHinge'
          ? (-2 * side * margin) / (valid * classes)
          : (Math.exp(output - largest) / sum - (c === label ? 1 : 0)) / valid;
    });
  }
  return { loss: total / Math.max(1, valid), correct, valid, gradLogits };
}
