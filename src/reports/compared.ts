/** What a comparison keeps in files, and how they are read back: every field by its name, of its type, in its range. */
import * as v from 'valibot';
import type { ComparedEpoch, ComparisonJob, ComparisonOptions, JobResult } from '../compare/index.ts';
import { LOSS_NAMES } from '../methods/index.ts';
import { checked, modelOptionsSchema, type OwnRun, readingSchema } from './story.ts';

/** What a comparison is; kept in its folder. */
export interface KeptComparison extends ComparisonOptions {
  readonly dataset: string;
  readonly model: string;
  readonly modelOptions?: Readonly<Record<string, number>>;
  /** Of a network of a person's own, by whose name `model` goes: its description. */
  readonly description?: unknown;
  readonly trainSamples?: number;
  readonly testSamples?: number;
  /** Of data of a person's own, by whose name `dataset` goes: how they are read. Where they lie is not kept. */
  readonly own?: {
    readonly read: OwnRun['read'];
    /** What went into the first training: a comparison goes on with the same. */
    readonly digest: string;
  };
}

const number = v.pipe(v.number(), v.finite());
/** JSON has no NaN: a measurement that gave none is null. */
const measured = v.pipe(
  v.nullable(number),
  v.transform((value) => value ?? Number.NaN),
);
const whole = (least: number, most: number) =>
  v.pipe(v.number(), v.safeInteger(), v.minValue(least), v.maxValue(most));
const text = v.pipe(v.string(), v.maxLength(4096));
const rate = v.pipe(number, v.gtValue(0), v.maxValue(1e6));
const learningRate = v.union([
  rate,
  v.object({ from: rate, to: rate, decay: v.picklist(['exponential', 'linear', 'cosine']) }),
  v.object({ from: rate, decay: v.literal('halving'), everyEpochs: whole(1, 1e6) }),
]);
const seed = whole(0, 2 ** 32 - 1);

const comparisonSchema = v.object({
  dataset: text,
  model: text,
  modelOptions: v.exactOptional(modelOptionsSchema),
  description: v.exactOptional(v.unknown()),
  methods: v.pipe(v.array(text), v.minLength(1), v.maxLength(1000)),
  seeds: v.pipe(v.array(seed), v.minLength(1), v.maxLength(1000)),
  epochs: whole(1, 1e6),
  batch: whole(1, 2 ** 24),
  learningRate,
  loss: text,
  float: v.boolean(),
  trainSamples: v.exactOptional(whole(1, 2 ** 32)),
  testSamples: v.exactOptional(whole(1, 2 ** 32)),
  own: v.exactOptional(v.object({ read: readingSchema, digest: text })),
});

/** One training of a comparison, as files and queues have it. */
export const jobSchema = v.object({
  id: v.pipe(text, v.regex(/^[A-Za-z0-9-]+$/)),
  method: text,
  seed,
  epochs: whole(1, 1e6),
  batch: whole(1, 2 ** 24),
  learningRate,
  loss: v.picklist(LOSS_NAMES),
  teacher: v.exactOptional(text),
});

const epochsSchema = v.pipe(
  v.array(
    v.object({
      epoch: whole(1, 1e6),
      trainLoss: measured,
      trainAccuracy: measured,
      testLoss: measured,
      testAccuracy: measured,
      seconds: measured,
      layers: v.pipe(
        v.array(v.object({ name: text, angle: measured, flipRatio: measured })),
        v.maxLength(4096),
      ),
    }),
  ),
  v.maxLength(1e6),
);

const adapter = v.exactOptional(v.object({ name: text, software: v.boolean() }));

const resultSchema = v.variant('state', [
  v.object({
    job: jobSchema,
    state: v.literal('done'),
    adapter,
    epochs: epochsSchema,
    testAccuracy: measured,
    imagesPerSecond: measured,
    steps: whole(0, Number.MAX_SAFE_INTEGER),
    bytes: whole(0, Number.MAX_SAFE_INTEGER),
    bitsPerWeight: measured,
    operations: v.object({ binary: measured, float: measured }),
    r: v.pipe(v.array(v.object({ name: text, r: measured })), v.maxLength(4096)),
    weightsSha256: text,
  }),
  v.object({
    job: jobSchema,
    state: v.literal('failed'),
    adapter,
    epochs: epochsSchema,
    error: v.object({ name: v.string(), message: v.string() }),
  }),
]);

const where = (what: string, file: string) => ({
  what: `${what} is malformed.`,
  where: file,
  remedy: 'begin anew in another folder: --out',
});

/** @throws FormatError that names the first field which is wrong */
export function parseComparison(content: string, file: string): KeptComparison {
  return checked(
    content,
    comparisonSchema,
    where('The description of the comparison', file),
  ) as KeptComparison;
}

/** @throws FormatError for a result that is malformed, or of another job */
export function parseResult(content: string, file: string): JobResult {
  return checked(content, resultSchema, where('A result of the comparison', file)) as JobResult;
}

/** Whether a result is of a job, and not of one that is called the same. */
export function isOf(result: JobResult, job: ComparisonJob): boolean {
  return JSON.stringify(result.job) === JSON.stringify(job);
}

/** @throws FormatError that names the first field which is wrong */
export function parseEpochs(content: string, file: string): ComparedEpoch[] {
  return checked(content, epochsSchema, where('What was measured of a training', file));
}
