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

/**
 * What an evaluation counts, of classes: rows by class and by answer, and rows whose class is among the `best` largest outputs,
 * the first of equal ones first.
 */
export function tallyOfClasses(
  logits: ArrayLike<number>,
  labels: ArrayLike<number>,
  outputs: number,
  best: number,
): { readonly rows: number; readonly best: number; readonly pairs: number[][] } {
  const pairs = Array.from({ length: outputs }, () => new Array<number>(outputs).fill(0));
  let rows = 0;
  let among = 0;
  for (const [row, label] of Array.from(labels).entries()) {
    const counts = pairs[label];
    if (counts === undefined) continue;
    const order = Array.from({ length: outputs }, (_, c) => c).sort(
      (a, c) => (logits[row * outputs + c] ?? 0) - (logits[row * outputs + a] ?? 0) || a - c,
    );
    const answer = order[0] ?? 0;
    counts[answer] = (counts[answer] ?? 0) + 1;
    rows += 1;
    if (order.indexOf(label) < best) among += 1;
  }
  return { rows, best: among, pairs };
}

/**
 * What an evaluation counts of each output, of bits: rows where it is wanted and given, given only, wanted only, neither; of reals:
 * sums of squared errors, of their sizes, of targets and of their squares.
 * @param wanted [rows, outputs]; a row whose first number is NaN doesn't count
 */
export function tallyOfOutputs(
  kind: 'bits' | 'reals',
  logits: ArrayLike<number>,
  wanted: ArrayLike<number>,
  outputs: number,
): number[][] {
  const tally = Array.from({ length: outputs }, () => [0, 0, 0, 0]);
  for (let i = 0; i < logits.length; i++) {
    if (Number.isNaN(wanted[i - (i % outputs)])) continue;
    const [logit, target] = [logits[i] ?? 0, wanted[i] ?? 0];
    const error = logit - target;
    const is = [logit > 0, target > 0.5];
    const added =
      kind === 'reals'
        ? [error * error, Math.abs(error), target, target * target]
        : [is[0] && is[1], is[0] && !is[1], !is[0] && is[1], !is[0] && !is[1]].map(Number);
    const own = tally[i % outputs] ?? [];
    for (const [n, value] of added.entries()) own[n] = (own[n] ?? 0) + value;
  }
  return tally;
}
