/** The mean loss of a batch, in float64, from the loss of a row. */
import { NO_LABEL } from './data.ts';

/** The loss of one row of outputs, and its derivative with respect to each. */
export type RowLoss = (row: {
  readonly outputs: readonly number[];
  readonly wanted: readonly number[];
  readonly taught: readonly number[];
  readonly shares?: boolean;
}) => { readonly loss: number; readonly gradient: readonly number[] };

export interface LossResult {
  /** Mean over the rows that have a target; NaN when an output isn't finite or a label is no class. */
  readonly loss: number;
  /** Rows that are right; see `ops.loss`. */
  readonly correct: number;
  /** Rows that have a target. */
  readonly valid: number;
  readonly gradLogits: Float64Array<ArrayBuffer>;
}

/** What is wanted of a batch: a class a row, or a number for each output: 1 or 0 of bits. */
export type Targets =
  | { readonly labels: ArrayLike<number> }
  /** [rows, outputs]; a row whose first number is NaN doesn't count. */
  | { readonly reals: ArrayLike<number> }
  /** The same as `reals`, of classes: the largest is the label. */
  | { readonly shares: ArrayLike<number> };

/** @param options.teacher [rows, outputs] @param options.weights [rows] */
export function loss(
  rowLoss: RowLoss,
  logits: ArrayLike<number>,
  targets: Targets,
  outputs: number,
  options: { readonly teacher?: ArrayLike<number>; readonly weights?: ArrayLike<number> } = {},
): LossResult {
  const rows = logits.length / outputs;
  const slice = (values: ArrayLike<number>, row: number) =>
    Array.from({ length: outputs }, (_, c) => values[row * outputs + c] ?? 0);
  const numbers = 'labels' in targets ? [] : 'shares' in targets ? targets.shares : targets.reals;
  const counts = (row: number) =>
    'labels' in targets ? targets.labels[row] !== NO_LABEL : !Number.isNaN(numbers[row * outputs]);
  const gradLogits = new Float64Array(logits.length);
  const valid = Array.from({ length: rows }, (_, row) => row).filter(counts).length;
  let total = 0;
  let correct = 0;
  for (let row = 0; row < rows; row++) {
    if (!counts(row)) continue;
    const own = slice(logits, row);
    const label = 'labels' in targets ? (targets.labels[row] ?? NO_LABEL) : 0;
    const wanted = 'labels' in targets ? own.map((_, c) => (c === label ? 1 : 0)) : slice(numbers, row);
    const broken = label >= outputs || !own.every(Number.isFinite) || !wanted.every(Number.isFinite);
    const taught = options.teacher === undefined ? wanted : slice(options.teacher, row);
    const weight = options.weights?.[row] ?? 1;
    const result = rowLoss({ outputs: own, wanted, taught, shares: 'shares' in targets });
    total += broken ? Number.NaN : weight * result.loss;
    for (const [c, gradient] of result.gradient.entries()) {
      gradLogits[row * outputs + c] = (weight * gradient) / valid;
    }
    const largest = own.reduce((most, o) => Math.max(most, o), Number.NEGATIVE_INFINITY);
    const right =
      'labels' in targets
        ? own.indexOf(largest) === label
        : 'shares' in targets
          ? own.indexOf(largest) === wanted.indexOf(Math.max(...wanted))
          : own.every((o, c) => o > 0 === (wanted[c] ?? 0) > 0.5);
    if (right && !broken) correct += 1;
  }
  return { loss: total / Math.max(1, valid), correct, valid, gradLogits };
}
