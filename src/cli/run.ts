/** `webgpu-bnn run`: classifies images with a network that others trained. */
import { Command, Option } from 'commander';
import { FormatError, Network, OptionError, parseCifar10, parseIdx, sizeOf, takeFirst } from '../index.ts';
import { DATASET_NAMES, loadDataset, readFileChecked } from '../node/index.ts';
import { type ImportedNetwork, PIXEL_RANGES, type PixelRange, readImported } from './imported.ts';
import { type AdapterOptions, acquire, describeAdapter, positiveInteger, withAdapter } from './options.ts';

interface Flags extends AdapterOptions {
  readonly input?: string;
  readonly dataset?: string;
  readonly pixels: PixelRange;
  readonly samples?: number;
  readonly top: number;
  readonly json?: boolean;
}

interface Images {
  readonly samples: Float32Array<ArrayBuffer>;
  readonly labels: Uint8Array | undefined;
}

export function runCommand(): Command {
  return withAdapter(new Command('run'))
    .description('classify images with an ONNX file or a BNN-PYNQ folder')
    .argument('<model>', 'an .onnx file, or a BNN-PYNQ folder')
    .addOption(
      new Option(
        '--input <file>',
        'images: idx, CIFAR-10 records (.bin), or numbers in NHWC (.npy, f32)',
      ).conflicts('dataset'),
    )
    .addOption(new Option('--dataset <name>', 'the test images of a data set').choices([...DATASET_NAMES]))
    .addOption(
      new Option('--pixels <range>', 'what an ONNX network takes bytes of images as')
        .choices([...PIXEL_RANGES])
        .default('0:1'),
    )
    .option('--samples <count>', 'only the first test images of the data set', positiveInteger)
    .option('--top <count>', 'classes to name for each image', positiveInteger, 3)
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Examples:
  $ webgpu-bnn run model.onnx --dataset mnist
  $ webgpu-bnn run cifar10-cnvW1A1 --input deer.bin --top 1`,
    )
    .action(async (path: string, flags: Flags) => {
      if (flags.input === undefined && flags.dataset === undefined) {
        throw new OptionError('There is nothing to run the network on.', {
          where: 'run',
          remedy: 'give --input FILE or --dataset NAME',
        });
      }
      const network = await readImported(path);
      const { samples, labels } = await readImages(network, flags);
      const gpu = await acquire(flags);
      const runner = await Network.create(gpu, network.model, { values: network.values });
      const start = performance.now();
      const scores = await runner.predict(samples);
      const seconds = (performance.now() - start) / 1000;

      const width = sizeOf(network.model.outputShape);
      const nameOf = (label: number) => network.classes?.[label] ?? `${label}`;
      const results = Array.from({ length: scores.length / width }, (_, image) => {
        const row = scores.subarray(image * width, (image + 1) * width);
        const order = Array.from(row.keys()).sort((a, b) => (row[b] ?? 0) - (row[a] ?? 0));
        return order
          .slice(0, flags.top)
          .map((label) => ({ label, name: nameOf(label), score: row[label] ?? 0 }));
      });
      const count = results.length;
      const correct = labels && results.filter((best, image) => best[0]?.label === labels[image]).length;
      const millisecondsPerImage = (1000 * seconds) / count;
      if (flags.json === true) {
        const accuracy = correct === undefined ? {} : { correct, accuracy: correct / count };
        const adapter = { name: describeAdapter(gpu), ...gpu.adapter };
        const result = { format: network.format, adapter, count, ...accuracy, millisecondsPerImage, results };
        process.stdout.write(`${JSON.stringify(result)}\n`);
      } else {
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
        console.log(
          `time           ${millisecondsPerImage.toFixed(3)} ms an image, the first run's compilation included`,
        );
      }
      runner.dispose();
      gpu.dispose();
    });
}

async function readImages(network: ImportedNetwork, flags: Flags): Promise<Images> {
  const [height = 1, width = 1, channels = 1] = network.model.inputShape;
  const size = height * width * channels;
  const checked = (pixels: Uint8Array<ArrayBuffer>, where: string) => {
    if (pixels.length % size !== 0) {
      throw new FormatError("These images don't fit the network.", {
        given: `${pixels.length} bytes`,
        expected: `a multiple of ${size}: ${network.model.inputShape.join(' x ')}`,
        where,
      });
    }
    return network.prepare(pixels, flags.pixels);
  };
  if (flags.input === undefined) {
    const { test: split } = takeFirst(await loadDataset(flags.dataset ?? ''), undefined, flags.samples);
    if (split.images.length !== split.count * size) {
      throw new OptionError("This data set's images don't fit the network.", {
        given: `${flags.dataset}: ${split.images.length / split.count} values an image`,
        expected: `${size}: ${network.model.inputShape.join(' x ')}`,
        where: 'run',
      });
    }
    return { samples: checked(split.images, 'images'), labels: split.labels };
  }
  const where = flags.input;
  const bytes = await readFileChecked(where);
  if (where.endsWith('.npy')) return { samples: readNpy(bytes, where), labels: undefined };
  const { images } = where.endsWith('.bin')
    ? parseCifar10([{ bytes, where }])
    : { images: parseIdx(bytes, where).data };
  return { samples: checked(images, where), labels: undefined };
}

/** The numbers of a NumPy file of version 1. @throws FormatError unless they are f32 in C order */
function readNpy(bytes: Uint8Array<ArrayBuffer>, where: string): Float32Array<ArrayBuffer> {
  const isNpy = bytes.length >= 10 && new TextDecoder('latin1').decode(bytes.subarray(1, 6)) === 'NUMPY';
  const start = isNpy ? 10 + new DataView(bytes.buffer, bytes.byteOffset).getUint16(8, true) : 0;
  const header = new TextDecoder('latin1').decode(bytes.subarray(10, start));
  const isFloat = header.includes("'<f4'") && header.includes("'fortran_order': False");
  if (!isNpy || bytes[6] !== 1 || !isFloat || start >= bytes.length || (bytes.length - start) % 4 !== 0) {
    throw new FormatError("This .npy file can't be read.", {
      given: isNpy ? header.trim().slice(0, 120) : 'no NumPy header',
      expected: "version 1, '<f4', C order",
      where,
    });
  }
  // A copy, so that the numbers are aligned: a Buffer's own slice would be a view.
  return new Float32Array(new Uint8Array(bytes.subarray(start)).buffer);
}
