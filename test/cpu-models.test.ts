/** Networks that others trained, in WebAssembly: as many right as published. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { CpuNetwork } from '../src/cpu/index.ts';
import { parseCifar10, takeFirst } from '../src/data/index.ts';
import { readBnnPynq } from '../src/formats/bnn-pynq.ts';
import { foldForInference } from '../src/graph/index.ts';
import { datasetStatus, loadDataset } from '../src/node/datasets.ts';

const FIXTURES = join(import.meta.dirname, 'fixtures', 'bnn-pynq');

function read(name: string) {
  const path = join(FIXTURES, name);
  const network = readBnnPynq(
    new Map(readdirSync(path).map((file) => [file, new Uint8Array(readFileSync(join(path, file)))])),
  );
  return { network, folded: foldForInference(network.model, network.values) };
}

function countRight(scores: Float32Array, labels: Uint8Array): number {
  const width = scores.length / labels.length;
  return labels.filter((label, i) => {
    const row = scores.subarray(i * width, (i + 1) * width);
    return row.indexOf(Math.max(...row)) === label;
  }).length;
}

describe('CNV of BNN-PYNQ', () => {
  const { network, folded } = read('cifar10-cnvW1A1');

  test.each([1, 2])('the published scores of its deer, with %d threads', async (threads) => {
    const bytes = new Uint8Array(readFileSync(join(FIXTURES, 'deer.bin')));
    const { images } = parseCifar10([{ where: 'deer.bin', bytes }]);
    for (const { model, values } of [network, folded]) {
      const runner = await CpuNetwork.create(model, values, { threads });
      const scores = await runner.predict(network.prepare(images));
      runner.dispose();
      expect([...scores]).toEqual([228, 229, 251, 250, 412, 253, 230, 262, 222, 239]);
    }
  });

  test('its weights take a bit each', async () => {
    const runner = await CpuNetwork.create(folded.model, folded.values, { threads: 1 });
    const weights = [...folded.model.layers.flatMap(({ parameters }) => parameters)]
      .filter(({ role }) => role === 'binary')
      .reduce((sum, { shape }) => sum + shape.reduce((size, extent) => size * extent, 1), 0);
    // Beside them: thresholds, records, rows of windows, and the values of a sample.
    expect(runner.bytes).toBeGreaterThan(weights / 8);
    expect(runner.bytes).toBeLessThan(weights / 8 + 200_000);
    runner.dispose();
  });

  test('7,922 of the 10,000 CIFAR-10 test images right, where they are', {
    timeout: 600_000,
  }, async (context) => {
    const status = (await datasetStatus()).find(({ name }) => name === 'cifar10');
    if (status?.here !== true) return context.skip('CIFAR-10 is not here: webgpu-bnn data cifar10 gets it');
    const { test: split } = takeFirst(await loadDataset('cifar10'), undefined, 10_000);
    const runner = await CpuNetwork.create(folded.model, folded.values);
    const scores = await runner.predict(network.prepare(split.images));
    runner.dispose();
    expect(countRight(scores, split.labels)).toBe(7922);
  });
});

describe('LFC of BNN-PYNQ', () => {
  test('98.40 % of the MNIST test set, as published', async () => {
    const { network, folded } = read('mnist-lfcW1A1');
    const { test: split } = await loadDataset('mnist');
    const runner = await CpuNetwork.create(folded.model, folded.values);
    const scores = await runner.predict(network.prepare(split.images));
    runner.dispose();
    expect(countRight(scores, split.labels)).toBe(9840);
  });
});
