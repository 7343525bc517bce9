/** Jobs of the kind `survey`: the geometry of one stored tensor. A survey is all of them, in the order of its files. */
import { createHash } from 'node:crypto';
import * as v from 'valibot';
import type { JobAdapter } from '../compare/index.ts';
import { MemoryPlanError, QueueError } from '../errors.ts';
import { FilterSurvey, type LayerSurvey, type SurveyOptions } from '../geometry/survey.ts';
import type { Gpu } from '../gpu/index.ts';
import { nameBelow, pathBelow } from '../node/below.ts';
import { measureTensor, openTensors, type StoredTensor, type TensorFile } from '../node/tensors.ts';
import { checked } from '../reports/story.ts';
import { layerSchema } from '../reports/survey.ts';
import { type CoordinateOptions, coordinate } from './coordinate.ts';
import { queued } from './job.ts';
import type { Queue } from './queue.ts';
import type { Kind } from './work.ts';

/** What decides the numbers of a survey. */
export interface SurveyNumbers
  extends Required<{ [K in keyof SurveyOptions]: NonNullable<SurveyOptions[K]> }> {
  /** Axis that counts the filters. */
  readonly axis: number;
  /** Whether to say what one bit a weight would do, with scales of groups. */
  readonly groups: boolean;
}

interface SurveyTask {
  /** Below the folder of data that a worker was given; never a path of its own. */
  readonly file: string;
  /** The tensor's name in its file. */
  readonly tensor: string;
  readonly shape: readonly number[];
  /** Type of its elements, as its file calls it. */
  readonly dtype: string;
  /** SHA-256 of the tensor's bytes. */
  readonly digest: string;
  readonly numbers: SurveyNumbers;
}

/** A layer, or why there is none. */
export type SurveyedLayer = Where &
  (
    | { readonly state: 'done'; readonly layer: LayerSurvey }
    | { readonly state: 'left out' | 'failed'; readonly reason: string }
  );

/** Where a layer was measured; absent of what was measured here. */
interface Where {
  readonly adapter?: JobAdapter;
  /** Bytes of GPU memory that the worker had at most. */
  readonly peakGpuBytes?: number;
}

const text = v.pipe(v.string(), v.maxLength(4096));
const taskSchema: v.GenericSchema<unknown, SurveyTask> = v.object({
  file: text,
  tensor: text,
  shape: v.pipe(v.array(v.pipe(v.number(), v.safeInteger(), v.minValue(0))), v.maxLength(16)),
  dtype: v.pipe(v.string(), v.maxLength(16)),
  digest: text,
  numbers: v.object({
    memory: v.pipe(v.number(), v.safeInteger()),
    nearZero: v.pipe(v.number(), v.finite()),
    rotate: v.boolean(),
    pairs: v.boolean(),
    axis: v.pipe(v.number(), v.safeInteger()),
    groups: v.boolean(),
  }),
});
const where = {
  digest: text,
  adapter: v.object({ name: text, software: v.boolean() }),
  peakGpuBytes: v.number(),
};
const resultSchema = v.variant('state', [
  v.object({ ...where, state: v.literal('done'), layer: layerSchema }),
  v.object({ ...where, state: v.literal('left out'), reason: v.string() }),
]);

export interface SurveyByWorkersOptions
  extends Pick<CoordinateOptions<SurveyedLayer>, 'signal' | 'onQueued' | 'onShare' | 'onResult'> {
  /** The folder that workers have, too: files are named from it on. */
  readonly root: string;
  /** Layers that are measured already. */
  readonly before?: (index: number) => LayerSurvey | undefined;
  /** Keeps a layer here. */
  readonly keep?: (layer: SurveyedLayer, index: number) => Promise<void>;
}

/**
 * Has workers measure tensors.
 * @returns a layer for each tensor, in their order; of a survey that was stopped, those that there are
 * @throws OptionError for files that aren't below `root`; StorageError; QueueError where the server is away for two minutes
 */
export async function surveyByWorkers(
  queue: Queue,
  tensors: readonly StoredTensor[],
  numbers: SurveyNumbers,
  { root, before, keep, ...more }: SurveyByWorkersOptions,
): Promise<SurveyedLayer[]> {
  const files = tensors.map(({ file }) => nameBelow(root, file.path));
  const digests: string[] = [];
  for (const [index, { file, ownName }] of tensors.entries()) {
    digests.push(before?.(index) === undefined ? await digestOf(file, ownName) : '');
  }
  const jobs = tensors.map(({ ownName, entry }, index) =>
    queued<SurveyTask>('survey', {
      ...{ file: files[index] ?? '', tensor: ownName, shape: entry.shape, dtype: entry.dtype },
      ...{ digest: digests[index] ?? '', numbers },
    }),
  );
  return coordinate<SurveyedLayer>(
    queue,
    jobs,
    {
      async before(index) {
        const layer = before?.(index);
        return layer && { state: 'done', layer };
      },
      read(result, index) {
        const where = tensors[index]?.name ?? '';
        const { digest, ...made } = checked(result, resultSchema, {
          what: 'A result of the survey is malformed.',
          where,
        });
        if (digest !== digests[index]) {
          throw new QueueError('A result is of another tensor.', {
            given: digest,
            expected: digests[index],
            where,
          });
        }
        return made.state === 'done' ? { ...made, layer: { ...made.layer, name: where } } : made;
      },
      refused: ({ message }) => ({ state: 'failed', reason: message }),
      ...(keep && { keep }),
    },
    more,
  );
}

/** How a worker measures. @param root the folder of files that jobs may name; undefined where it was given none */
export function surveys(root: string | undefined): Kind<SurveyTask> {
  let kept: { readonly key: string; readonly survey: FilterSurvey } | undefined;
  const surveyOf = (gpu: Gpu, numbers: SurveyNumbers) => {
    const { axis: _, groups: __, ...options } = numbers;
    const key = JSON.stringify(options);
    if (kept?.key !== key) {
      kept?.survey.dispose();
      kept = { key, survey: new FilterSurvey(gpu, options) };
    }
    return kept.survey;
  };
  return {
    schema: taskSchema,
    title: ({ file, tensor }) => `${file}: ${tensor}`,
    async run({ file, tensor, shape, dtype, digest, numbers }, { gpu, signal, say }) {
      const reader = await openTensors(pathBelow(root, file));
      try {
        const entry = reader.header.entries.get(tensor);
        const isSame = entry !== undefined && entry.shape.join() === shape.join() && entry.dtype === dtype;
        const here = isSame
          ? await digestOf(reader, tensor)
          : `no ${dtype} [${shape.join(', ')}] of this name`;
        if (entry === undefined || here !== digest) {
          throw new QueueError('The file here is not the one that the job was made with.', {
            given: `${tensor}: ${here}`,
            expected: digest,
            where: file,
            remedy: 'copy the file to this machine again, and start the worker again',
          });
        }
        let done = 0;
        const layer = await measureTensor(
          surveyOf(gpu, numbers),
          { name: tensor, ownName: tensor, entry, file: reader },
          numbers,
          (share) => {
            done += share;
            say(done);
            signal.throwIfAborted();
          },
        );
        return { state: 'done', digest, peakGpuBytes: gpu.memory.peakBytes, layer };
      } catch (cause) {
        if (signal.aborted && cause === signal.reason) return undefined;
        if (!(cause instanceof MemoryPlanError)) throw cause;
        return { state: 'left out', digest, peakGpuBytes: gpu.memory.peakBytes, reason: reasonOf(cause) };
      } finally {
        await reader.close();
      }
    },
  };
}

/** Why a tensor is left out of a survey. */
export function reasonOf({ what, remedy = '' }: MemoryPlanError): string {
  return `${what} ${remedy}`.trim();
}

/** Bytes that are read at once. */
const PIECE = 8 * 2 ** 20;

async function digestOf(reader: TensorFile, tensor: string): Promise<string> {
  const hash = createHash('sha256');
  const entry = reader.header.entries.get(tensor);
  if (entry === undefined) return '';
  const size = entry.end - entry.begin;
  for (let at = 0; at < size; at += PIECE) {
    hash.update(await reader.read(entry, at, new Uint8Array(Math.min(PIECE, size - at))));
  }
  return hash.digest('hex');
}
