/** `webgpu-bnn run`: classifies images with a stored network. */
import { Command, Option } from 'commander';
import {
  Classifier,
  type LoadedModel,
  OptionError,
  PIXEL_RANGES,
  type PixelRange,
  sizeOf,
  takeFirst,
} from '../index.ts';
import { DATASET_NAMES, loadDataset } from '../node/index.ts';
import { IMAGE_FILES, readImages } from './images.ts';
import { MODEL_ARGUMENT, readModel } from './imported.ts';
import {
  type AdapterOptions,
  acquire,
  describeAdapter,
  jsonOption,
  positiveInteger,
  withAdapter,
} from './options.ts';
import { emit, jsonText } from './output.ts';

interface Flags extends AdapterOptions {
  readonly input?: string;
  readonly dataset?: string;
  readonly pixels?: PixelRange;
  readonly samples?: number;
  readonly top: number;
  readonly fold: boolean;
  readonly json?: string;
}

/** Images that are run once before the time is taken, so that nothing is compiled while it is. */
const WARM_UP = 100;

export function runCommand(): Command {
  return withAdapter(new Command('run'))
    .description('classify images with a stored network')
    .argument('<model>', MODEL_ARGUMENT)
    .addOption(new Option('--input <file>', `images: ${IMAGE_FILES}`).conflicts('dataset'))
    .addOption(new Option('--dataset <name>', 'the test images of a data set').choices([...DATASET_NAMES]))
    .addOption(
      new Option(
        '--pixels <range>',
        'what the network takes bytes of images as (default: what the file says, else 0:1)',
      ).choices(Object.keys(PIXEL_RANGES)),
    )
    .option('--samples <count>', 'only the first test images of the data set', positiveInteger)
    .option('--top <count>', 'classes to name for each image', positiveInteger, 3)
    .option('--no-fold', 'run the layers as they are stored, without folding normalisations into thresholds')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Examples:
  $ webgpu-bnn run model.onnx --dataset mnist
  $ webgpu-bnn run runs/mnist-mlp --input seven.png
  $ webgpu-bnn run cifar10-cnvW1A1 --input deer.bin --top 1`,
    )
    .action(async (path: string, flags: Flags) => {
      if (flags.input === undefined && flags.dataset === undefined) {
        throw new OptionError('There is nothing to run the network on.', {
          where: 'run',
          remedy: 'give --input FILE or --dataset NAME',
        });
      }
      const network = await readModel(path, { fold: flags.fold });
      const { images, labels } = await imagesFor(network, flags);
      const gpu = await acquire(flags);
      const classifier = await Classifier.create(gpu, network);
      const options = { top: flags.top, ...(flags.pixels === undefined ? {} : { pixels: flags.pixels }) };
      await classifier.classify(
        images.subarray(0, WARM_UP * sizeOf(network.model.inputShape)) as typeof images,
        options,
      );
      const { results, millisecondsPerImage } = await classifier.classify(images, options);

      const count = results.length;
      const correct = labels && results.filter((best, image) => best[0]?.label === labels[image]).length;
      if (flags.json !== undefined) {
        const accuracy = correct === undefined ? {} : { correct, accuracy: correct / count };
        const adapter = { name: describeAdapter(gpu), ...gpu.adapter };
        const result = { format: network.format, adapter, count, ...accuracy, millisecondsPerImage, results };
        await emit(jsonText(result), flags.json);
      }
      if (flags.json !== '-') {
        console.log(`adapter        ${describeAdapter(gpu)}`);
        if (correct !== undefined) {
          console.log(`test accuracy  ${((100 * correct) / count).toFixed(2)} % (${correct} of ${count})`);
        } else {
          for (const [image, best] of results.entries()) {
            const text = best
              .map(({ name, score }) => `${name} (${Number(score.toPrecision(6))})`)
              .join(', ');
            console.log(`image ${`${image}`.padEnd(8)} ${text}`);
          }
        }
        console.log(`time           ${millisecondsPerImage.toFixed(3)} ms an image`);
      }
      classifier.dispose();
      gpu.dispose();
    });
}

async function imagesFor(
  { model }: Pick<LoadedModel, 'model'>,
  flags: Flags,
): Promise<{
  readonly images: Uint8Array<ArrayBuffer> | Float32Array<ArrayBuffer>;
  readonly labels?: Uint8Array;
}> {
  if (flags.input !== undefined) return { images: await readImages(flags.input, model.inputShape) };
  const data = takeFirst(await loadDataset(flags.dataset ?? ''), undefined, flags.samples);
  const size = sizeOf(model.inputShape);
  if (sizeOf(data.image) !== size) {
    throw new OptionError("This data set's images don't fit the network.", {
      given: `${flags.dataset}: ${data.image.join(' x ')}`,
      expected: `${size} values: ${model.inputShape.join(' x ')}`,
      where: 'run',
    });
  }
  return { images: data.test.images, labels: data.test.labels };
}
