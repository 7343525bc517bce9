/** Data sets: what trainers take, in the browser and in Node alike. */
import { FormatError } from '../errors.ts';
import type { Shape } from '../gpu/index.ts';
import type { TargetKind } from '../methods/index.ts';
import type { TableEncoding } from './encoding.ts';
import type { Source } from './source.ts';

/** What trains: samples with targets. */
export interface TrainingData {
  /** What it is called in reports and files of checkpoints. */
  readonly name: string;
  /** Names of the classes; of the outputs, where targets are bits or reals. */
  readonly classes: readonly string[];
  /** Extents of a sample: [height, width, channels] of an image, [features] of a row of a table, [steps, channels]. */
  readonly image: Shape;
  /** What the outputs should be. Default `classes`. */
  readonly targets?: TargetKind;
  /** Samples that the network learns from. */
  readonly train: Source;
  /** Absent, or without samples: nothing is evaluated. */
  readonly test?: Source;
  /** Samples that a training is judged by on its way, so that the test split decides nothing: see `earlyStopping`. */
  readonly validation?: Source;
  /**
   * A value is v·scale[c] + shift[c] of the byte or real v: one number for all channels, or one for each. Absent, it is v.
   */
  readonly normalise?: { readonly scale?: readonly number[]; readonly shift?: readonly number[] };
  /** How rows of a table become samples, which files of the model keep. */
  readonly table?: TableEncoding;
}

/** Images as bytes, one after another, each with a label. */
export interface Split {
  /** u8 [count, height, width, channels]. */
  readonly images: Uint8Array;
  /** u8 [count]: indices into the classes. */
  readonly labels: Uint8Array;
  /** How many images there are. */
  readonly count: number;
}

/**
 * Images of a data set, for training and for tests, with the names of their classes and what numbers their
 * bytes become.
 */
export interface Dataset {
  /** What it is called in reports. */
  readonly name: string;
  /** Names of the classes, in the order of their labels. */
  readonly classes: readonly string[];
  /** [height, width, channels] of an image. */
  readonly image: readonly [height: number, width: number, channels: number];
  /** Images that the network learns from. */
  readonly train: Split;
  /** Images that accuracies are measured on. */
  readonly test: Split;
  /** A pixel is byte·scale[c] + shift[c]: here from −1 to 1. */
  readonly normalise: { readonly scale: readonly number[]; readonly shift: readonly number[] };
}

/** What normalises bytes to [−1, 1]. */
export function toUnitRange(channels: number): Dataset['normalise'] {
  return { scale: new Array<number>(channels).fill(2 / 255), shift: new Array<number>(channels).fill(-1) };
}

/** @throws FormatError for a label that is no index into `classes` */
export function assertLabels(labels: Uint8Array, classes: number, where: string): void {
  const index = labels.findIndex((label) => label >= classes);
  if (index < 0) return;
  throw new FormatError('A label is out of range.', {
    given: `${labels[index]} for image ${index}`,
    expected: `0 to ${classes - 1}`,
    where,
    remedy: 'get the file again, it is damaged or of another data set',
  });
}
