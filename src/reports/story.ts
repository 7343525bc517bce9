/**
 * What a training keeps of itself beside its weights: what it is made of, and what was measured while it ran. A story is read
 * from files of others, too: every field by its name, of its type, in its range. None of it is a path.
 */
import * as v from 'valibot';
import { parseTable, type TableEncoding } from '../data/index.ts';
import { FormatError } from '../errors.ts';
import { parseJson } from '../json.ts';
import {
  AUGMENTATION_NAMES,
  type AugmentationName,
  type LearningRate,
  LOSS_NAMES,
  type LossName,
  type TargetKind,
} from '../methods/index.ts';
import { EVERY } from '../methods/table.ts';
import { MONITORS, type Monitor } from '../train/index.ts';
import type { TrainReport } from './training.ts';

export type EpochRecord = TrainReport['epochs'][number];
export type InitialRecord = TrainReport['initial'];
export type SampleRecord = NonNullable<TrainReport['samples']>[number];

/** An augmentation by name, and its numbers. */
export type AugmentationNote =
  | AugmentationName
  | ({ readonly name: AugmentationName } & Readonly<Record<string, unknown>>);

/** What a run is; kept in its checkpoint. */
export interface RunOptions {
  readonly dataset: string;
  readonly model: string;
  readonly epochs: number;
  readonly batch: number;
  readonly optimizer: keyof typeof EVERY.optimizer;
  readonly lr: LearningRate;
  readonly loss: LossName;
  readonly seed: number;
  readonly fanScaled: boolean;
  /** Augmentations; true: crops, and mirror images but of digits. */
  readonly augment: boolean | readonly AugmentationNote[];
  readonly trainSamples?: number;
  readonly testSamples?: number;
  readonly classWeights?: 'balanced' | readonly number[];
  /** Options of a ready-made network. */
  readonly modelOptions?: Readonly<Record<string, number>>;
  /** The graph of a network of a person's own, as `describeModel` gives it; checked when it is made. */
  readonly description?: unknown;
  /** Share of the training samples that it is judged by on its way. */
  readonly validation?: number;
  /** Epochs without an improvement after which it stops. */
  readonly patience?: number;
  /** What it is judged by. */
  readonly monitor?: Monitor;
  readonly keepBest?: boolean;
  /** Names of parameters that stay as they are; `*` stands for anything. */
  readonly freeze?: readonly string[];
  /** What the learning rate of parameters of such names is multiplied by. */
  readonly rates?: readonly (readonly [string, number])[];
  /** Measure the statistics of batch normalisation anew at the end. */
  readonly refitStatistics?: boolean;
  readonly clip?: { readonly norm: number } | { readonly value: number };
  /** Gradients are reduced to signs that so many trainers decide on, each with its share of batch and samples. */
  readonly votes?: number;
  /** Of data of a person's own: what they are, and how they were read. */
  readonly own?: OwnRun;
}

/** Data without a name of ours. Where they lie is not kept: who goes on says it again. */
export interface OwnRun {
  /** Shape of a sample. */
  readonly input: readonly number[];
  /** Names of classes or outputs. */
  readonly classes: readonly string[];
  readonly targets: TargetKind;
  /** How bytes become reals. */
  readonly pixels?: { readonly scale: readonly number[]; readonly shift: readonly number[] };
  readonly table?: TableEncoding;
  readonly read: {
    readonly size?: readonly [number, number];
    readonly channels?: 1 | 3;
    readonly split?: number;
    /** Columns, between commas. */
    readonly label?: string;
    readonly labels?: string;
    readonly regression?: boolean;
    readonly weights?: string;
    readonly skipBroken?: boolean;
    readonly stream?: boolean;
  };
}

/** What a checkpoint tells of its run beside the weights. */
export interface RunStory {
  readonly run: RunOptions;
  readonly initial: InitialRecord;
  readonly epochs: readonly EpochRecord[];
  /** Geometry within epochs, where it was tapped. */
  readonly samples?: readonly SampleRecord[];
}

/** A name that is looked up among the known ones; it can be no path. */
const plainName = v.pipe(v.string(), v.regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/));
const layerName = v.pipe(v.string(), v.maxLength(512));
const number = v.pipe(v.number(), v.finite());
/** JSON has no NaN: a measurement that gave none is null. */
const measured = v.pipe(
  v.nullable(number),
  v.transform((value) => value ?? Number.NaN),
);
const wholeTo = (most: number, least = 1) =>
  v.pipe(v.number(), v.safeInteger(), v.minValue(least), v.maxValue(most));
/** Options of a ready-made network, by name. */
export const modelOptionsSchema = v.record(plainName, wholeTo(1e6));
const rate = v.pipe(number, v.gtValue(0), v.maxValue(1e6));

const text = v.pipe(v.string(), v.maxLength(4096));
const numbers = v.pipe(v.array(number), v.minLength(1), v.maxLength(65_536));
const flag = v.exactOptional(v.boolean());

/** How data of one's own are read. */
export const readingSchema = v.object({
  size: v.exactOptional(v.tuple([wholeTo(99_999), wholeTo(99_999)])),
  channels: v.exactOptional(v.picklist([1, 3])),
  split: v.exactOptional(v.pipe(number, v.gtValue(0), v.ltValue(1))),
  label: v.exactOptional(text),
  weights: v.exactOptional(text),
  regression: flag,
  skipBroken: flag,
  stream: flag,
});

const ownSchema = v.object({
  input: v.pipe(v.array(wholeTo(2 ** 24)), v.minLength(1), v.maxLength(8)),
  classes: v.pipe(v.array(text), v.minLength(1), v.maxLength(2 ** 20)),
  targets: v.picklist(['classes', 'bits', 'reals']),
  pixels: v.exactOptional(v.object({ scale: numbers, shift: numbers })),
  table: v.exactOptional(
    v.pipe(
      v.unknown(),
      v.rawTransform(({ dataset, addIssue, NEVER }): TableEncoding => {
        try {
          const table = parseTable(dataset.value, 'table');
          if (table !== undefined) return table;
        } catch {
          // Said below.
        }
        addIssue({ message: 'how rows of a table are taken' });
        return NEVER;
      }),
    ),
  ),
  read: readingSchema,
});

const warmupEpochs = v.exactOptional(v.pipe(number, v.minValue(0), v.maxValue(1e6)));

/** What a run is, where it comes from a file or a queue. */
export const runSchema = v.object({
  dataset: plainName,
  model: plainName,
  epochs: wholeTo(1e6),
  batch: wholeTo(2 ** 24),
  optimizer: v.picklist(Object.keys(EVERY.optimizer) as (keyof typeof EVERY.optimizer)[]),
  lr: v.union([
    rate,
    v.object({
      from: rate,
      to: v.pipe(number, v.minValue(0), v.maxValue(1e6)),
      decay: v.picklist(['exponential', 'linear', 'cosine']),
      cycles: v.exactOptional(wholeTo(1e6)),
      warmupEpochs,
    }),
    v.object({ from: rate, decay: v.literal('halving'), everyEpochs: wholeTo(1e6), warmupEpochs }),
  ]),
  loss: v.picklist(LOSS_NAMES),
  seed: wholeTo(2 ** 32 - 1, 0),
  fanScaled: v.boolean(),
  augment: v.union([
    v.boolean(),
    v.pipe(
      v.array(
        v.union([
          v.picklist(AUGMENTATION_NAMES),
          v.objectWithRest({ name: v.picklist(AUGMENTATION_NAMES) }, number),
        ]),
      ),
      v.maxLength(64),
    ),
  ]),
  trainSamples: v.exactOptional(wholeTo(2 ** 32)),
  testSamples: v.exactOptional(wholeTo(2 ** 32)),
  classWeights: v.exactOptional(v.union([v.literal('balanced'), numbers])),
  modelOptions: v.exactOptional(modelOptionsSchema),
  description: v.exactOptional(v.unknown()),
  validation: v.exactOptional(v.pipe(number, v.gtValue(0), v.ltValue(1))),
  patience: v.exactOptional(wholeTo(1e6)),
  monitor: v.exactOptional(v.picklist(MONITORS)),
  keepBest: flag,
  refitStatistics: flag,
  freeze: v.exactOptional(v.pipe(v.array(v.pipe(v.string(), v.maxLength(200))), v.maxLength(100))),
  rates: v.exactOptional(
    v.pipe(v.array(v.tuple([v.pipe(v.string(), v.maxLength(200)), rate])), v.maxLength(100)),
  ),
  clip: v.exactOptional(v.union([v.object({ norm: rate }), v.object({ value: rate })])),
  votes: v.exactOptional(wholeTo(1024)),
  own: v.exactOptional(ownSchema),
});

/** More layers than any network has, more epochs and samples than a report can draw. */
const layersOf = <T extends v.GenericSchema>(layer: T) => v.pipe(v.array(layer), v.maxLength(4096));
const MOST_RECORDS = 1e6;

/** Scores by name. */
const scores = v.exactOptional(v.record(v.pipe(v.string(), v.maxLength(64)), measured));

const storySchema = v.object({
  run: runSchema,
  initial: layersOf(v.object({ name: layerName, angleDegrees: measured })),
  epochs: v.pipe(
    v.array(
      v.object({
        epoch: wholeTo(1e6),
        trainLoss: measured,
        trainAccuracy: measured,
        testLoss: measured,
        testAccuracy: measured,
        validationLoss: v.exactOptional(measured),
        validationAccuracy: v.exactOptional(measured),
        testScores: scores,
        validationScores: scores,
        learningRate: measured,
        seconds: measured,
        imagesPerSecond: measured,
        layers: layersOf(
          v.object({
            name: layerName,
            angleDegrees: measured,
            angleExpected: measured,
            flipRatio: measured,
          }),
        ),
      }),
    ),
    v.maxLength(MOST_RECORDS),
  ),
  samples: v.exactOptional(
    v.pipe(
      v.array(
        v.object({
          step: wholeTo(Number.MAX_SAFE_INTEGER, 0),
          layers: layersOf(
            v.object({
              name: layerName,
              angleDegrees: measured,
              angleSd: measured,
              scale: measured,
              deviation: measured,
              kurtosis: measured,
              positiveShare: measured,
              signEntropy: measured,
              nearZero: measured,
              saturated: measured,
              flipped: measured,
              flippedSinceStart: measured,
              age: measured,
            }),
          ),
        }),
      ),
      v.maxLength(MOST_RECORDS),
    ),
  ),
});

/**
 * The story in a checkpoint's metadata.
 * @param where the file, for errors
 * @throws FormatError that names the first field which is missing, of another type or out of range
 */
export function parseStory(text: string, where: string): RunStory {
  return checked(text, storySchema, { what: 'The record of the run is malformed.', where });
}

/**
 * JSON from a file, of exactly the fields that a schema names.
 * @throws FormatError that names the first field which is wrong
 */
export function checked<T extends v.GenericSchema>(
  text: string,
  schema: T,
  { what, where, remedy }: { readonly what: string; readonly where: string; readonly remedy?: string },
): v.InferOutput<T> {
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (cause) {
    throw new FormatError(what, { given: text.slice(0, 80), expected: 'JSON', where, remedy, cause });
  }
  // The first fault only: a list of a million would be a message of a million lines.
  const result = v.safeParse(schema, value, { abortEarly: true });
  if (result.success) return result.output;
  const [issue] = result.issues;
  throw new FormatError(what, {
    given: `${v.getDotPath(issue) ?? 'all of it'} = ${issue.received.slice(0, 80)}`,
    expected: issue.expected ?? issue.message,
    where,
    remedy,
  });
}
