/** Run folders: where the checkpoint of a run lies. */
import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { StorageError } from '../errors.ts';

/** The checkpoint of a run folder, or the checkpoint file itself. @throws StorageError where there is none */
export async function checkpointPath(path: string): Promise<{ file: string; folder: string }> {
  const isFolder = await stat(path).then(
    (entry) => entry.isDirectory(),
    (cause: unknown) => {
      throw new StorageError('There is no run here.', {
        given: path,
        expected: 'a folder that webgpu-bnn train wrote, or its checkpoint.safetensors',
        remedy: 'see what there is with: ls runs',
        cause,
      });
    },
  );
  return isFolder
    ? { file: join(path, 'checkpoint.safetensors'), folder: path }
    : { file: path, folder: dirname(path) };
}
