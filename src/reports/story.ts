/**
 * What a training keeps of itself beside its weights: what it is made of, and what was measured while it ran. A story is read
 * from files of others, too: every field by its name, of its type, in its range. None of it is a path.
 */
import * as v from 'valibot';
import {
  FormatError,
  type LearningRate,
  LOSS_NAMES,
  type LossName,
  OPTIMIZER_NAMES,
  type OptimizerName,
} from '../index.ts';
import { parseJson } from '../json.ts';
import type { TrainReport } from './training.ts';

export type EpochRecord = TrainReport['epochs'][number];
export type InitialRecord = TrainReport['initial'];
export type SampleRecord = NonNullable<TrainReport['samples']>[number];

/** What a run is; kept in its checkpoint. */
export interface RunOptions {
  readonly dataset: string;
  readonly model: string;
  readonly epochs: number;
  readonly batch: number;
  readonly optimizer: OptimizerName;
  readonly lr: LearningRate;
  readonly loss: LossName;
  readonly seed: number;
  readonly fanScaled: boolean;
  readonly augment: boolean;
  readonly trainSamples?: number;
  readonly testSamples?: number;
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
const rate = v.pipe(number, v.gtValue(0), v.maxValue(1e6));

const runSchema = v.object({
  dataset: plainName,
  model: plainName,
  epochs: wholeTo(1e6),
  batch: wholeTo(2 ** 24),
  optimizer: v.picklist(OPTIMIZER_NAMES),
  lr: v.union([
    rate,
    v.object({
      from: rate,
      to: v.pipe(number, v.minValue(0), v.maxValue(1e6)),
      decay: v.picklist(['exponential', 'linear', 'cosine']),
    }),
    v.object({ from: rate, decay: v.literal('halving'), everyEpochs: wholeTo(1e6) }),
  ]),
  loss: v.picklist(LOSS_NAMES),
  seed: wholeTo(2 ** 32 - 1, 0),
  fanScaled: v.boolean(),
  augment: v.boolean(),
  trainSamples: v.exactOptional(wholeTo(2 ** 32)),
  testSamples: v.exactOptional(wholeTo(2 ** 32)),
});

/** More layers than any network has, more epochs and samples than a report can draw. */
const layersOf = <T extends v.GenericSchema>(layer: T) => v.pipe(v.array(layer), v.maxLength(4096));
const MOST_RECORDS = 1e6;

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
