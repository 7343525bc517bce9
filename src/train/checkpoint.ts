/** Saving a training whole, and going back to what was saved. */
import { FormatError, OptionError } from '../errors.ts';
import { type DType, describe, type Shape, type Tensor } from '../gpu/index.ts';
import type { Checkpoint, CheckpointTensor } from './progress.ts';
import type { Run } from './run.ts';
import { joinSlots, partSlots, slotNames } from './updates.ts';

/** Everything that is needed to go on later, elsewhere. */
export async function checkpointOf(run: Run): Promise<Checkpoint> {
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
    if (slots.kept === undefined) continue;
    const parted = partSlots(slots, await run.gpu.readFloats(slots.kept));
    for (const [i, { name, shape }] of slotNames(slots).entries()) {
      tensors.set(name, { dtype: 'F32', shape, data: parted[i] ?? new Float32Array() });
    }
  }
  return { tensors, progress: run.progress };
}

/**
 * Goes back to a checkpoint.
 * @throws OptionError when it was made with other options, FormatError when it lacks a tensor
 */
export async function restore(run: Run, { tensors, progress }: Checkpoint): Promise<void> {
  for (const [name, value] of Object.entries(run.fixed())) {
    const theirs = progress.fixed[name];
    if (JSON.stringify(theirs) !== JSON.stringify(value)) {
      throw new OptionError("The checkpoint was made with another option than this training's.", {
        given: `${name} = ${JSON.stringify(value)}`,
        expected: `${name} = ${JSON.stringify(theirs)}`,
        where: 'restore',
        remedy: 'resume with the options of the checkpoint, or start anew without it',
      });
    }
  }
  // Everything is checked before anything is written: half a checkpoint must not train on.
  const writes: (readonly [Tensor, CheckpointTensor['data']])[] = run
    .stateTensors()
    .map((tensor) => [tensor, savedTensor(tensors, tensor.label, tensor.shape, tensor.dtype)]);
  for (const slots of run.parts.slots) {
    if (slots.kept === undefined) continue;
    const parts = slotNames(slots).map(
      ({ name, shape }) => savedTensor(tensors, name, shape, 'f32') as Float32Array,
    );
    writes.push([slots.kept, joinSlots(slots, parts)]);
  }
  for (const [tensor, data] of writes) run.gpu.write(tensor, data);
  await run.network.repack();
  run.progress = progress;
  run.onGpu = undefined;
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
