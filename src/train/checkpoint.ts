/** Saving a training whole, and going back to what was saved. */
import { FormatError, OptionError } from '../errors.ts';
import { describe } from '../gpu/index.ts';
import type { Checkpoint, CheckpointTensor } from './progress.ts';
import type { Run } from './run.ts';

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
  const writes = run.stateTensors().map((tensor) => {
    const saved = tensors.get(tensor.label);
    const dtype = tensor.dtype === 'u32' ? 'U32' : 'F32';
    if (saved === undefined || saved.dtype !== dtype || saved.shape.join() !== tensor.shape.join()) {
      throw new FormatError(
        saved ? "A tensor of the checkpoint isn't the training's." : 'The checkpoint lacks a tensor.',
        {
          given: saved ? `${describe(saved.shape)} ${saved.dtype}` : 'nothing',
          expected: describe(tensor.shape, tensor.dtype),
          where: tensor.label,
        },
      );
    }
    return () => run.gpu.write(tensor, saved.data);
  });
  for (const write of writes) write();
  await run.network.repack();
  run.progress = progress;
  run.onGpu = undefined;
}
