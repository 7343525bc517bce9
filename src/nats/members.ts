/** Jobs of the kind `member`: one network of an ensemble by bagging, which needs none of the others. */
import * as v from 'valibot';
import { type ComparisonJob, networkFor, parseEntry } from '../compare/index.ts';
import { jobOptions } from '../compare/plan.ts';
import type { TrainingData } from '../data/index.ts';
import { FormatError } from '../errors.ts';
import { trainBagged } from '../regimes/ensemble.ts';
import { jobSchema } from '../reports/compared.ts';
import { checked } from '../reports/story.ts';
import { type CoordinateOptions, coordinate, errorOf, isOfMachine, type Refusal } from './coordinate.ts';
import { queued } from './job.ts';
import type { Queue } from './queue.ts';
import { dataSchema, type NamedData, progressOf, workplaces } from './trainings.ts';
import type { Kind } from './work.ts';

interface MemberTask {
  readonly data: NamedData;
  readonly model: string;
  /** How it is trained; `seed` is the first member's. */
  readonly job: ComparisonJob;
  readonly member: number;
}

/** What came of a member: its outputs for the test samples, f32 [samples, outputs]. */
export type MemberResult =
  | { readonly state: 'done'; readonly outputs: Float32Array }
  | { readonly state: 'failed'; readonly error: Refusal['refused'] };

const text = v.pipe(v.string(), v.maxLength(4096));
const taskSchema: v.GenericSchema<unknown, MemberTask> = v.object({
  data: dataSchema,
  model: text,
  job: jobSchema,
  member: v.pipe(v.number(), v.safeInteger(), v.minValue(0), v.maxValue(2 ** 16)),
});
const resultSchema = v.variant('state', [
  v.object({ state: v.literal('done'), outputs: v.string() }),
  v.object({ state: v.literal('failed'), error: v.object({ name: text, message: v.string() }) }),
]);

/**
 * Has workers train the members of an ensemble.
 * @returns what came of each, in their order
 * @throws QueueError where the server is away for two minutes
 */
export function ensembleByWorkers(
  queue: Queue,
  task: Omit<MemberTask, 'member'>,
  members: number,
  more: Pick<CoordinateOptions<MemberResult>, 'signal' | 'onQueued' | 'onResult'> = {},
): Promise<MemberResult[]> {
  return coordinate<MemberResult>(
    queue,
    Array.from({ length: members }, (_, member) => queued<MemberTask>('member', { ...task, member })),
    {
      read(result, member) {
        const where = `member ${member + 1}`;
        const read = checked(result, resultSchema, { what: 'A result of the ensemble is malformed.', where });
        return read.state === 'done' ? { state: 'done', outputs: floatsOf(read.outputs, where) } : read;
      },
      refused: (error) => ({ state: 'failed', error }),
    },
    more,
  );
}

/** How a worker trains a member. @param load gets the data that a job names */
export function members(load: (named: NamedData) => Promise<TrainingData>): Kind<MemberTask> {
  const places = workplaces(load);
  return {
    schema: taskSchema,
    title: ({ job, member }) => `${job.method}, member ${member + 1}`,
    async run({ data, model, job, member }, hands) {
      const place = await places(hands.gpu, data, model);
      const progress = progressOf(hands, job.id);
      const restore = (await progress.progress(job.id))?.checkpoint;
      try {
        const entry = parseEntry(job.method);
        const network = await networkFor(place.model, entry);
        const outputs = await trainBagged(
          hands.gpu,
          network,
          place.data,
          member,
          jobOptions(job, entry, { inner: [] }),
          {
            restore,
            signal: hands.signal,
            onSteps: ({ step, epochs, batches }) => hands.say(step / (epochs * batches)),
            checkpoint: { save: (checkpoint) => progress.keepProgress(job.id, { checkpoint, epochs: [] }) },
          },
        );
        return outputs && { state: 'done', outputs: textOf(outputs) };
      } catch (error) {
        if (isOfMachine(error)) throw error;
        return { state: 'failed', error: errorOf(error) };
      }
    },
  };
}

/** Little-endian, in base64. */
function textOf(values: Float32Array): string {
  const bytes = new DataView(new ArrayBuffer(4 * values.length));
  for (const [index, value] of values.entries()) bytes.setFloat32(4 * index, value, true);
  return Buffer.from(bytes.buffer).toString('base64');
}

function floatsOf(text: string, where: string): Float32Array {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.length % 4 !== 0) {
    throw new FormatError('A result of the ensemble is malformed.', {
      given: `${bytes.length} bytes`,
      expected: 'floats of four bytes',
      where,
    });
  }
  return Float32Array.from({ length: bytes.length / 4 }, (_, index) => bytes.readFloatLE(4 * index));
}
