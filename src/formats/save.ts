/** Any model in any format that this library writes. */
import type { Model, ParameterValues } from '../graph/index.ts';
import { unknownName } from '../options.ts';
import type { Trainer } from '../train/index.ts';
import { encodeModel } from './model-file.ts';
import { encodeNotes, layoutOf, type ModelNotes } from './notes.ts';

type Written = Uint8Array<ArrayBuffer>;
type Writer = (model: Model, values: ParameterValues, notes: ModelNotes) => Promise<Written> | Written;

/** By the ending of a file's name. Writers that need a package are loaded when they are asked for. */
const WRITERS = {
  safetensors: encodeModel,
  onnx: async (model, values, notes) => {
    const { exportOnnx } = await import('./onnx.ts');
    return exportOnnx(model, values, { metadata: encodeNotes(notes, layoutOf(model.inputShape, 'NCHW')) });
  },
  tflite: async (model, values, notes) => {
    const { exportTflite } = await import('./tflite/index.ts');
    return exportTflite(model, values, { metadata: encodeNotes(notes, layoutOf(model.inputShape, 'NHWC')) });
  },
} as const satisfies Readonly<Record<string, Writer>>;

/** Formats that are written. */
export type SaveFormat = keyof typeof WRITERS;

/** What `saveModel` writes, as the endings of file names. */
export const SAVE_FORMATS = /* @__PURE__ */ Object.keys(WRITERS) as readonly SaveFormat[];

/**
 * Writes a model with its weights as a file: `safetensors` is this library's own, `tflite` is Larq Compute Engine's; both
 * have one bit a binary weight. `onnx` has QONNX operators, and 32 bits a weight.
 * @param notes what the network needs to be used, which every format keeps: how it takes bytes, names of the classes
 * @throws OptionError for a format that isn't written; what the writer throws for a layer that its format can't say
 * @example
 * ```ts
 * import { initialValues, mlp, saveModel } from 'webgpu-bnn';
 *
 * const network = mlp({ input: [8, 8, 1], classes: 4, units: 32 });
 * const file = await saveModel('safetensors', network, initialValues(network, 1), {
 *   pixels: { scale: [1 / 127.5], shift: [-1] },
 *   classes: ['a', 'b', 'c', 'd'],
 * });
 * ```
 */
export async function saveModel(
  format: SaveFormat,
  model: Model,
  values: ParameterValues,
  notes: ModelNotes = {},
): Promise<Written> {
  if (!Object.hasOwn(WRITERS, format)) throw unknownName('format', String(format), SAVE_FORMATS, 'saveModel');
  const write: Writer = WRITERS[format];
  return await write(model, values, notes);
}

/**
 * What a trainer has learned so far as a file, with all that is needed to use it: the model, its weights, how it takes bytes
 * and the names of the classes. In Node, `saveTraining` of `webgpu-bnn/node` writes files by path as well.
 * @param notes what shall stand in the file instead of what the training's data says
 * @throws what `saveModel` throws; OptionError while the trainer is busy
 * @example const bytes = await saveTraining(trainer, 'onnx');
 */
export async function saveTraining(
  trainer: Pick<Trainer, 'trained'>,
  format: SaveFormat,
  notes: ModelNotes = {},
): Promise<Written> {
  const { model, values, ...own } = await trainer.trained();
  return saveModel(format, model, values, { ...own, ...notes });
}
