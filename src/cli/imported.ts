/** Models as the commands take them: whatever `loadModel` reads, by path or URL, and trainings of this library. */
import { stat } from 'node:fs/promises';
import { FormatError } from '../errors.ts';
import { checkpointValues, compileContent, type LoadedModel } from '../index.ts';
import { assertNoComparison } from '../node/comparison.ts';
import { loadModel } from '../node/index.ts';
import { localPath } from '../node/models.ts';
import { openSafetensors } from '../node/tensors.ts';
import { megabytes } from '../reports/words.ts';
import { checkpointIn, loadNetwork, readRun } from './runs.ts';

/** What a command says of its argument. */
export const MODEL_ARGUMENT =
  'a file (.safetensors, ONNX, .tflite), a BNN-PYNQ folder, a zip of one of them, a training run, or a URL';

/** A loaded model, or a training as it stood at its checkpoint. */
export type ReadableModel = Omit<LoadedModel, 'format'> & {
  readonly format: LoadedModel['format'] | 'training run';
};

/**
 * @param options.fold whether to compile for inference; default true
 * @throws what `loadModel` throws, and what reading a run does
 */
export async function readModel(
  source: string,
  options: { readonly fold?: boolean } = {},
): Promise<ReadableModel> {
  const checkpoint = await checkpointOf(source);
  if (checkpoint === undefined) {
    const isFetched = localPath(source) === undefined;
    return await loadModel(source, { ...options, ...(isFetched ? { onProgress: showProgress } : {}) });
  }
  const { run, checkpoint: saved } = await readRun(checkpoint);
  const { model, classes, pixels, table } = await loadNetwork(run);
  const content = {
    format: 'webgpu-bnn' as const,
    model,
    values: checkpointValues(saved, model),
    classes,
    pixels,
    table,
    producer: undefined,
    layout: undefined,
    folded: [],
  };
  const { size } = await stat(checkpoint);
  return { ...compileContent(content, size, options), format: 'training run' };
}

/** The checkpoint that a path names: of a run folder, or the file itself. */
async function checkpointOf(source: string): Promise<string | undefined> {
  const path = localPath(source);
  if (path === undefined) return undefined;
  const entry = await stat(path).catch(() => undefined);
  if (entry === undefined) return undefined;
  if (entry.isDirectory()) assertNoComparison(path);
  const file = entry.isDirectory() ? await checkpointIn(path, 'best') : path;
  try {
    const reader = await openSafetensors(file);
    await reader.close();
    return reader.header.metadata.kind === 'webgpu-bnn checkpoint' ? file : undefined;
  } catch (cause) {
    // A damaged checkpoint is named as one; anything else is for `loadModel` to say.
    if (entry.isDirectory() && cause instanceof FormatError) throw cause;
    return undefined;
  }
}

function showProgress({ received, total }: { received: number; total: number | undefined }): void {
  if (!process.stderr.isTTY) return;
  const of = total === undefined ? '' : ` of ${megabytes(total)}`;
  process.stderr.write(`\rfetching ${megabytes(received)}${of}${received === total ? '\n' : ''}`);
}
