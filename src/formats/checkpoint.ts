/** Training checkpoints as safetensors files: the tensors by name, the progress as JSON in the file's metadata. */

import type { BytesLike } from '../bytes.ts';
import { FormatError } from '../errors.ts';
import type { Model } from '../graph/index.ts';
import { parseJson } from '../json.ts';
import { npx } from '../npx.ts';
import type { Checkpoint, CheckpointTensor, Progress } from '../train/index.ts';
import { decodeSafetensors, encodeSafetensors } from './safetensors.ts';

/** What the checkpoint of a training is called in its folder. */
export const CHECKPOINT_FILE = 'checkpoint.safetensors';

const KIND = 'webgpu-bnn checkpoint';
const VERSION = '1';

/** @param extra further metadata, e.g. the options of the run */
export function encodeCheckpoint(
  checkpoint: Checkpoint,
  extra: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  return encodeSafetensors(Object.fromEntries(checkpoint.tensors), {
    ...extra,
    kind: KIND,
    version: VERSION,
    progress: JSON.stringify(checkpoint.progress),
  });
}

/**
 * @param where the file's name, for errors
 * @throws FormatError for a file that is truncated, corrupt, or no checkpoint of this library
 */
export function decodeCheckpoint(
  bytes: BytesLike,
  where: string,
): { checkpoint: Checkpoint; metadata: Readonly<Record<string, string>> } {
  const { tensors, metadata } = decodeSafetensors(bytes, where);
  if (metadata.kind !== KIND || metadata.version !== VERSION) {
    throw new FormatError('This safetensors file is no training checkpoint of webgpu-bnn.', {
      given: `kind "${metadata.kind ?? 'none'}", version ${metadata.version ?? 'none'}`,
      expected: `kind "${KIND}", version ${VERSION}`,
      where,
      remedy:
        metadata.kind === 'webgpu-bnn model'
          ? `a model file has no training in it; its accuracy: ${npx('run FILE --dataset NAME')}`
          : `name a ${CHECKPOINT_FILE} that ${npx('train')} wrote`,
    });
  }
  const known = new Map<string, CheckpointTensor>();
  for (const [name, { dtype, shape, data }] of tensors) {
    if (dtype === 'F32' && data instanceof Float32Array) known.set(name, { dtype, shape, data });
    else if (dtype === 'U32' && data instanceof Uint32Array) known.set(name, { dtype, shape, data });
    else
      throw new FormatError('A checkpoint holds F32 and U32 tensors only.', {
        given: dtype,
        where: `${where}: ${name}`,
      });
  }
  return { checkpoint: { tensors: known, progress: parseProgress(metadata.progress, where) }, metadata };
}

/**
 * A model's parameters in a checkpoint, without the state of its optimizer: what a network or a model file takes.
 * @throws FormatError when the checkpoint is one of another model
 */
export function checkpointValues(checkpoint: Checkpoint, model: Model): Map<string, Float32Array> {
  const values = new Map<string, Float32Array>();
  for (const { name, parameters } of model.layers) {
    for (const spec of parameters) {
      const key = `${name}/${spec.name}`;
      const tensor = checkpoint.tensors.get(key);
      if (!(tensor?.data instanceof Float32Array) || tensor.shape.join() !== spec.shape.join()) {
        throw new FormatError('This checkpoint is not one of the model.', {
          given: tensor === undefined ? 'no such tensor' : `${tensor.dtype} [${tensor.shape.join(', ')}]`,
          expected: `F32 [${spec.shape.join(', ')}]`,
          where: key,
        });
      }
      values.set(key, tensor.data);
    }
  }
  return values;
}

/** Levels of what the progress keeps of a training's options. */
type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

/** Every field by its name: nothing else of what a file says gets into a training. */
function parseProgress(text: string | undefined, where: string): Progress {
  const malformed = (cause?: unknown) =>
    new FormatError("The checkpoint's progress is missing or malformed.", {
      given: text?.slice(0, 80),
      where,
      cause,
    });
  let value: unknown;
  try {
    value = parseJson(text ?? '');
  } catch (cause) {
    throw malformed(cause);
  }
  const fields = fieldsOf(value);
  const counter = (name: string): number => {
    const count = fields[name];
    if (typeof count === 'number' && Number.isSafeInteger(count) && count >= 0) return count;
    throw malformed();
  };
  const sum = (from: Readonly<Record<string, unknown>>, name: string): number => {
    const number = from[name];
    if (typeof number === 'number' && Number.isFinite(number)) return number;
    throw malformed();
  };
  const history = fields.history;
  const { frozen } = fields;
  const areNames =
    frozen === undefined || (Array.isArray(frozen) && frozen.every((name) => typeof name === 'string'));
  if (!areNames || !Array.isArray(history) || fieldsOf(fields.fixed) !== fields.fixed) throw malformed();
  return {
    step: counter('step'),
    epoch: counter('epoch'),
    batch: counter('batch'),
    lossSum: sum(fields, 'lossSum'),
    correct: counter('correct'),
    count: counter('count'),
    seconds: sum(fields, 'seconds'),
    history: history.map((entry) => {
      const epoch = fieldsOf(entry);
      return {
        epoch: sum(epoch, 'epoch'),
        trainLoss: sum(epoch, 'trainLoss'),
        trainAccuracy: sum(epoch, 'trainAccuracy'),
        testLoss: sum(epoch, 'testLoss'),
        testAccuracy: sum(epoch, 'testAccuracy'),
        learningRate: sum(epoch, 'learningRate'),
        seconds: sum(epoch, 'seconds'),
        imagesPerSecond: sum(epoch, 'imagesPerSecond'),
        ...('validationLoss' in epoch ? { validationLoss: sum(epoch, 'validationLoss') } : {}),
        ...('validationAccuracy' in epoch ? { validationAccuracy: sum(epoch, 'validationAccuracy') } : {}),
        ...('testScores' in epoch ? { testScores: scoresOf(epoch.testScores) } : {}),
        ...('validationScores' in epoch ? { validationScores: scoresOf(epoch.validationScores) } : {}),
      };
    }),
    ...(frozen === undefined ? {} : { frozen: frozen as string[] }),
    // Only compared with what a training has; its own options decide what it does.
    fixed: fields.fixed as { readonly [name: string]: Json },
  };
}

/** Numbers by name; JSON has null for those that are none. */
function scoresOf(value: unknown): Record<string, number> {
  return Object.fromEntries(
    Object.entries(fieldsOf(value)).map(([name, score]) => [
      name,
      typeof score === 'number' ? score : Number.NaN,
    ]),
  );
}

/** An object's fields; none of anything else. */
function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : {};
}
