/** `webgpu-bnn convert`: a stored network in another format. */
import { extname } from 'node:path';
import { Command } from 'commander';
import { FormatError, listed, OptionError } from '../errors.ts';
import {
  describePixels,
  foldForInference,
  type Gpu,
  type LoadedModel,
  type Model,
  Network,
  type ParameterValues,
  packRotations,
  SAVE_FORMATS,
  type SaveFormat,
  saveModel,
  sizeOf,
} from '../index.ts';
import { writeFileAtomic } from '../node/files.ts';
import { loadModel } from '../node/index.ts';
import { uniform01 } from '../numerics/random.ts';
import { nearest } from '../options.ts';
import { bytesText } from '../reports/words.ts';
import { convertToFolder } from './convert-folder.ts';
import { convertToGguf } from './convert-gguf.ts';
import { MODEL_ARGUMENT, type ReadableModel, readModel } from './imported.ts';
import { type AdapterOptions, acquire, withAdapter } from './options.ts';
import { assertFree } from './output.ts';

interface Flags extends AdapterOptions {
  readonly fold?: boolean;
  readonly packRotations?: boolean;
  readonly overwrite?: boolean;
  readonly verify: boolean;
}

/** Random inputs on which both networks must give the same numbers. */
const SAMPLES = 16;
/** Some formats have a multiplier and a bias where a network has a normalisation: a few roundings of f32. */
const ROUNDING = 1e-5;
const FAULT = 'convert without --fold, or report this network as a fault of webgpu-bnn';

/** What is written, by the ending of its name. */
const ENDINGS = `${SAVE_FORMATS.map((format) => `.${format}`).join(', ')}; a folder of BNN-PYNQ, as in cnv/; or .gguf, for tensors with one bit a weight`;

export function convertCommand(): Command {
  return withAdapter(new Command('convert'))
    .description('write a stored network in another format, and check that it runs the same')
    .argument('<model>', MODEL_ARGUMENT)
    .argument('<out>', `the file to write: ${ENDINGS}`)
    .option('--fold', 'fold normalisations into thresholds first')
    .option(
      '--pack-rotations',
      'of layers with a kernelRotation keep a bit a weight, and rotate their input instead',
    )
    .option('--overwrite', 'replace a file that is there; a folder that holds files never is')
    .option('--no-verify', 'write without reading the file back and running both networks on random inputs')
    .addHelpText(
      'after',
      `
Examples:
  $ webgpu-bnn convert runs/mnist-mlp mlp.safetensors
  $ webgpu-bnn convert cifar10-cnvW1A1 cnv.tflite
  $ webgpu-bnn convert runs/mnist-tfc tfc/
  $ webgpu-bnn convert runs/rotated rotated.safetensors --pack-rotations
  $ webgpu-bnn convert model.safetensors model.gguf  weights of one bit and a scale for each 128 (Q1_0)`,
    )
    .action(async (path: string, out: string, flags: Flags) => {
      const format = extname(out).slice(1).toLowerCase() as SaveFormat;
      if (!isFolder(out)) assertWritten(format, out);
      if (!isFolder(out)) assertFree([out], flags, '<out>');
      if (/\.gguf$/i.test(out)) return await convertToGguf(path, out, flags.verify);
      const source = await readModel(path, { fold: false });
      const { model, values } = await toWrite(source, path, flags);
      if (isFolder(out)) {
        console.log(`read      ${path}: ${source.format}, ${bytesText(source.bytes)}`);
        const gpu = flags.verify ? await acquire(flags) : undefined;
        await convertToFolder(source, out, gpu).catch((cause) => {
          throw asFile(cause, out);
        });
        gpu?.dispose();
        return;
      }
      const bytes = await saveModel(format, model, values, source);
      console.log(`read      ${path}: ${source.format}, ${bytesText(source.bytes)}`);
      await writeFileAtomic(
        out,
        bytes,
        undefined,
        flags.verify ? (file) => verify(flags, source, file, out) : undefined,
      );
      console.log(`written   ${out}: ${bytesText(bytes.length)}`);
      if (flags.packRotations === true && format === 'onnx') {
        console.log(
          'note      ONNX takes a rotation as a matrix of reals; as .safetensors the file is small',
        );
      }
      if (source.pixels === undefined && source.table === undefined) {
        console.log(
          'note      nothing says how the network takes the bytes of an image: run it with --pixels',
        );
      }
    });
}

/** The network as it is asked for. @throws OptionError where rotations are to be packed, and there are none */
async function toWrite(source: ReadableModel, path: string, { fold, packRotations: packs }: Flags) {
  if (packs !== true) return fold === true ? await readModel(path) : source;
  const made = packRotations(source.model, source.values);
  if (made.packed.length === 0) {
    throw new OptionError('No layer of this network has rotations to pack.', {
      given: path,
      expected: 'a quantDense with a kernelRotation',
      where: '--pack-rotations',
    });
  }
  console.log(`packed    ${listed(made.packed)}: a bit a weight, behind a rotation`);
  return fold === true ? foldForInference(made.model, made.values) : made;
}

/** @throws OptionError for an ending that is of no format */
function assertWritten(ending: string, out: string): void {
  const known = [...SAVE_FORMATS, 'gguf'];
  if (known.includes(ending)) return;
  const near = nearest(ending, known);
  throw new OptionError('There is no format of this ending.', {
    given: out,
    expected: ENDINGS,
    where: '<out>',
    remedy: near === undefined ? undefined : `did you mean .${near}?`,
  });
}

/** What is wrong with a network as a folder, where an ending may have been forgotten. */
function asFile(cause: unknown, out: string): unknown {
  if (/[\\/]$/.test(out) || !(cause instanceof FormatError || cause instanceof OptionError)) return cause;
  const { what, given, expected, where, remedy } = cause;
  const Kind = cause instanceof FormatError ? FormatError : OptionError;
  const ending = `a name without an ending is a folder of BNN-PYNQ; what is written: ${ENDINGS}`;
  return new Kind(what, {
    ...{ given, expected, where, cause },
    remedy: remedy === undefined ? ending : `${remedy}; ${ending}`,
  });
}

/** Whether a name is a folder's: it ends in a slash, or has no ending. */
function isFolder(out: string): boolean {
  return /[\\/]$/.test(out) || extname(out) === '';
}

/**
 * Reads the file that was written, from the disk, and runs it beside the network that it was made of.
 * @param file the new file, which has not taken the name `out` yet
 * @throws FormatError where it is not the same; nothing is written then
 */
async function verify(flags: Flags, source: ReadableModel, file: string, out: string): Promise<void> {
  const written = await loadModel(file, { fold: false });
  assertNotes(source, written, out);
  const gpu = await acquire(flags);
  const difference = await compare(gpu, source, written, out);
  gpu.dispose();
  const same = difference === 0 ? 'the same outputs, to the bit,' : 'the same outputs but for rounding';
  const most = difference === 0 ? '' : ` (${difference.toExponential(1)} of the largest)`;
  console.log(`verified  read back from the disk: ${same} for ${SAMPLES} random inputs${most}`);
}

/** @throws FormatError unless the file says what the source says of pixels and classes */
function assertNotes(source: ReadableModel, written: LoadedModel, out: string): void {
  const notesOf = ({ pixels, classes }: Pick<LoadedModel, 'pixels' | 'classes'>) =>
    `pixels ${pixels === undefined ? 'not said' : describePixels(pixels)}, classes ${JSON.stringify(classes ?? null)}`;
  const [expected, given] = [notesOf(source), notesOf(written)];
  if (expected === given) return;
  throw new FormatError('The file that was written does not keep what the network needs; it was removed.', {
    ...{ given, expected, where: out, remedy: FAULT },
  });
}

/**
 * Runs both networks on random inputs.
 * @returns the largest difference of two outputs, relative to the largest output: 0, or the rounding of a format that
 *   says a normalisation in other numbers
 * @throws FormatError where they differ by more
 */
async function compare(gpu: Gpu, source: ReadableModel, written: LoadedModel, out: string): Promise<number> {
  const samples = randomSamples(source);
  const [expected, found] = [await outputs(gpu, source, samples), await outputs(gpu, written, samples)];
  const differences = expected.map((values, index) =>
    differenceOf(values, found[index] ?? new Float32Array()),
  );
  const difference = expected.length === found.length ? Math.max(...differences) : Number.POSITIVE_INFINITY;
  if (difference <= ROUNDING) return difference;
  throw new FormatError('The converted network does not run the same; its file was removed.', {
    given: `outputs that differ by ${difference.toExponential(1)} of the largest one`,
    expected: `at most ${ROUNDING}`,
    where: out,
    remedy: FAULT,
  });
}

/** The largest difference of two lists of numbers, relative to the largest of the first. */
function differenceOf(expected: Float32Array, found: Float32Array): number {
  if (expected.length !== found.length) return Number.POSITIVE_INFINITY;
  const scale = expected.reduce((most, value) => Math.max(most, Math.abs(value)), Number.MIN_VALUE);
  return expected.reduce((most, value, index) => {
    const distance = Math.abs(value - (found[index] ?? Number.NaN));
    return distance === 0 ? most : Math.max(most, distance / scale);
  }, 0);
}

/** Random bytes as the network takes images, or random numbers in [−1, 1]; for each input, in the model's order. */
function randomSamples({ model, pixels, prepare }: ReadableModel): Float32Array<ArrayBuffer>[] {
  return model.inputs.map(({ shape }, place) => {
    const count = SAMPLES * sizeOf(shape);
    const random = (index: number) => uniform01(1, 1 + place, index);
    if (pixels !== undefined && place === 0) {
      return prepare(Uint8Array.from({ length: count }, (_, index) => Math.floor(256 * random(index))));
    }
    return Float32Array.from({ length: count }, (_, index) => 2 * random(index) - 1);
  });
}

/** What a network makes of samples, in the order of its outputs: formats may call them otherwise. */
async function outputs(
  gpu: Gpu,
  { model, values }: { readonly model: Model; readonly values: ParameterValues },
  samples: readonly Float32Array<ArrayBuffer>[],
): Promise<Float32Array<ArrayBuffer>[]> {
  using network = await Network.create(gpu, model, { values, forInference: true });
  const results = await network.predict(samples);
  return model.outputs.map(({ name }) => results[name] ?? new Float32Array());
}
