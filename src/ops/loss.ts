/** Losses on outputs, with their gradient, and the metrics of a step. */
import { OptionError, ShapeError } from '../errors.ts';
import {
  constantsOf,
  describe,
  type Filling,
  fillFrame,
  type ProgramBuilder,
  type Tensor,
} from '../gpu/index.ts';
import { lossFrame, lossReduce, TARGET_KINDS, tallyClasses, tallyOutputs } from '../kernels/loss.ts';
import { assertState } from './data.ts';

/** What this operation needs of a loss; the objects of `methods` have it. */
export interface LossRule {
  /** `fn row_loss(row: Row) -> f32`. */
  readonly filling: Filling;
  /** What kinds of targets it takes. */
  readonly targets: readonly ('classes' | 'reals' | 'bits')[];
  /** Whether it compares with a teacher's outputs. */
  readonly teacher: boolean;
}

/** A loss on one output. */
export interface OutputLoss {
  /** What is computed. */
  readonly loss: LossRule;
  /** f32 [B, C]. */
  readonly logits: Tensor;
  /** f32 [B, C]: the outputs of a teacher, for losses that compare with one. */
  readonly teacher?: Tensor | undefined;
  /** What it is multiplied by among others. Default 1. */
  readonly weight?: number;
}

/** What all losses of a step share. */
export interface LossContext {
  /**
   * Classes: u32 [B]; reals: f32 [B, C]; rows of them whose first word is 0xffffffff don't count. Which outputs are wanted:
   * bits [B, C + 1], 1 where one is; rows whose last bit is 1 don't count.
   */
  readonly targets: Tensor;
  /** Whether `targets` are reals that are shares of classes: the largest is the label. Default false. */
  readonly shares?: boolean;
  /** f32 [B]: what each sample's loss and gradient are multiplied by. Default: 1. */
  readonly weights?: Tensor | undefined;
  /** u32 [8]. */
  readonly state: Tensor;
  /** f32 [RING, 4]: entry `state.step % RING` becomes (mean loss, hits, rows that count, step). */
  readonly metrics: Tensor;
  /** Report only: no gradient, and the run isn't halted. */
  readonly evaluate?: boolean;
}

/** What a loss is computed of. */
export type LossOptions = OutputLoss & LossContext;

/**
 * The mean loss of a batch over the rows that count.
 *
 * Of classes, the first of several largest outputs is the answer, and a hit where it is the label; of real targets and bits,
 * a row is a hit where every output is on the side of 0 on which its target is of a half. When an output, a target or the
 * loss isn't finite, or a label is no class, the loss is reported as NaN and `state.halted` becomes 1; a run that was halted
 * before keeps the metrics it stopped with.
 * @returns the gradient of the mean loss with respect to the logits, f32 [B, C]; a placeholder when evaluating
 * @throws ShapeError, OptionError
 */
export function loss(b: ProgramBuilder, options: LossOptions): Tensor {
  const [gradient] = losses(b, [options], options);
  return gradient as Tensor;
}

/**
 * The sum of several losses of the same targets, each times its weight; hits are those of the first of them.
 * @returns the gradient with respect to the logits of each, as `loss` gives it
 * @throws ShapeError, OptionError
 */
export function losses(b: ProgramBuilder, outputs: readonly OutputLoss[], context: LossContext): Tensor[] {
  const { state, metrics, evaluate = false } = context;
  const where = 'loss';
  assertState(state, where);
  const [ring = 0, columns] = metrics.shape;
  if (metrics.dtype !== 'f32' || metrics.shape.length !== 2 || columns !== 4) {
    throw new ShapeError('Metrics have four columns.', {
      given: `${metrics.label}: ${describe(metrics.shape, metrics.dtype)}`,
      expected: '[ring, 4] f32',
      where,
    });
  }
  const [batch = 0] = outputs[0]?.logits.shape ?? [];
  const rowLosses = b.transient('row losses', [batch, 2], 'u32');
  const gradients = outputs.map((output, index) => rows(b, output, context, rowLosses, index > 0));
  b.dispatch(
    lossReduce,
    { rowLosses, metrics, state },
    { BATCH: batch, RING: ring, EVALUATE: evaluate ? 1 : 0 },
  );
  return gradients;
}

/** Losses of the rows of one output, and their gradient. @param added whether they are added to those of others */
function rows(
  b: ProgramBuilder,
  { loss: rule, logits, teacher, weight = 1 }: OutputLoss,
  { targets, shares = false, weights, evaluate = false }: LossContext,
  rowLosses: Tensor,
  added: boolean,
): Tensor {
  const where = 'loss';
  const [batch = 0, outputs = 0] = logits.shape;
  const kind = kindOfTargets(targets, logits, where);
  const asked = shares ? 'classes' : kind;
  if (!rule.targets.includes(asked)) {
    throw new OptionError("This loss doesn't take such targets.", {
      given: asked,
      expected: rule.targets.join(' or '),
      where: rule.filling.name,
    });
  }
  if (rule.teacher !== (teacher !== undefined)) {
    throw new OptionError(
      rule.teacher
        ? 'This loss compares with a teacher, and there is none.'
        : 'This loss has no use for a teacher.',
      {
        where: rule.filling.name,
        remedy: rule.teacher ? 'give `teacher`' : 'leave `teacher` away, or choose distillation',
      },
    );
  }
  for (const [what, tensor, shape] of [
    ['teacher', teacher, logits.shape],
    ['weights', weights, [batch]],
  ] as const) {
    if (tensor !== undefined && (tensor.dtype !== 'f32' || tensor.shape.join() !== shape.join())) {
      throw new ShapeError(`The ${what} of a loss don't fit its logits.`, {
        given: `${tensor.label}: ${describe(tensor.shape, tensor.dtype)}`,
        expected: describe(shape, 'f32'),
        where,
      });
    }
  }
  const grad = b.transient('gradient of logits', evaluate ? [1] : [batch, outputs], 'f32');
  const fillings = { loss: rule.filling };
  b.dispatch(
    fillFrame(lossFrame, fillings),
    // What isn't there is bound to something that is only read.
    { logits, targets, teacher: teacher ?? logits, weights: weights ?? logits, rowLosses, grad },
    {
      ...constantsOf(fillings),
      BATCH: batch,
      OUTPUTS: outputs,
      GRADIENT: evaluate ? 0 : 1,
      TARGETS: TARGET_KINDS[shares ? 'shares' : kind],
      HAS_TEACHER: teacher === undefined ? 0 : 1,
      HAS_WEIGHTS: weights === undefined ? 0 : 1,
      WEIGHT: weight,
      ADDED: added ? 1 : 0,
    },
  );
  return grad;
}

/** What targets are as they are given: shares of classes are reals. */
type GivenKind = Exclude<keyof typeof TARGET_KINDS, 'shares'>;

/** What targets are. @throws ShapeError unless logits are a matrix, and targets go with it */
function kindOfTargets(targets: Tensor, logits: Tensor, where: string): GivenKind {
  const [batch = 0, outputs = 0] = logits.shape;
  if (logits.dtype !== 'f32' || logits.shape.length !== 2) {
    throw new ShapeError('Logits are a matrix of floats.', {
      given: `${logits.label}: ${describe(logits.shape, logits.dtype)}`,
      expected: '[B, C] f32',
      where,
    });
  }
  const kind = targets.dtype === 'u32' ? 'classes' : targets.dtype === 'bits' ? 'bits' : 'reals';
  const fits = {
    classes: targets.size === batch,
    reals: targets.dtype === 'f32' && targets.shape.join() === logits.shape.join(),
    bits: targets.shape.join() === [batch, outputs + 1].join(),
  }[kind];
  if (fits) return kind;
  throw new ShapeError('There is one target for every row of logits.', {
    given: `${targets.label}: ${describe(targets.shape, targets.dtype)}`,
    expected: `[${batch}] u32, [${batch}, ${outputs}] f32, or [${batch}, ${outputs + 1}] bits`,
    where,
  });
}

/** Outputs that count as the best. */
export const BEST = 5;
/** Of more classes, rows are counted by class alone. */
const MOST_PAIRS = 512;

/** Words of the counts of an evaluation. */
export function tallyWords(kind: GivenKind, outputs: number): number {
  if (kind !== 'classes') return 4 * outputs;
  return 1 + outputs * (outputs <= MOST_PAIRS ? outputs : 3);
}

/** What the words of `tally` count; see there. */
export type Tally =
  | {
      /** Tells it from the others. */
      readonly kind: 'classes';
      /** Rows that had a target. */
      readonly rows: number;
      /** Rows whose class is among the `BEST` largest outputs. */
      readonly best: number;
      /** By class, of its rows, of the rows that were taken for it, and of those of both. */
      readonly actual: readonly number[];
      /** By class, rows that were taken for it. */
      readonly given: readonly number[];
      /** By class, rows that are of it and were taken for it. */
      readonly right: readonly number[];
      /** Rows by class and by answer, [outputs, outputs]; absent of more than 512 outputs. */
      readonly pairs?: readonly (readonly number[])[];
    }
  | {
      /** Tells it from the others. */
      readonly kind: 'bits';
      /** Rows that had a target. */
      readonly rows: number;
      /** By output: rows where it is wanted and given, given only, wanted only, neither. */
      readonly outputs: readonly (readonly [both: number, given: number, wanted: number, neither: number])[];
    }
  | {
      /** Tells it from the others. */
      readonly kind: 'reals';
      /** Rows that had a target. */
      readonly rows: number;
      /** By output: sums of squared errors, of their sizes, of targets and of squared targets. */
      readonly outputs: readonly (readonly [
        squares: number,
        sizes: number,
        targets: number,
        targets2: number,
      ])[];
    };

/**
 * Adds a batch to the counts of an evaluation, on the GPU; nothing is read back before its end.
 * @param options.logits f32 [B, C]
 * @param options.targets as of `loss`
 * @param options.tally u32 [tallyWords], zero at the start of an evaluation; `decodeTally` reads it
 * @throws ShapeError
 */
export function tally(
  b: ProgramBuilder,
  { logits, targets, tally }: { readonly logits: Tensor; readonly targets: Tensor; readonly tally: Tensor },
): void {
  const where = 'tally';
  const kind = kindOfTargets(targets, logits, where);
  const [batch = 0, outputs = 0] = logits.shape;
  const words = tallyWords(kind, outputs);
  if (tally.dtype !== 'u32' || tally.size !== words) {
    throw new ShapeError('The counts of an evaluation have another size.', {
      given: describe(tally.shape, tally.dtype),
      expected: describe([words], 'u32'),
      where,
    });
  }
  const operands = { logits, targets, tally };
  const sizes = { BATCH: batch, OUTPUTS: outputs };
  if (kind === 'classes') {
    b.dispatch(tallyClasses, operands, { ...sizes, BEST, MATRIX: outputs <= MOST_PAIRS ? 1 : 0 });
  } else {
    b.dispatch(tallyOutputs, operands, { ...sizes, REALS: kind === 'reals' ? 1 : 0 });
  }
}

/**
 * What the words of `tally` say.
 * @param words u32 [tallyWords]
 * @param rows that were evaluated
 */
export function decodeTally(
  kind: GivenKind,
  words: Uint32Array<ArrayBuffer>,
  outputs: number,
  rows: number,
): Tally {
  const every = Array.from({ length: outputs }, (_, c) => c);
  if (kind !== 'classes') {
    const numbers = kind === 'reals' ? new Float32Array(words.buffer, words.byteOffset, words.length) : words;
    const at = (i: number) => numbers[i] ?? 0;
    return {
      ...{ kind, rows },
      outputs: every.map((c) => [at(4 * c), at(4 * c + 1), at(4 * c + 2), at(4 * c + 3)] as const),
    };
  }
  const at = (i: number) => words[1 + i] ?? 0;
  const head = { kind, rows, best: words[0] ?? 0 };
  if (outputs > MOST_PAIRS) {
    const part = (n: number) => every.map((c) => at(n * outputs + c));
    return { ...head, actual: part(0), given: part(1), right: part(2) };
  }
  const pairs = every.map((label) => every.map((answer) => at(label * outputs + answer)));
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  return {
    ...head,
    actual: pairs.map(sum),
    given: every.map((answer) => sum(pairs.map((row) => row[answer] ?? 0))),
    right: every.map((c) => pairs[c]?.[c] ?? 0),
    pairs,
  };
}
