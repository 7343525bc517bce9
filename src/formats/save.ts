/** Any model in any format that this library writes. */
import { OptionError } from '../errors.ts';
import type { Model, ParameterValues } from '../graph/index.ts';
import { encodeModel, type ModelNotes } from './model-file.ts';

type Writer = (
  model: Model,
  values: ParameterValues,
  notes: ModelNotes,
) => Promise<Uint8Array<ArrayBuffer>> | Uint8Array<ArrayBuffer>;

/** By the ending of a file's name. Writers that need a package are loaded when they are asked for. */
const WRITERS = {
  safetensors: encodeModel,
  onnx: async (model, values) => {
    const { exportOnnx } = await import('./onnx.ts');
    return exportOnnx(model, values);
  },
  tflite: async (model, values) => {
    const { exportTflite } = await import('./tflite/index.ts');
    return exportTflite(model, values);
  },
} as const satisfies Readonly<Record<string, Writer>>;

export type SaveFormat = keyof typeof WRITERS;

/** What `saveModel` writes, as the endings of file names. */
export const SAVE_FORMATS = Object.keys(WRITERS) as readonly SaveFormat[];

/**
 * Writes a model with its weights as a file: `safetensors` is this library's own, `tflite` is Larq Compute Engine's; both
 * have one bit a binary weight. `onnx` has QONNX operators, and 32 bits a weight. Only this library's own keeps the names
 * of the classes and the encoding of the pixels.
 * @throws OptionError for a format that isn't written; what the writer throws for a layer that its format can't say
 */
export async function saveModel(
  format: SaveFormat,
  model: Model,
  values: ParameterValues,
  notes: ModelNotes = {},
): Promise<Uint8Array<ArrayBuffer>> {
  if (!Object.hasOwn(WRITERS, format)) {
    throw new OptionError('Models are not written in this format.', {
      given: String(format),
      expected: SAVE_FORMATS.join(', '),
      where: 'saveModel',
    });
  }
  const write: Writer = WRITERS[format];
  return await write(model, values, notes);
}
