/**
 * Running a comparison: job after job, each by itself, so that one whose method fails costs nothing but itself. What is kept
 * between two jobs, and within one, is a store's: a folder, a page's storage, a queue.
 */
import type { TrainingData } from '../data/index.ts';
import { BnnError, DeviceLostError, QueueError, StorageError } from '../errors.ts';
import { checkpointValues } from '../formats/index.ts';
import type { Gpu } from '../gpu/index.ts';
import { type Model, Network, type ParameterValues } from '../graph/index.ts';
import { type Checkpoint, type StepsInfo, Trainer } from '../train/index.ts';
import { FLOAT, type Guests, parseEntry } from './entry.ts';
import { type ComparedEpoch, measureEpoch, measureTrained, type Trained } from './measure.ts';
import { type ComparisonJob, jobOptions } from './plan.ts';
import { lessonOf, type Teachers } from './teacher.ts';

/** What a job came to; plain JSON. */
export type JobResult = JobDone | JobFailed;

/** Where a job was done, when that was elsewhere: bits may differ between kinds of adapters. */
export interface JobAdapter {
  /** As the driver says it. */
  readonly name: string;
  /** Whether it is a processor. */
  readonly software: boolean;
}

/** A job that came to its end, with what was measured of it. */
export interface JobDone extends Trained {
  /** Absent of what was trained here. */
  readonly adapter?: JobAdapter;
  /** What was trained. */
  readonly job: ComparisonJob;
  /** Tells it from a `JobFailed`. */
  readonly state: 'done';
  /** One for each epoch, in order. */
  readonly epochs: readonly ComparedEpoch[];
  /** Share of the test samples that are right after the last epoch. */
  readonly testAccuracy: number;
  /** Of training; evaluations apart. */
  readonly imagesPerSecond: number;
  /** Steps of the whole training. */
  readonly steps: number;
}

/** A job that ended in an error. */
export interface JobFailed {
  /** Absent of what was tried here. */
  readonly adapter?: JobAdapter;
  /** What was trained, as far as it came. */
  readonly job: ComparisonJob;
  /** Tells it from a `JobDone`. */
  readonly state: 'failed';
  /** What was measured before. */
  readonly epochs: readonly ComparedEpoch[];
  /** Class and text of what was thrown. */
  readonly error: { readonly name: string; readonly message: string };
}

/** A job that was stopped, to be gone on with. */
export interface JobProgress {
  /** To train on from, to the same bits. */
  readonly checkpoint: Checkpoint;
  /** Those that are over. */
  readonly epochs: readonly ComparedEpoch[];
}

/** Where a comparison keeps what is done. */
export interface ComparisonStore {
  /** What became of a job, by its `id`; undefined where it isn't over. */
  result(id: string): Promise<JobResult | undefined>;
  /** Keeps what became of a job, under its `id`. */
  keepResult(result: JobResult): Promise<void>;
  /** Of a job that was begun. */
  progress(id: string): Promise<JobProgress | undefined>;
  /** Called after every epoch, and where a job is stopped; replaces what was kept. */
  keepProgress(id: string, progress: JobProgress): Promise<void>;
  /** The job is over. Not called of one that teaches others: they learn from what was kept last. */
  dropProgress(id: string): Promise<void>;
}

/** What a comparison calls and takes while it runs. */
export interface RunOptions {
  /** Methods of your own that entries name. */
  readonly guests?: Guests | undefined;
  /** Networks of files that entries name as teachers. */
  readonly teachers?: Teachers | undefined;
  /** Stops after the steps that are under way; the job is kept. */
  readonly signal?: AbortSignal | undefined;
  /** Called before a job begins or goes on. */
  readonly onJob?: (job: ComparisonJob, index: number) => void;
  /** Called after some steps of a job, as often as its training reports. */
  readonly onSteps?: (job: ComparisonJob, info: StepsInfo) => void;
  /** Called for every job that is over, also for those that were before. */
  readonly onResult?: (result: JobResult, index: number) => void;
}

/** All that a job is trained with. */
export interface Workplace {
  /** Where everything is trained. */
  readonly gpu: Gpu;
  /** The network that entries change. */
  readonly model: Model;
  /** Samples of all trainings; without a test split there are no accuracies to compare. */
  readonly data: TrainingData;
}

/**
 * Runs the jobs that aren't done; those that failed before are tried again.
 * @returns the results in the order of the jobs; of a comparison that was stopped, those that there are
 * @throws DeviceLostError, and what the store throws; the comparison goes on from there when it is run again
 */
export async function runComparison(
  place: Workplace,
  jobs: readonly ComparisonJob[],
  store: ComparisonStore,
  options: RunOptions = {},
): Promise<JobResult[]> {
  const results: JobResult[] = [];
  for (const [index, job] of jobs.entries()) {
    if (options.signal?.aborted) break;
    const before = await store.result(job.id);
    const teaches = jobs.some(({ teacher }) => teacher === job.id);
    const result =
      before?.state === 'done' ? before : await runJob(place, job, { index, teaches }, store, options);
    if (result === undefined) break;
    results.push(result);
    options.onResult?.(result, index);
  }
  return results;
}

/** @returns nothing where it was stopped */
async function runJob(
  place: Workplace,
  job: ComparisonJob,
  { index, teaches }: { readonly index: number; readonly teaches: boolean },
  store: ComparisonStore,
  options: RunOptions,
): Promise<JobResult | undefined> {
  options.onJob?.(job, index);
  const progress = await store.progress(job.id);
  const epochs: ComparedEpoch[] = [...(progress?.epochs ?? [])];
  let result: JobResult | undefined;
  try {
    result = await trainJob(place, job, progress?.checkpoint, epochs, store, options);
  } catch (error) {
    // These are of the machine, and no method's: nothing else would come to an end either.
    if ([DeviceLostError, StorageError, QueueError].some((kind) => error instanceof kind)) throw error;
    result = { job, state: 'failed', epochs, error: errorOf(error) };
  }
  if (result === undefined) return undefined;
  await store.keepResult(result);
  if (!teaches) await store.dropProgress(job.id);
  return result;
}

async function trainJob(
  place: Workplace,
  job: ComparisonJob,
  checkpoint: Checkpoint | undefined,
  epochs: ComparedEpoch[],
  store: ComparisonStore,
  options: RunOptions,
): Promise<JobDone | undefined> {
  const { gpu, model, data } = place;
  const { guests, teachers, signal, onSteps } = options;
  const entry = parseEntry(job.method, guests);
  const lesson = await lessonOf(model, entry, teachers, data.normalise);
  const { student, inner } = lesson;
  let teacher: Network | undefined;
  if (lesson.teacher !== undefined) {
    const values = lesson.values ?? (await twinValues(place, job, lesson.teacher, store, options));
    if (values === undefined) return undefined;
    teacher = await Network.create(gpu, lesson.teacher, { values });
  }
  let trainer: Trainer | undefined;
  try {
    trainer = await Trainer.create(gpu, student, data, jobOptions(job, entry, { teacher, inner }));
    if (checkpoint !== undefined) await trainer.restore(checkpoint);
    const { outcome, step } = await trainer.fit({
      ...(signal === undefined ? {} : { signal }),
      onSteps: (info) => onSteps?.(job, info),
      onEpoch: async (info) => {
        epochs.push(await measureEpoch(trainer as Trainer, info));
      },
      checkpoint: { save: (saved) => store.keepProgress(job.id, { checkpoint: saved, epochs }) },
    });
    if (outcome === 'aborted') return undefined;
    const seconds = epochs.reduce((sum, epoch) => sum + epoch.seconds, 0);
    return {
      ...{ job, state: 'done', epochs: [...epochs] },
      testAccuracy: epochs.at(-1)?.testAccuracy ?? Number.NaN,
      imagesPerSecond: (step * job.batch) / seconds,
      steps: step,
      ...(await measureTrained(trainer, lesson.plain, data)),
    };
  } finally {
    trainer?.dispose();
    teacher?.dispose();
  }
}

/**
 * What the float twin learned with the seed of a job: as the matrix kept it; or else, where the store keeps no such thing, it is
 * trained here.
 * @returns nothing where it was stopped
 */
async function twinValues(
  { gpu, data }: Workplace,
  job: ComparisonJob,
  twin: Model,
  store: ComparisonStore,
  { signal, onSteps }: RunOptions,
): Promise<ParameterValues | undefined> {
  const kept = job.teacher === undefined ? undefined : await store.progress(job.teacher);
  if (kept?.checkpoint.progress.epoch === job.epochs) return checkpointValues(kept.checkpoint, twin);
  const trainer = await Trainer.create(gpu, twin, data, jobOptions(job, parseEntry(FLOAT), { inner: [] }));
  try {
    const { outcome } = await trainer.fit({
      ...(signal === undefined ? {} : { signal }),
      onSteps: (info) => onSteps?.(job, info),
    });
    return outcome === 'aborted' ? undefined : await trainer.network.values();
  } finally {
    trainer.dispose();
  }
}

function errorOf(error: unknown): JobFailed['error'] {
  if (error instanceof BnnError) return { name: error.name, message: error.message };
  const { name, message } = error instanceof Error ? error : { name: 'thrown', message: String(error) };
  return { name, message };
}
