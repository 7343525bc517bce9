/** A job as it lies in the queue: plain JSON that names methods, networks and data, and carries none of them. */
import { createHash } from 'node:crypto';
import * as v from 'valibot';
import manifest from '../../package.json' with { type: 'json' };
import type { ComparisonJob } from '../compare/index.ts';
import { sourceDigest, type TrainingData } from '../data/index.ts';
import { QueueError } from '../errors.ts';
import { jobSchema, type KeptComparison } from '../reports/compared.ts';
import { checked } from '../reports/story.ts';

const VERSION = 1;

/** One training of a comparison for whoever takes it. */
export interface QueuedJob {
  readonly version: typeof VERSION;
  /** Version of this package: other versions may train to other bits. */
  readonly code: string;
  readonly dataset: string;
  readonly model: string;
  readonly trainSamples?: number;
  readonly testSamples?: number;
  /** Digest of the samples, which whoever trains compares with its own. */
  readonly data: string;
  readonly job: ComparisonJob;
}

const name = v.pipe(v.string(), v.maxLength(4096));
const count = v.exactOptional(v.pipe(v.number(), v.safeInteger(), v.minValue(1)));
const versionSchema = v.object({ version: v.number(), code: name });
const queuedSchema = v.object({
  version: v.literal(VERSION),
  code: name,
  dataset: name,
  model: name,
  trainSamples: count,
  testSamples: count,
  data: name,
  job: jobSchema,
});

/** Jobs of a comparison, for the queue. */
export function queuedJobs(
  comparison: KeptComparison,
  data: TrainingData,
  jobs: readonly ComparisonJob[],
): QueuedJob[] {
  const { dataset, model, trainSamples, testSamples } = comparison;
  const digest = datasetDigest(data);
  return jobs.map((job) => ({
    ...{ version: VERSION, code: manifest.version, dataset, model },
    ...(trainSamples === undefined ? {} : { trainSamples }),
    ...(testSamples === undefined ? {} : { testSamples }),
    ...{ data: digest, job },
  }));
}

/** What tells a job from all others: 64 hexadecimal digits. */
export function digestOfJob(job: QueuedJob): string {
  return createHash('sha256').update(JSON.stringify(job)).digest('hex');
}

/** Follows from all samples, labels and names of classes. */
export function datasetDigest({ classes, image, normalise, train, test }: TrainingData): string {
  const splits = [train, ...(test === undefined ? [] : [test])].map(sourceDigest);
  const about = JSON.stringify([classes, image, normalise, ...splits]);
  return createHash('sha256').update(about).digest('hex');
}

/** @throws QueueError for a job of another version; FormatError that names the first field which is wrong */
export function parseQueued(text: string, where: string): QueuedJob {
  const about = { what: 'A job of the queue is malformed.', where };
  const { version, code } = checked(text, versionSchema, about);
  if (version !== VERSION || code !== manifest.version) {
    throw new QueueError('The job is of another version than this worker.', {
      given: `jobs of version ${version}, of webgpu-bnn ${code}`,
      expected: `version ${VERSION}, of webgpu-bnn ${manifest.version}`,
      where,
      remedy: `start a worker of that version: npx webgpu-bnn@${code} worker`,
    });
  }
  return checked(text, queuedSchema, about) as QueuedJob;
}
