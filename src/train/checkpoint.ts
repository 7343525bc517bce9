/** Saving a training whole, and going back to what was saved. */
import { FormatError, listed, OptionError } from '../errors.ts';
import { type DType, describe, type HostData, type Shape, type Tensor } from '../gpu/index.ts';
import { canonical } from './fingerprint.ts';
import type { Checkpoint, CheckpointTensor, Progress } from './progress.ts';
import type { Run, StepTap } from './run.ts';
import { joinKept, MEASURED_SHAPE, partKept, slotNames, wholeMeasures } from './updates.ts';

/** Something that keeps tensors with the checkpoints of a training: a tap, a hook. */
export interface Keeper {
  /** Its tensors by name, as they are now. */
  readonly state?: StepTap['state'] | undefined;
}

/**
 * Everything that is needed to go on later, elsewhere.
 * @param keepers what they keep is kept with it
 * @throws OptionError for a tensor of theirs whose name is taken
 */
export async function checkpointOf(run: Run, keepers: readonly Keeper[] = []): Promise<Checkpoint> {
  await run.settle();
  const tensors = new Map<string, CheckpointTensor>();
  for (const tensor of run.stateTensors()) {
    const words = tensor.dtype === 'u32';
    tensors.set(tensor.label, {
      dtype: words ? 'U32' : 'F32',
      shape: tensor.shape,
      data: words ? await run.gpu.readWords(tensor) : await run.gpu.readFloats(tensor),
    });
  }
  for (const slots of run.parts.slots) {
    if (slots.measures !== undefined) {
      const all = await run.gpu.readFloats(slots.measures);
      const data = all.slice(0, MEASURED_SHAPE[0]);
      tensors.set(slots.measures.label, { dtype: 'F32', shape: MEASURED_SHAPE, data });
    }
    if (slots.kept === undefined) continue;
    const parted = partKept(slots, await run.gpu.readFloats(slots.kept));
    for (const [i, { name, shape }] of slotNames(slots).entries()) {
      tensors.set(name, { dtype: 'F32', shape, data: parted[i] ?? new Float32Array() });
    }
  }
  for (const keeper of keepers) {
    for (const [name, tensor] of (await keeper.state?.()) ?? []) {
      if (tensors.has(name)) {
        throw new OptionError('Two tensors of a checkpoint have one name.', {
          given: name,
          where: 'checkpoint',
          remedy: 'let the state of a tap or hook begin with a word of its own',
        });
      }
      tensors.set(name, tensor);
    }
  }
  return { tensors, progress: run.progress };
}

/**
 * Goes back to a checkpoint.
 * @throws OptionError when it was made with other options, FormatError when it lacks a tensor
 */
export async function restore(run: Run, { tensors, progress }: Checkpoint): Promise<void> {
  assertSame(run.fixed(), progress.fixed);
  assertPossible(run, progress);
  // Everything is checked before anything is written: half a checkpoint must not train on.
  const writes: (readonly [Tensor, HostData])[] = run
    .stateTensors()
    .map((tensor) => [tensor, savedTensor(tensors, tensor.label, tensor.shape, tensor.dtype)]);
  for (const slots of run.parts.slots) {
    const { measures } = slots;
    if (measures !== undefined) {
      const saved = savedTensor(tensors, measures.label, MEASURED_SHAPE, 'f32') as Float32Array;
      writes.push([measures, wholeMeasures(measures, saved)]);
    }
    if (slots.kept === undefined) continue;
    const parts = slotNames(slots).map(
      ({ name, shape }) => savedTensor(tensors, name, shape, 'f32') as Float32Array,
    );
    writes.push([slots.kept, joinKept(slots, parts)]);
  }
  await run.replace(progress, async () => {
    await run.gpu.scoped('restore', () => {
      for (const [tensor, data] of writes) run.gpu.write(tensor, data);
    });
    await run.network.renew();
  });
}

/** @throws FormatError unless the checkpoint has a tensor of this name, shape and type */
function savedTensor(
  tensors: Checkpoint['tensors'],
  name: string,
  shape: Shape,
  dtype: DType,
): CheckpointTensor['data'] {
  const saved = tensors.get(name);
  if (saved?.dtype === (dtype === 'u32' ? 'U32' : 'F32') && saved.shape.join() === shape.join())
    return saved.data;
  throw new FormatError(
    saved ? "A tensor of the checkpoint isn't the training's." : 'The checkpoint lacks a tensor.',
    {
      given: saved ? `${describe(saved.shape)} ${saved.dtype}` : 'nothing',
      expected: describe(shape, dtype),
      where: name,
    },
  );
}

/** What stands for the model, the data and the schedule, for people. */
const DIGESTS: Readonly<Record<string, string>> = {
  modelDigest: 'the layers of the model and their options',
  dataDigest: 'the images, labels and normalisation of the data set',
  scheduleDigest: 'the values of the schedules',
};

/**
 * Checkpoints of version 0.1 have no digests, and one whose schedule was made longer has none of that: they are restored with
 * what they say.
 * @throws OptionError where a checkpoint is of another training
 */
function assertSame(mine: Progress['fixed'], theirs: Progress['fixed']): void {
  // What one of them lacks is the default, which is no option of the other's.
  for (const name of new Set([...Object.keys(mine), ...Object.keys(theirs)])) {
    const digest = DIGESTS[name];
    if (digest !== undefined && !(name in theirs)) continue;
    const value = mine[name];
    if (canonical(noted(theirs[name])) === canonical(value)) continue;
    throw new OptionError("The checkpoint was made with another option than this training's.", {
      given: `${name} = ${canonical(value)}`,
      expected: `${name} = ${canonical(theirs[name])}`,
      where: digest === undefined ? 'restore' : `restore: ${digest}`,
      remedy: 'resume with what the checkpoint was made with, or start anew without it',
    });
  }
}

/** A method as version 0.1 said it, `{ kind: 'bop', gamma }`, as it is said now: by name, with the numbers that are no defaults. */
function noted(theirs: unknown): unknown {
  if (typeof theirs !== 'object' || theirs === null || !('kind' in theirs)) return theirs;
  const { kind, ...numbers } = theirs;
  return Object.keys(numbers).length === 0 ? kind : { name: kind, ...numbers };
}

/** @throws FormatError for a progress that no training of these options comes to */
function assertPossible({ batches, options, parts }: Run, progress: Progress): void {
  const { step, epoch, batch, count, correct, lossSum, seconds, history, frozen = [] } = progress;
  const trained = parts.slots.map(({ parameter }) => parameter.name);
  const unknown = frozen.find((name) => !trained.includes(name));
  if (unknown !== undefined) {
    throw new FormatError('The checkpoint has frozen what this training has not.', {
      given: unknown,
      expected: listed(trained),
      where: 'restore',
    });
  }
  const counters = { step, epoch, batch, count, correct };
  const possible =
    Object.values(counters).every((n) => Number.isSafeInteger(n) && n >= 0) &&
    step === epoch * batches + batch &&
    batch <= batches &&
    count === batch * options.batch &&
    correct <= count &&
    Number.isFinite(lossSum) &&
    seconds >= 0 &&
    Array.isArray(history) &&
    history.length <= epoch;
  if (possible) return;
  throw new FormatError('No training of these options comes to where the checkpoint stands.', {
    given: Object.entries(counters)
      .map(([name, n]) => `${name} ${n}`)
      .join(', '),
    expected: `${batches} batches of ${options.batch} an epoch`,
    where: 'restore',
  });
}
