/** `webgpu-bnn convert`: a stored network in another format. */
import { extname } from 'node:path';
import { Command } from 'commander';
import { FormatError } from '../errors.ts';
import {
  type Gpu,
  loadModel,
  type Model,
  Network,
  type ParameterValues,
  rangeName,
  SAVE_FORMATS,
  type SaveFormat,
  saveModel,
  sizeOf,
} from '../index.ts';
import { writeFileAtomic } from '../node/index.ts';
import { uniform01 } from '../reference/random.ts';
import { bytesText } from '../reports/words.ts';
import { MODEL_ARGUMENT, type ReadableModel, readModel } from './imported.ts';
import { type AdapterOptions, acquire, withAdapter } from './options.ts';

interface Flags extends AdapterOptions {
  readonly fold?: boolean;
  readonly verify: boolean;
}

/** Random inputs on which both networks must give the same numbers. */
const SAMPLES = 16;
/** Some formats have a multiplier and a bias where a network has a normalisation: a few roundings of f32. */
const ROUNDING = 1e-5;

export function convertCommand(): Command {
  const endings = SAVE_FORMATS.map((format) => `.${format}`).join(', ');
  return withAdapter(new Command('convert'))
    .description('write a stored network in another format, and check that it runs the same')
    .argument('<model>', MODEL_ARGUMENT)
    .argument('<out>', `the file to write: ${endings}`)
    .option('--fold', 'fold normalisations into thresholds first')
    .option('--no-verify', 'write without running both networks on random inputs')
    .addHelpText(
      'after',
      `
Examples:
  $ webgpu-bnn convert runs/mnist-mlp mlp.safetensors
  $ webgpu-bnn convert cifar10-cnvW1A1 cnv.tflite`,
    )
    .action(async (path: string, out: string, flags: Flags) => {
      const format = extname(out).slice(1).toLowerCase() as SaveFormat;
      const source = await readModel(path, { fold: false });
      const { model, values } = flags.fold === true ? await readModel(path) : source;
      const bytes = await saveModel(format, model, values, source);
      console.log(`read      ${path}: ${source.format}, ${bytesText(source.bytes)}`);
      if (flags.verify) {
        const gpu = await acquire(flags);
        const difference = await verify(gpu, source, bytes, out);
        gpu.dispose();
        const same = difference === 0 ? 'the same outputs, to the bit,' : 'the same outputs but for rounding';
        const most = difference === 0 ? '' : ` (${difference.toExponential(1)} of the largest)`;
        console.log(`verified  ${same} for ${SAMPLES} random inputs${most}`);
      }
      await writeFileAtomic(out, bytes);
      console.log(`written   ${out}: ${bytesText(bytes.length)}`);
      if (format !== 'safetensors' && source.pixels !== undefined) {
        const range = rangeName(source.pixels);
        const how = range === undefined ? JSON.stringify(source.pixels) : `--pixels ${range}`;
        console.log(`note      .${format} can't say how the network takes the bytes of an image: ${how}`);
      }
    });
}

/**
 * Reads the new file back and runs it beside the old one.
 * @returns the largest difference of two outputs, relative to the largest output: 0, or the rounding of a format that
 *   says a normalisation in other numbers
 * @throws FormatError, before anything is written
 */
async function verify(
  gpu: Gpu,
  source: ReadableModel,
  bytes: Uint8Array<ArrayBuffer>,
  out: string,
): Promise<number> {
  const written = await loadModel(new Map([[out, bytes]]), { fold: false });
  const samples = randomSamples(source);
  const [expected, found] = [await outputs(gpu, source, samples), await outputs(gpu, written, samples)];
  const scale = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  let difference = expected.length === found.length ? 0 : Number.POSITIVE_INFINITY;
  for (const [index, value] of expected.entries()) {
    const distance = Math.abs(value - (found[index] ?? Number.NaN));
    if (distance !== 0) difference = Math.max(difference, distance / Math.max(scale, Number.MIN_VALUE));
  }
  if (difference <= ROUNDING) return difference;
  throw new FormatError('The converted network does not run the same; nothing was written.', {
    given: `outputs that differ by ${difference.toExponential(1)} of the largest one`,
    expected: `at most ${ROUNDING}`,
    where: out,
    remedy: 'convert without --fold, or report this network as a fault of webgpu-bnn',
  });
}

/** Random bytes as the network takes images, or random numbers in [−1, 1]. */
function randomSamples({ model, pixels, prepare }: ReadableModel): Float32Array<ArrayBuffer> {
  const count = SAMPLES * sizeOf(model.inputShape);
  const random = (index: number) => uniform01(1, 1, index);
  if (pixels !== undefined) {
    return prepare(Uint8Array.from({ length: count }, (_, index) => Math.floor(256 * random(index))));
  }
  return Float32Array.from({ length: count }, (_, index) => 2 * random(index) - 1);
}

async function outputs(
  gpu: Gpu,
  { model, values }: { readonly model: Model; readonly values: ParameterValues },
  samples: Float32Array<ArrayBuffer>,
): Promise<Float32Array<ArrayBuffer>> {
  using network = await Network.create(gpu, model, { values, forInference: true });
  return await network.predict(samples);
}
