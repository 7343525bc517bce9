/** Losses on logits, with their gradient, and the metrics of a step. */
import { OptionError, ShapeError } from '../errors.ts';
import { describe, type ProgramBuilder, type Tensor } from '../gpu/index.ts';
import { LOSS_KINDS, lossReduce, lossRows } from '../kernels/loss.ts';
import type { LossKind } from '../reference/loss.ts';
import { assertState } from './data.ts';

export type { LossKind } from '../reference/loss.ts';

export interface LossOptions {
  readonly kind: LossKind;
  /** f32 [B, C]. */
  readonly logits: Tensor;
  /** u32 [B]; rows labelled 0xffffffff don't count. */
  readonly labels: Tensor;
  /** u32 [8]. */
  readonly state: Tensor;
  /** f32 [RING, 4]: entry `state.step % RING` becomes (mean loss, hits, rows that count, step). */
  readonly metrics: Tensor;
  /** Report only: no gradient, and the run isn't halted. */
  readonly evaluate?: boolean;
}

/**
 * - `squaredHinge`: mean over rows and classes of max(0, 1 - t * o)^2, t = +1 for the label's class and -1 for the
 *   others (Courbariaux et al. 2016; Keras' `squared_hinge`).
 * - `crossEntropy`: mean over rows of log(sum(exp(o))) - o at the label.
 *
 * The first of several largest logits is the answer. When a logit or the loss isn't finite, or a label is no class, the
 * loss is reported as NaN and `state.halted` becomes 1; a run that was halted before keeps the metrics it stopped with.
 * @returns the gradient of the mean loss with respect to the logits, f32 [B, C]; a placeholder when evaluating
 * @throws ShapeError, OptionError
 */
export function loss(b: ProgramBuilder, options: LossOptions): Tensor {
  const { kind, logits, labels, state, metrics, evaluate = false } = options;
  const where = 'loss';
  assertState(state, where);
  const [batch = 0, classes = 0] = logits.shape;
  if (logits.dtype !== 'f32' || logits.shape.length !== 2) {
    throw new ShapeError('Logits are a matrix of floats.', {
      given: `${logits.label}: ${describe(logits.shape, logits.dtype)}`,
      expected: '[B, C] f32',
      where,
    });
  }
  if (labels.dtype !== 'u32' || labels.size !== batch) {
    throw new ShapeError('There is one label for every row of logits.', {
      given: `${labels.label}: ${describe(labels.shape, labels.dtype)}`,
      expected: `[${batch}] u32`,
      where,
    });
  }
  const [ring = 0, columns] = metrics.shape;
  if (metrics.dtype !== 'f32' || metrics.shape.length !== 2 || columns !== 4) {
    throw new ShapeError('Metrics have four columns.', {
      given: `${metrics.label}: ${describe(metrics.shape, metrics.dtype)}`,
      expected: '[ring, 4] f32',
      where,
    });
  }
  if (!Object.hasOwn(LOSS_KINDS, kind)) {
    throw new OptionError('There is no loss of this name.', {
      given: String(kind),
      expected: Object.keys(LOSS_KINDS).join(', '),
      where,
    });
  }
  const rowLosses = b.transient('row losses', [batch, 2], 'u32');
  const grad = b.transient('gradient of logits', evaluate ? [1] : [batch, classes], 'f32');
  b.dispatch(
    lossRows,
    { logits, labels, rowLosses, grad },
    { BATCH: batch, CLASSES: classes, KIND: LOSS_KINDS[kind], GRADIENT: evaluate ? 0 : 1 },
  );
  b.dispatch(
    lossReduce,
    { rowLosses, metrics, state },
    { BATCH: batch, RING: ring, EVALUATE: evaluate ? 1 : 0 },
  );
  return grad;
}
