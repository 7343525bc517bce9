import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { CpuNetwork } from '../src/cpu/index.ts';
import { tileOf } from '../src/cpu/plan.ts';
import { DisposedError } from '../src/errors.ts';
import { sizeOf } from '../src/gpu/index.ts';
import { foldForInference, initialValues } from '../src/graph/index.ts';
import { uniform01 } from '../src/numerics/random.ts';
import { cnn } from '../src/zoo/index.ts';
import { buildCli } from './helpers/cli.ts';
import { expectSame } from './helpers/gpu.ts';

const built = cnn({ input: [28, 28, 1], classes: 10 });
const folded = foldForInference(built, initialValues(built, 4));
const samples = (count: number, seed: number) =>
  Float32Array.from({ length: count * sizeOf(built.inputShape) }, (_, i) => 2 * uniform01(seed, 1, i) - 1);
/** Lets workers start. */
const moment = () => new Promise((resolve) => setTimeout(resolve, 300));

describe('threads', () => {
  test.each([2, 3, 4])(
    '%d give the bits of one, call after call, for any number of samples',
    async (threads) => {
      const one = await CpuNetwork.create(folded.model, folded.values, { threads: 1 });
      const several = await CpuNetwork.create(folded.model, folded.values, { threads });
      expect([one.threads, several.threads]).toEqual([1, threads]);
      await moment();
      for (let call = 0; call < 40; call++) {
        const given = samples([1, 2, 7, 16, 33][call % 5] ?? 1, call);
        expectSame(await several.predict(given), await one.predict(given), `call ${call}`);
      }
      const calls = [1, 2, 3, 4].map((seed) => several.predict(samples(3, seed)));
      for (const [i, scores] of (await Promise.all(calls)).entries()) {
        expectSame(scores, await one.predict(samples(3, i + 1)), `at once ${i}`);
      }
      one.dispose();
      several.dispose();
    },
  );

  // A product counts four rows at once, and one that it has not it counts again: parts of other sizes cost twice as much.
  test.each([
    [8.2, 0.3, 8],
    [32.7, 1.4, 16],
    [130, 5.4, 16],
    [522, 21.7, 16],
    [522, 400, 400],
    [1 / 3, 30, 4],
  ])('of a share of %d units, of which %d are worth a claim, a thread takes %d', (share, wanted, units) => {
    expect(tileOf(share, wanted)).toBe(units);
  });

  test('a network may be freed while it works', async () => {
    const network = await CpuNetwork.create(folded.model, folded.values, { threads: 3 });
    const running = network.predict(samples(6000, 1));
    const refused = expect(running).rejects.toThrow(DisposedError);
    await new Promise((resolve) => setTimeout(resolve, 60));
    network.dispose();
    await refused;
  });

  test('memory does not grow with the number of calls', async () => {
    const network = await CpuNetwork.create(folded.model, folded.values, { threads: 2 });
    await network.predict(samples(20, 1));
    const { bytes } = network;
    for (let call = 0; call < 300; call++) await network.predict(samples(1, 1));
    expect(network.bytes).toBe(bytes);
    network.dispose();
  });

  test('where workers are not allowed, one gives the same bits, and says so once', async () => {
    const built = dirname(await buildCli());
    const folder = await mkdtemp(join(tmpdir(), 'webgpu-bnn threads '));
    const script = join(folder, 'alone.mjs');
    const entry = (name: string) => JSON.stringify(pathToFileURL(join(built, name)).href);
    await writeFile(
      script,
      `import { flatten, quantDense, sequential, wasmEngine } from ${entry('index.js')};
const model = sequential([flatten(), quantDense({ units: 200, kernelQuantizer: 'steSign' })], { input: [9, 9, 1] });
const values = new Map([['quantDense_1/kernel', Float32Array.from({ length: 200 * 81 }, (_, i) => Math.sin(i))]]);
const samples = Float32Array.from({ length: 5 * 81 }, (_, i) => Math.cos(i));
const scores = [];
for (const threads of [1, 3, 3]) {
  const network = await wasmEngine({ threads }).create(model, values);
  for (let call = 0; call < 3; call++) scores.push(String(await network.predict(samples)));
  network.dispose();
}
console.log(scores.length, new Set(scores).size);`,
    );
    try {
      const flag = process.allowedNodeEnvironmentFlags.has('--permission')
        ? '--permission'
        : '--experimental-permission';
      const args = [flag, '--allow-fs-read=*', '--disable-warning=ExperimentalWarning', script];
      const { stdout, stderr } = await promisify(execFile)(process.execPath, args);
      expect(stdout.trim()).toBe('9 1');
      expect(stderr.match(/a thread could not start/g)).toHaveLength(1);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
