/**
 * A set that is larger than memory: `npm run large` writes a made set of 3 GB to a file, trains a network with all of it once, from
 * the built package in a process of its own, and says how much memory that took, of the GPU (512 MB are allowed) and of the
 * process. A set of a tenth of the size is trained with first: what the host needs doesn't grow with the set.
 */
import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { buildCli } from './helpers/cli.ts';

const SIDE = 64;
const SAMPLE = SIDE * SIDE * 3;
const CLASSES = 4;
const COUNT = 250_000;
const BATCH = 500;
const GPU_BYTES = 512 * 2 ** 20;

const folder = mkdtempSync(join(tmpdir(), 'larger than memory '));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Noise, brighter in one quarter: the sample's class. A sample follows from its number. */
function writeSet(path: string): void {
  const file = openSync(path, 'w');
  const some = 1000;
  const bytes = new Uint8Array(some * SAMPLE);
  const words = new Uint32Array(bytes.buffer);
  let state = 2463534242;
  for (let first = 0; first < COUNT; first += some) {
    for (let i = 0; i < words.length; i++) {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      const at = i % (SAMPLE / 4);
      const row = Math.floor((4 * at) / (3 * SIDE));
      const column = Math.floor(((4 * at) % (3 * SIDE)) / 3);
      const quarter = (row < SIDE / 2 ? 0 : 2) + (column < SIDE / 2 ? 0 : 1);
      const isOwn = quarter === (first + Math.floor(i / (SAMPLE / 4))) % CLASSES;
      words[i] = (state & 0x7f7f7f7f) + (isOwn ? 0x18181818 : 0);
    }
    writeSync(file, bytes);
  }
  closeSync(file);
}

/** What the process of its own does; it prints what it saw. */
const script = (entry: string, data: string, count: number) => `
import { open } from 'node:fs/promises';
import * as bnn from ${JSON.stringify(entry)};
const file = await open(${JSON.stringify(data)});
const visited = new Uint8Array(${count});
const source = bnn.defineSource({
  count: ${count},
  dtype: 'u8',
  identity: 'made ${count}',
  async read(samples, { images, labels }) {
    for (const [row, sample] of samples.entries()) {
      await file.read(images, row * ${SAMPLE}, ${SAMPLE}, sample * ${SAMPLE});
      labels[row] = sample % ${CLASSES};
      visited[sample] = 1;
    }
  },
});
const data = {
  ...{ name: 'large', classes: ['a', 'b', 'c', 'd'], image: [${SIDE}, ${SIDE}, 3], train: source },
  normalise: { scale: [2 / 255], shift: [-1] },
};
const model = bnn.sequential(
  [
    bnn.averagePool2d({ poolSize: 8 }),
    bnn.flatten(),
    bnn.quantDense({ units: 32, kernelQuantizer: 'steSign' }),
    bnn.batchNormalization(),
    bnn.quantDense({ units: ${CLASSES}, inputQuantizer: 'steSign', kernelQuantizer: 'steSign' }),
    bnn.batchNormalization(),
  ],
  { input: data.image, name: 'small' },
);
const gpu = await bnn.requestGpu();
const trainer = await bnn.Trainer.create(gpu, model, data, { batch: ${BATCH}, epochs: 1, maxBytes: ${GPU_BYTES} });
const start = performance.now();
const { epochs } = await trainer.fit();
console.log(JSON.stringify({
  adapter: gpu.adapter.name,
  seconds: (performance.now() - start) / 1000,
  planned: trainer.plan.peakBytes,
  held: gpu.memory.peakBytes,
  resident: 1024 * process.resourceUsage().maxRSS,
  visited: visited.reduce((sum, one) => sum + one, 0),
  accuracy: epochs[0].trainAccuracy,
}));
process.exit(0);
`;

interface Seen {
  readonly adapter: string;
  readonly seconds: number;
  readonly planned: number;
  readonly held: number;
  readonly resident: number;
  readonly visited: number;
  readonly accuracy: number;
}

function trained(entry: string, data: string, count: number): Seen {
  const path = join(folder, 'train.mjs');
  writeFileSync(path, script(entry, data, count));
  const { stdout, stderr } = spawnSync(process.execPath, [path], { encoding: 'utf8' });
  const line = stdout.trim().split('\n').at(-1) ?? '';
  expect(line, stderr).toMatch(/^\{/);
  const seen = JSON.parse(line) as Seen;
  const megabytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(0)} MiB`;
  console.log(
    `${((count * SAMPLE) / 1e9).toFixed(2)} GB on ${seen.adapter}: planned ${megabytes(seen.planned)} and held ${megabytes(seen.held)} of the GPU, process ${megabytes(seen.resident)} at most (with a software adapter's memory), ${seen.seconds.toFixed(0)} s, ${(100 * seen.accuracy).toFixed(1)} % right`,
  );
  return seen;
}

test('3 GB train in 512 MB of GPU memory, and the host needs no more than for a tenth', async () => {
  const entry = pathToFileURL(join(dirname(await buildCli()), 'node.js')).href;
  const data = join(folder, 'set.bin');
  writeSet(data);
  const small = trained(entry, data, COUNT / 10);
  const large = trained(entry, data, COUNT);
  expect(COUNT * SAMPLE).toBeGreaterThan(3e9);
  expect([small.visited, large.visited]).toEqual([COUNT / 10, COUNT]);
  expect(Math.max(large.planned, large.held)).toBeLessThanOrEqual(GPU_BYTES);
  // The numbers of an epoch's steps are there at once.
  expect(large.held - small.held).toBeLessThan(2 ** 16);
  // A fortieth of what it read more.
  expect(large.resident).toBeLessThan(small.resident + 2 ** 26);
  expect(large.accuracy).toBeGreaterThan(0.95);
});
