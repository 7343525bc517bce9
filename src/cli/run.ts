/** `webgpu-bnn run`: classifies images with a stored network. */
import { Command, Option } from 'commander';
import { printable } from '../errors.ts';
import {
  Classifier,
  decodeOutputs,
  OptionError,
  PIXEL_RANGES,
  type PixelRange,
  type RankedClass,
  sizeOf,
  takeFirst,
} from '../index.ts';
import { DATASET_NAMES, loadDataset } from '../node/index.ts';
import { type EngineOptions, openEngine, withEngine } from './engine.ts';
import { IMAGE_FILES, type Images, readImages } from './images.ts';
import { MODEL_ARGUMENT, type ReadableModel, readModel } from './imported.ts';
import { jsonOption, positiveInteger, withAdapter } from './options.ts';
import { emit, jsonText } from './output.ts';

interface Flags extends EngineOptions {
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
  return withEngine(withAdapter(new Command('run')))
    .description('classify images with a stored network')
    .argument('<model>', MODEL_ARGUMENT)
    .argument('[pictures...]', 'what --input names, or more of it')
    .addOption(new Option('--input <file>', `images: ${IMAGE_FILES}`).conflicts('dataset'))
    .addOption(new Option('--dataset <name>', 'the test images of a data set').choices([...DATASET_NAMES]))
    .addOption(
      new Option(
        '--pixels <range>',
        'what the network takes bytes of images as (default: what the file says)',
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
  $ webgpu-bnn run runs/mnist-mlp seven.jpg
  $ webgpu-bnn run model.tflite --input photos/ --pixels -1:1
  $ webgpu-bnn run model.onnx --input samples.npy
  $ webgpu-bnn run cifar10-cnvW1A1 --input deer.bin --top 1 --engine wasm`,
    )
    .action(async (path: string, more: string[], flags: Flags) => {
      const inputs = flags.input === undefined ? more : [flags.input, ...more];
      if (inputs.length === 0 && flags.dataset === undefined) {
        throw new OptionError('There is nothing to run the network on.', {
          where: 'run',
          remedy: 'give --input FILE or --dataset NAME',
        });
      }
      if (flags.dataset !== undefined && inputs.length > 0) {
        throw new OptionError('A data set is run alone.', {
          given: more.join(' '),
          where: 'run',
          remedy: 'give --input for files, or --dataset NAME and nothing else',
        });
      }
      const network = await readModel(path, { fold: flags.fold });
      const opened = await openEngine(flags);
      const classifier = await Classifier.create({ engine: opened.engine }, network, {
        pixels: flags.pixels,
      });
      const options = { top: flags.top };
      const results: (readonly RankedClass[])[] = [];
      const values: number[] = [];
      const predicted = network.table?.outputs;
      const labels: number[] = [];
      const files: string[] = [];
      const notes = new Set<string>();
      let milliseconds = 0;
      for await (const part of imagesFor(network, inputs, flags)) {
        const { images } = part;
        assertPixels(network, images, flags);
        if (results.length === 0) {
          const first = images.subarray(0, WARM_UP * sizeOf(network.model.inputShape)) as typeof images;
          await classifier.classify(first, options);
          // In a second run WebAssembly measures which of its loops is the fastest here.
          await classifier.classify(
            first.subarray(0, sizeOf(network.model.inputShape)) as typeof images,
            options,
          );
        }
        const done = await classifier.classify(images, options);
        results.push(...done.results);
        if (network.table !== undefined && predicted !== undefined)
          values.push(...decodeOutputs(done.scores, network.table));
        milliseconds += done.millisecondsPerImage * done.results.length;
        labels.push(...(part.labels ?? []));
        files.push(...(part.names ?? []));
        for (const note of [...part.notes, ...done.notes]) notes.add(note);
      }

      const count = results.length;
      const millisecondsPerImage = milliseconds / count;
      const correct =
        labels.length > 0
          ? results.filter((best, image) => best[0]?.label === labels[image]).length
          : undefined;
      if (flags.json !== undefined) {
        const accuracy = correct === undefined ? {} : { correct, accuracy: correct / count };
        const named = files.length > 0 ? { files } : {};
        const result = {
          ...{ format: network.format, ...opened.facts, count, ...accuracy, millisecondsPerImage },
          ...{ notes: [...notes], ...named },
          ...(predicted === undefined ? { results } : { outputs: predicted.map(({ name }) => name), values }),
        };
        await emit(jsonText(result), flags.json);
      }
      if (flags.json !== '-') {
        const [label, text] = opened.line;
        console.log(`${label.padEnd(14)} ${text}`);
        for (const note of notes) console.log(`note           ${printable(note)}`);
        if (correct !== undefined) {
          console.log(`test accuracy  ${((100 * correct) / count).toFixed(2)} % (${correct} of ${count})`);
        } else if (predicted !== undefined) {
          for (const [row, file] of files.entries()) {
            const own = values.slice(row * predicted.length, (row + 1) * predicted.length);
            const text = own.map((value, i) => `${predicted[i]?.name} ${Number(value.toPrecision(6))}`);
            console.log(printable(`${file}  ${text.join(', ')}`));
          }
        } else {
          for (const [image, best] of results.entries()) {
            const text = best
              .map(({ name, score }) => `${name} (${Number(score.toPrecision(6))})`)
              .join(', ');
            const name = files[image] ?? `image ${`${image}`.padEnd(8)}`;
            console.log(printable(`${name} ${text}`));
          }
        }
        console.log(`time           ${millisecondsPerImage.toFixed(3)} ms an image`);
      }
      classifier.dispose();
      opened.dispose();
    });
}

/** @throws OptionError for bytes where neither the file nor the caller says how the network takes them */
function assertPixels(
  { pixels, format }: ReadableModel,
  images: Images['images'],
  flags: Pick<Flags, 'pixels'>,
): void {
  if (images instanceof Float32Array || pixels !== undefined || flags.pixels !== undefined) return;
  throw new OptionError('The file does not say how its network takes the bytes of an image.', {
    given: `${format} without a note on pixels`,
    expected: `--pixels ${Object.keys(PIXEL_RANGES).join(', ')}`,
    where: 'run',
    remedy: 'as it was trained: --pixels 0:1 for bytes over 255, or --pixels -1:1 for −1 to 1',
  });
}

interface Labelled extends Images {
  readonly labels?: Uint8Array;
}

async function* imagesFor(
  { model, table }: ReadableModel,
  inputs: readonly string[],
  flags: Flags,
): AsyncGenerator<Labelled> {
  if (inputs.length > 0) {
    yield* readImages(inputs, model.inputShape, table);
    return;
  }
  const data = takeFirst(await loadDataset(flags.dataset ?? ''), undefined, flags.samples);
  const size = sizeOf(model.inputShape);
  if (sizeOf(data.image) !== size) {
    throw new OptionError("This data set's images don't fit the network.", {
      given: `${flags.dataset}: ${data.image.join(' x ')}`,
      expected: `${size} values: ${model.inputShape.join(' x ')}`,
      where: 'run',
    });
  }
  yield { images: data.test.images, labels: data.test.labels, notes: [] };
}
