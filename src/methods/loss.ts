/**
 * Losses: the value of one row of outputs, and its gradient.
 *
 *   const huber = defineLoss({
 *     name: 'huber',
 *     formula: 'e² / 2 where |e| <= 1, else |e| - 1/2; e = o - t',
 *     source: 'Huber 1964',
 *     targets: ['reals'],
 *     wgsl: `
 *       fn row_loss(row: Row) -> f32 {
 *         var loss = 0.0;
 *         for (var c = 0u; c < OUTPUTS; c++) {
 *           let e = output(row, c) - wanted(row, c);
 *           loss += select(abs(e) - 0.5, 0.5 * e * e, abs(e) <= 1.0);
 *           set_gradient(row, c, clamp(e, -1.0, 1.0) / row.rows);
 *         }
 *         return loss;
 *       }`,
 *     twin: ({ outputs, wanted }) => {
 *       const errors = outputs.map((o, c) => o - (wanted[c] ?? 0));
 *       return {
 *         loss: errors.reduce((sum, e) => sum + (Math.abs(e) <= 1 ? e * e / 2 : Math.abs(e) - 0.5), 0),
 *         gradient: errors.map((e) => Math.max(-1, Math.min(1, e))),
 *       };
 *     },
 *   });
 */
import type { Filling } from '../gpu/index.ts';
import {
  checkDefinition,
  type Description,
  factoryOf,
  type Method,
  type MethodFactory,
  overridesOf,
  type Parameters,
  type Values,
} from './method.ts';

/**
 * What a sample says that its outputs should be: one class (u32, of any count), a number for each output (f32), or which of
 * the outputs are wanted (a bit each: several labels a sample, or none).
 */
export type TargetKind = 'classes' | 'reals' | 'bits';

/** One row of outputs, for the twin. */
export interface LossRow {
  /** What the network gave. */
  readonly outputs: readonly number[];
  /** What each output should be; of a class 1 at the label, 0 elsewhere; of bits 1 or 0. */
  readonly wanted: readonly number[];
  /** Whether what is wanted are shares of classes: of samples that are mixed, or smoothed. */
  readonly shares?: boolean;
  /** The teacher's outputs; what is wanted, where there is no teacher. */
  readonly taught: readonly number[];
}

/** The loss of one row, and its derivative with respect to each output. */
export interface LossOfRow {
  /** Before the sample's weight is multiplied on. */
  readonly loss: number;
  /** One for each output. */
  readonly gradient: readonly number[];
}

/** What `defineLoss` makes a loss of. */
export interface LossDefinition<P extends Parameters = Parameters> extends Description<P> {
  /**
   * `fn row_loss(row: Row) -> f32`: the loss of a row. It reads `output(row, c)`, `wanted(row, c)` (1 or 0 of a class and of bits) and
   * `taught(row, c)` for c below OUTPUTS, and hands the derivative of the batch's mean, which is 1 / `row.rows` of the
   * row's own, to `set_gradient(row, c, gradient)` for every c. `row.largest` is the largest output.
   */
  readonly wgsl: string;
  /** The same in float64, for one row. */
  readonly twin: (row: LossRow, values: Values<P>) => LossOfRow;
  /** What targets it takes. Default: all. */
  readonly targets?: readonly TargetKind[];
  /** Whether it compares with a teacher's outputs. Default false. */
  readonly teacher?: boolean;
  /** Whether it is of inner layers, beside a loss of the targets, which it doesn't look at. Default false. */
  readonly inner?: boolean;
  /** How many outputs and classes it is for, where it is made for one network: it is checked with so many. */
  readonly madeFor?: { readonly outputs: number; readonly classes: number };
}

/** What a training makes small. */
export interface Loss extends Method {
  /** Tells it from other methods. */
  readonly kind: 'loss';
  /** What it was made of. */
  readonly definition: LossDefinition;
  /** What kinds of targets it takes. */
  readonly targets: readonly TargetKind[];
  /** Whether it compares with a teacher's outputs. */
  readonly teacher: boolean;
  /** What goes into the kernels. */
  readonly filling: Filling;
  /** The loss of one row and its gradient, in float64. */
  twin(row: LossRow): LossOfRow;
}

/** Makes losses of a definition, with numbers of their own. */
export type LossFactory<P extends Parameters = Parameters> = MethodFactory<Loss, P, LossDefinition<P>>;

/**
 * Makes a loss of its definition.
 * @throws OptionError for a definition that lacks a member, naming it
 */
export function defineLoss<const P extends Parameters = Record<never, never>>(
  definition: LossDefinition<P>,
): LossFactory<P> {
  const { name, wgsl, twin, targets = ['classes', 'reals', 'bits'], teacher = false } = definition;
  const where = checkDefinition('loss', { ...definition }, 'fn row_loss(row: Row) -> f32', 'twin');
  return factoryOf<Loss, P, LossDefinition<P>>('loss', definition, (values) => ({
    targets,
    teacher,
    filling: { name, wgsl, provides: ['row_loss'], constants: overridesOf(wgsl, values, {}, where) },
    twin: (row) => twin(row, values),
  }));
}
