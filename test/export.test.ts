/** A network trained here, written in every format and read back: the same labels and the same packed bits. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseCifar10, takeFirst } from '../src/data/index.ts';
import { loadModel, SAVE_FORMATS, saveModel } from '../src/formats/index.ts';
import { isPacked, Network } from '../src/graph/index.ts';
import { loadDataset } from '../src/node/index.ts';
import { rankClasses } from '../src/run/index.ts';
import { Trainer } from '../src/train/index.ts';
import { mlp } from '../src/zoo/index.ts';
import { expectSame, useGpu } from './helpers/gpu.ts';

const gpu = useGpu();
const FIXTURES = join(import.meta.dirname, 'fixtures', 'bnn-pynq');
const read = (...path: string[]) => new Uint8Array(readFileSync(join(FIXTURES, ...path)));
const folderOf = (name: string) =>
  new Map(readdirSync(join(FIXTURES, name)).map((file) => [file, read(name, file)] as const));

/** The packed weights on the GPU, in the order of the layers. */
const packedOf = async (network: Network) => [...(await network.packedValues()).values()].filter(isPacked);

test.each([...SAVE_FORMATS])(
  "BNN-PYNQ's CNV, written as %s, gives its deer the published scores",
  async (format) => {
    const cnv = await loadModel(folderOf('cifar10-cnvW1A1'), { fold: false });
    const { images } = parseCifar10([{ where: 'deer', bytes: read('deer.bin') }]);
    const loaded = await loadModel(await saveModel(format, cnv.model, cnv.values, cnv));
    using network = await Network.create(gpu(), loaded.model, { values: loaded.values, forInference: true });
    const scores = await network.predict(cnv.prepare(images));
    expect([...scores]).toEqual([228, 229, 251, 250, 412, 253, 230, 262, 222, 239]);
  },
);

test(`MNIST trained here and read back from ${SAVE_FORMATS.join(', ')}: all 10,000 labels, all bits`, async () => {
  const data = takeFirst(await loadDataset('mnist'), 3000);
  const model = mlp({ input: data.image, classes: 10, units: 128 });
  using trainer = await Trainer.create(gpu(), model, data, { batch: 50, epochs: 1, seed: 3 });
  await trainer.fit();
  const values = await trainer.network.packedValues();
  const pixels = data.normalise;

  const labelsOf = async (network: Network, samples: Float32Array<ArrayBuffer>) =>
    rankClasses(await network.predict(samples), 10, { top: 1 }).map(([best]) => best?.label ?? -1);
  using original = await Network.create(gpu(), model, { values, forInference: true });
  const samples = (await loadModel(await saveModel('safetensors', model, values, { pixels }))).prepare(
    data.test.images,
  );
  const labels = await labelsOf(original, samples);
  const right = labels.filter((label, index) => label === data.test.labels[index]).length;
  expect(labels).toHaveLength(10_000);
  expect(right).toBeGreaterThan(7000);

  for (const format of SAVE_FORMATS) {
    const bytes = await saveModel(format, model, values, { pixels, classes: data.classes });
    const stored = await loadModel(bytes, { fold: false });
    using whole = await Network.create(gpu(), stored.model, { values: stored.values, forInference: true });
    const [expected, found] = [await packedOf(original), await packedOf(whole)];
    expect(found.length, format).toBe(expected.length);
    for (const [index, { words, shape }] of expected.entries()) {
      expect(found[index]?.shape, format).toEqual(shape);
      expectSame(found[index]?.words ?? [], words, `${format}, kernel ${index}`);
    }
    const loaded = await loadModel(bytes);
    using network = await Network.create(gpu(), loaded.model, { values: loaded.values, forInference: true });
    expectSame(await labelsOf(network, samples), labels, format);
  }
});
