/** A job as it lies in the queue: plain JSON that names what is to be done with what, and carries no code. */
import * as v from 'valibot';
import manifest from '../../package.json' with { type: 'json' };
import { QueueError } from '../errors.ts';
import { digestOf } from '../graph/values.ts';
import { checked } from '../reports/story.ts';

const VERSION = 2;

/** Work for whoever takes it. */
export interface QueuedJob<Task = unknown> {
  readonly version: typeof VERSION;
  /** Version of this package: other versions may come to other bits. */
  readonly code: string;
  /** What is to be done; a worker knows some kinds. */
  readonly kind: string;
  /** What it is done with, as its kind says. */
  readonly task: Task;
}

const name = v.pipe(v.string(), v.maxLength(4096));
const versionSchema = v.object({ version: v.number(), code: name });
const kindSchema = v.object({ kind: name });

/** A job for the queue. */
export function queued<Task>(kind: string, task: Task): QueuedJob<Task> {
  return { version: VERSION, code: manifest.version, kind, task };
}

/** What tells a job from all others: 64 hexadecimal digits. */
export function digestOfJob(job: QueuedJob): Promise<string> {
  return digestOf([JSON.stringify(job)]);
}

const about = (where: string) => ({ what: 'A job of the queue is malformed.', where });

/**
 * Which kind of job a text of the queue is.
 * @throws QueueError for a job of another version; FormatError that names the first field which is wrong
 */
export function kindOf(text: string, where: string): string {
  const { version, code } = checked(text, versionSchema, about(where));
  if (version !== VERSION || code !== manifest.version) {
    throw new QueueError('The job is of another version than this worker.', {
      given: `jobs of version ${version}, of webgpu-bnn ${code}`,
      expected: `version ${VERSION}, of webgpu-bnn ${manifest.version}`,
      where,
      remedy: `start a worker of that version: npx webgpu-bnn@${code} worker`,
    });
  }
  return checked(text, kindSchema, about(where)).kind;
}

/** What a job of a known kind is done with. @throws FormatError that names the first field which is wrong */
export function taskOf<Schema extends v.GenericSchema>(
  text: string,
  schema: Schema,
  where: string,
): v.InferOutput<Schema> {
  return checked(text, v.object({ task: schema }), about(where)).task;
}
