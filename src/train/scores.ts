/** What an evaluation says beside loss and accuracy, from what the GPU counted. */
import { meanOf } from '../numerics/mean.ts';
import { BEST, type Tally } from '../ops/loss.ts';

/** Of a class, or of an output whose target is a bit. */
export interface ClassScores {
  /** Name of the class or of the output. */
  readonly name: string;
  /** Samples that are of it. */
  readonly count: number;
  /** Of the samples that were taken for it, the share that is of it; NaN where none was. */
  readonly precision: number;
  /** Of its samples, the share that was taken for it; NaN where it has none. */
  readonly recall: number;
  /** 2·precision·recall / (precision + recall); 0 where nothing is right, NaN where there are neither samples nor answers. */
  readonly f1: number;
}

/** Of an output whose target is a number. */
export interface OutputScores {
  /** Name of the output. */
  readonly name: string;
  /** Mean of (y − t)². */
  readonly meanSquare: number;
  /** Mean of |y − t|. */
  readonly meanAbsolute: number;
  /** The share of the targets' variance that is explained: 1 − Σ(y − t)² / Σ(t − mean)²; NaN where targets do not vary. */
  readonly r2: number;
}

/** What was counted of an evaluation beside loss and accuracy, by the kind of the targets. */
export type Scores =
  | {
      /** Tells it from the others. */
      readonly targets: 'classes';
      /** Share of the samples whose class is among the five largest outputs. */
      readonly top5: number;
      /** Mean of the classes' F1, of those that have samples. */
      readonly f1: number;
      /** In the order of the outputs. */
      readonly classes: readonly ClassScores[];
      /** Samples by class and by the class that they were taken for; absent of more than 512 outputs. */
      readonly confusion?: readonly (readonly number[])[];
    }
  | {
      /** Tells it from the others. */
      readonly targets: 'bits';
      /** Mean of the outputs' F1, of those that are wanted somewhere. */
      readonly f1: number;
      /** In the order of the outputs. */
      readonly classes: readonly ClassScores[];
    }
  | {
      /** Tells it from the others. */
      readonly targets: 'reals';
      /** Means over the outputs. */
      readonly meanSquare: number;
      /** Mean of |y − t|, over the outputs. */
      readonly meanAbsolute: number;
      /** In the order of the outputs. */
      readonly outputs: readonly OutputScores[];
    };

/** @param names of classes or outputs */
export function scoresOf(tally: Tally, names: readonly string[]): Scores {
  const nameOf = (c: number) => names[c] ?? String(c);
  if (tally.kind === 'classes') {
    const { rows, best, actual, given, right, pairs } = tally;
    const classes = actual.map((count, c) => classScores(nameOf(c), count, given[c] ?? 0, right[c] ?? 0));
    // A network may have more outputs than there are classes.
    const named = classes.slice(0, Math.max(names.length, 1));
    return {
      targets: 'classes',
      top5: names.length <= BEST ? 1 : best / rows,
      f1: meanF1(named),
      classes: named,
      ...(pairs === undefined ? {} : { confusion: pairs.slice(0, names.length) }),
    };
  }
  if (tally.kind === 'bits') {
    // Of two classes that one output tells apart, it is the second that is wanted.
    const offset = names.length === tally.outputs.length ? 0 : names.length - tally.outputs.length;
    const classes = tally.outputs.map(([both, only, missed], c) =>
      classScores(nameOf(c + offset), both + missed, both + only, both),
    );
    return { targets: 'bits', f1: meanF1(classes), classes };
  }
  const outputs = tally.outputs.map(([squares, sizes, sum, sum2], c) => {
    const variance = sum2 - (sum * sum) / tally.rows;
    return {
      name: nameOf(c),
      meanSquare: squares / tally.rows,
      meanAbsolute: sizes / tally.rows,
      r2: variance > 0 ? 1 - squares / variance : Number.NaN,
    };
  });
  return {
    targets: 'reals',
    meanSquare: meanOf(outputs.map(({ meanSquare }) => meanSquare)),
    meanAbsolute: meanOf(outputs.map(({ meanAbsolute }) => meanAbsolute)),
    outputs,
  };
}

/** Those that are one number, by name: what an epoch keeps. */
export function summaryOf(scores: Scores): Record<string, number> {
  switch (scores.targets) {
    case 'classes':
      return { top5: scores.top5, f1: scores.f1 };
    case 'bits':
      return { f1: scores.f1 };
    case 'reals':
      return { meanSquare: scores.meanSquare, meanAbsolute: scores.meanAbsolute };
  }
}

function classScores(name: string, count: number, given: number, right: number): ClassScores {
  return {
    name,
    count,
    precision: right / given,
    recall: right / count,
    f1: (2 * right) / (count + given),
  };
}

function meanF1(classes: readonly ClassScores[]): number {
  return meanOf(classes.filter(({ count }) => count > 0).map(({ f1 }) => f1));
}
