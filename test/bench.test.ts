/** The benchmark's own parts: its clock, its ceilings, what it says when a result is wrong. */
import { rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { check, measureCeilings } from '../src/bench/ceilings.ts';
import { benchGeometry } from '../src/bench/geometry.ts';
import { timing } from '../src/bench/measure.ts';
import { openTensorFlow } from '../src/bench/peers.ts';
import {
  assertSame,
  benchProduct,
  convProduct,
  matMulProduct,
  matMuls,
  residualConvolutions,
} from '../src/bench/products.ts';
import { buildCli, runCli } from './helpers/cli.ts';
import { useGpu } from './helpers/gpu.ts';

describe('timings', () => {
  test('the median of an odd number of samples is the middle one, of an even number the mean of two', () => {
    expect(timing([5, 1, 3])).toEqual({ median: 3, fastest: 1, slowest: 5, runs: 3 });
    expect(timing([4, 1, 2, 9])).toEqual({ median: 3, fastest: 1, slowest: 9, runs: 4 });
  });
});

describe('ceilings', () => {
  const gpu = useGpu();

  test('are measured with checked results, and are positive', async () => {
    const ceilings = await measureCeilings(gpu(), { runs: 2, sample: 1 });
    for (const { perSecond, work, time } of [
      ceilings.popcounts,
      ceilings.logic,
      ceilings.multiplyAdds,
      ceilings.copy,
    ]) {
      expect(perSecond).toBeGreaterThan(0);
      expect(perSecond).toBeCloseTo((1000 * work) / time.fastest, 0);
      expect(time.runs).toBe(2);
    }
    expect(ceilings.roundTrip.median).toBeGreaterThan(0);
    expect(ceilings.dispatch.runs).toBe(2);
    expect(ceilings.submit.runs).toBe(2);
  });

  test('leave no memory behind', async () => {
    const before = gpu().memory.bytes;
    await measureCeilings(gpu(), { runs: 1, sample: 1 });
    expect(gpu().memory.bytes).toBe(before);
  });

  test('a wrong result names the place, what was found and what was expected', () => {
    expect(() => check('sums', [1, 2, 3, 5], 2, (row) => [2 * row + 1, 2 * row + 2])).toThrow(
      /sums, element 3.*given: +5.*expected: 4/s,
    );
    expect(() => check('sums', [1, 2, 3, 4], 2, (row) => [2 * row + 1, 2 * row + 2])).not.toThrow();
  });
});

describe('products', () => {
  const gpu = useGpu();

  test('a convolution and a matrix product are timed in both forms, and related to the ceilings', async () => {
    const ceilings = await measureCeilings(gpu(), { runs: 1, sample: 1 });
    for (const product of [convProduct(6, 32, 64, 2), matMulProduct(8, 64, 32)]) {
      const result = await benchProduct(gpu(), product, ceilings, { runs: 2 });
      expect(result.ratio).toBeCloseTo(result.float.median / result.binary.median, 6);
      const counts = product.macs / 32 / (result.binary.median / 1000);
      expect(result.shares.popcounts).toBeCloseTo(counts / ceilings.popcounts.perSecond, 6);
      expect(result.shares.memory).toBeGreaterThan(0);
      expect(result.shares.multiplyAdds).toBeGreaterThan(0);
    }
  });

  test('the four convolutions have the same number of multiply-accumulates', () => {
    expect(residualConvolutions(32).map(({ macs }) => macs / 32)).toEqual(Array(4).fill(115_605_504));
    expect(matMuls(false).length).toBeGreaterThan(matMuls(true).length);
  });

  test('a wrong result names the first difference', () => {
    const same = Float32Array.of(1, 2, 3);
    expect(() => assertSame('conv', same, Float32Array.of(1, 2, 3), 'a peer')).not.toThrow();
    expect(() => assertSame('conv', same, Float32Array.of(1, 5, 4), 'a peer')).toThrow(
      /conv, element 1.*given: +2.*expected: 5, by a peer/s,
    );
    expect(() => assertSame('conv', same, Float32Array.of(1, 2), 'a peer')).toThrow(/conv, element/);
  });

  test('TensorFlow.js computes the same on the same device', async () => {
    const peer = await openTensorFlow(gpu());
    if (!('time' in peer)) return expect.fail(`it can't be measured: ${peer.reason}`);
    const ceilings = await measureCeilings(gpu(), { runs: 1, sample: 1 });
    for (const product of [convProduct(5, 32, 64, 1), matMulProduct(8, 64, 32)]) {
      const medians: number[] = [];
      const also = async (result: Float32Array<ArrayBuffer>) => {
        medians.push((await peer.time(product, result, 2)).median);
        await expect(
          peer.time(
            product,
            result.map((x) => x + 1),
            1,
          ),
        ).rejects.toThrow(/TensorFlow/);
      };
      await benchProduct(gpu(), product, ceilings, { runs: 1, also });
      expect(medians[0]).toBeGreaterThan(0);
    }
    peer.dispose();
  });

  test('filters of signs have the cosine 1 in the geometry suite', async () => {
    const ceilings = await measureCeilings(gpu(), { runs: 1, sample: 1 });
    const results = await benchGeometry(gpu(), ceilings, 1);
    expect(results.map(({ bytes }) => bytes)).toEqual([512 * 4608 * 4, 1024 * 8192 * 4]);
  });
});

describe('the command', () => {
  let cli = '';
  beforeAll(async () => {
    cli = await buildCli();
  });
  afterAll(() => {
    if (cli !== '') rmSync(dirname(cli), { recursive: true, force: true });
  });

  test('an unknown suite is wrong usage, and the answer lists what there is', async () => {
    const { code, stderr } = await runCli(cli, ['bench', '--suite', 'everything']);
    expect(stderr).toContain('kernels, layers, training, geometry, all');
    expect(code).toBe(2);
  });

  test('figures for machines name the adapter, the toggles and the ceilings', async () => {
    const { code, stdout } = await runCli(cli, ['bench', '--suite', 'geometry', '--quick', '--json', '-']);
    expect(code).toBe(0);
    const figures = JSON.parse(stdout) as Record<string, unknown>;
    expect(figures).toMatchObject({
      adapter: { name: expect.any(String), software: expect.any(Boolean) },
      toggles: [],
      ceilings: { popcounts: { perSecond: expect.any(Number) }, dispatch: { median: expect.any(Number) } },
      geometry: [{ name: '512 filters of 4608' }, { name: '1024 filters of 8192' }],
      kernels: [],
      training: [],
    });
  });
});
