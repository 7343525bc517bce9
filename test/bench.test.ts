/** The benchmark's own parts: its clock, its ceilings, what it says when a result is wrong. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { benchBackward } from '../src/bench/backward.ts';
import { type Ceilings, check, measureCeilings } from '../src/bench/ceilings.ts';
import { benchGeometry } from '../src/bench/geometry.ts';
import { timeJob, timing } from '../src/bench/measure.ts';
import { keptActivations } from '../src/bench/memory.ts';
import { benchOneBit, errorOf } from '../src/bench/one-bit.ts';
import { openJax } from '../src/bench/peers/jax.ts';
import { onnxOnWasm, openOnnxWasm, openOnnxWebGpu } from '../src/bench/peers/onnxruntime.ts';
import type { Peer } from '../src/bench/peers/peer.ts';
import { openTensorFlow } from '../src/bench/peers/tensorflow.ts';
import { assertSame, benchProduct, inParts } from '../src/bench/products.ts';
import { type BenchFigures, planBench, runBench } from '../src/bench/run.ts';
import { convProduct, matMulProduct, pick, residualConvolutions } from '../src/bench/shapes.ts';
import { benchTraining } from '../src/bench/training.ts';
import { tuneFor } from '../src/bench/tune.ts';
import { GpuValidationError, OptionError } from '../src/errors.ts';
import { Gpu } from '../src/gpu/index.ts';
import * as ops from '../src/ops/index.ts';
import { renderBench } from '../src/reports/bench.ts';
import { leftOutOf, tablesOf } from '../src/reports/bench-tables.ts';
import { buildCli, runCli } from './helpers/cli.ts';
import { useGpu } from './helpers/gpu.ts';
import { contentOf, expectSelfContained } from './helpers/page.ts';

describe('timings', () => {
  test('the median of an odd number of samples is the middle one, of an even number the mean of two', () => {
    expect(timing([5, 1, 3])).toEqual({ median: 3, fastest: 1, slowest: 5, runs: 3 });
    expect(timing([4, 1, 2, 9])).toEqual({ median: 3, fastest: 1, slowest: 9, runs: 4 });
  });
});

describe('ceilings', () => {
  const gpu = useGpu();

  test('samples are as many as were asked for, or as long, but never endlessly many', async () => {
    const samples = async (options: { readonly runs: number; readonly least?: number }) =>
      (await timeJob(gpu(), { run: () => {} }, { ...options, sample: 0 })).runs;
    expect(await samples({ runs: 3 })).toBe(3);
    expect(await samples({ runs: 3, least: Number.POSITIVE_INFINITY })).toBe(100);
    expect(await samples({ runs: 120, least: Number.POSITIVE_INFINITY })).toBe(120);
  });

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
  });

  test('a wrong result names the first difference', () => {
    const same = Float32Array.of(1, 2, 3);
    expect(() => assertSame('conv', same, Float32Array.of(1, 2, 3), 'a peer')).not.toThrow();
    expect(() => assertSame('conv', same, Float32Array.of(1, 5, 4), 'a peer')).toThrow(
      /conv, element 1.*given: +2.*expected: 5, by a peer/s,
    );
    expect(() => assertSame('conv', same, Float32Array.of(1, 2), 'a peer')).toThrow(/conv, element/);
  });

  test('a product that would take long is done in parts, each a submit, with the same result', async () => {
    const rows = 192;
    using a = gpu().tensor(
      'a',
      [rows, 64],
      'f32',
      Float32Array.from({ length: rows * 64 }, (_, i) => i % 7),
    );
    using w = gpu().tensor(
      'w',
      [32, 64],
      'f32',
      Float32Array.from({ length: 32 * 64 }, (_, i) => i % 5),
    );
    const results: Float32Array[] = [];
    for (const [estimate, parts] of [
      [0.5, 1],
      [1400, 3],
      [1e9, 96],
    ] as const) {
      using out = gpu().tensor('out', [rows, 32], 'f32');
      using job = await inParts(gpu(), 'rows', [a, out], estimate, (builder, [x, y]) => {
        ops.matMul(builder, x, w, { transposeB: true, out: y });
      });
      expect(job.parts).toBe(parts);
      const before = gpu().counters.submits;
      job.run();
      expect(gpu().counters.submits - before).toBe(parts);
      results.push(await gpu().readFloats(out));
    }
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
  });

  test('tuning asks for the kernels of products and of gradients, keeps what it chose, and leaves no memory behind', async () => {
    // A device that is borrowed keeps its choices for itself.
    const own = Gpu.fromDevice(gpu().device);
    const product = matMulProduct(64, 256, 64);
    await tuneFor(own, [product], [product]);
    expect(own.memory.bytes).toBe(0);
    const choices = own.choices.list();
    const families = choices.map(({ key }) => key.slice(0, key.indexOf('(')));
    expect(new Set(families)).toEqual(
      new Set(['binaryMatMulBySide', 'binaryMatMulGradInput', 'binaryMatMulGradWeights']),
    );
    const choice = choices.find(({ key }) => key.startsWith('binaryMatMulBySide('));
    const result = await benchProduct(own, product, anyCeilings(), { runs: 1, sample: 1 });
    expect(result.kernels).toContain(choice?.kernel);
    own.dispose();
  });

  test('the backward products agree with the f32 ones, and read less', async () => {
    for (const product of [convProduct(5, 32, 64, 2), matMulProduct(40, 64, 96)]) {
      const results = await benchBackward(gpu(), product, anyCeilings(), { runs: 1, sample: 1 });
      expect(results.map(({ gradientOf }) => gradientOf)).toEqual(['input', 'weights']);
      for (const { ratio, binary, float, bytesRead, shares } of results) {
        expect(shares.binary).toBeCloseTo((1000 * product.macs) / binary.median / 1e9, 9);
        expect(ratio).toBeCloseTo(float.median / binary.median, 6);
        expect(bytesRead.binary).toBeLessThan(bytesRead.float);
      }
    }
  });

  test('filters of any length are measured as by a plain loop in the geometry suite', async () => {
    const ceilings = await measureCeilings(gpu(), { runs: 1, sample: 1 });
    const results = await benchGeometry(gpu(), ceilings, 1);
    const weights = [131_072 * 27, 512 * 4608, 1024 * 8192, 4_000_000];
    expect(results.map(({ bytes }) => bytes)).toEqual(weights.map((count) => 4 * count));
    for (const { ratio, plain, time } of results) expect(ratio).toBe(plain.median / time.median);
    for (const { onGpu } of results) expect(onGpu !== undefined).toBe(gpu().features.has('timestamp-query'));
  });
});

describe('peers', () => {
  const gpu = useGpu();

  /** A product in both forms, and what a peer says of it. */
  async function beside(peer: Peer, product: ReturnType<typeof convProduct>): Promise<void> {
    const also = async (result: Float32Array<ArrayBuffer>) => {
      expect((await peer.time(product, result, 1)).median).toBeGreaterThan(0);
      const wrong = result.map((value, i) => (i === 3 ? value + 2 : value));
      await expect(peer.time(product, wrong, 1)).rejects.toThrow(/element 3/);
    };
    await benchProduct(gpu(), product, anyCeilings(), { runs: 1, sample: 1, also });
  }

  test.each([openTensorFlow, openOnnxWebGpu, openOnnxWasm, openJax])(
    '%o computes the same, or says why it can not',
    async (open) => {
      const peer = await open(gpu());
      if (!('time' in peer)) return expect.fail(`it can't be measured: ${peer.reason}`);
      expect(peer.name).toMatch(/^(TensorFlow.js|ONNX Runtime Web|jax-js) (WebGPU|WASM)/);
      const products = [convProduct(5, 32, 64, 1), matMulProduct(8, 64, 32)];
      for (const product of products.filter(({ kind }) => peer.kinds.includes(kind)))
        await beside(peer, product);
      await peer.dispose();
      // The device is as it was before.
      await gpu().finished();
      expect(Object.hasOwn(gpu().device, 'destroy')).toBe(false);
    },
  );

  test('TensorFlow.js trains the same network: its first losses are the same', async () => {
    const peer = await openTensorFlow(gpu());
    if (!('time' in peer)) return expect.fail(`it can't be measured: ${peer.reason}`);
    const task = { seed: 3, learningRate: 0.001 };
    for (const [model, batch, steps] of [
      ['mlp', 20, 1],
      ['cnn', 4, 0],
    ] as const) {
      const theirs = await peer.train?.({ model, batch, ...task }, steps);
      const own = await benchTraining(gpu(), model, { batch, ...task, steps, sameBatch: true });
      expect(theirs?.losses.length).toBe(1 + steps);
      theirs?.losses.forEach((loss, step) => {
        // Signs of values near 0 may fall either way.
        expect(Math.abs(loss / (own.losses[step] ?? 0) - 1)).toBeLessThan(0.05);
      });
    }
    const both = await peer.trainBothWays?.({ model: 'mlp', batch: 4, ...task }, 1);
    expect([both?.with.step.runs, both?.without.step.runs]).toEqual([1, 1]);
    both?.with.losses.slice(0, 2).forEach((loss, step) => {
      expect(Math.abs(loss / (both.without.losses[step] ?? 0) - 1)).toBeLessThan(0.05);
    });
    await peer.dispose();
  });

  test('a step of TensorFlow.js with this import stands beside one without, and both losses', () => {
    const [table] = tablesOf('training', {
      ...NOTHING,
      importTraining: [
        {
          ...{ peer: 'TensorFlow.js', model: 'mlp', batch: 4, ratio: 2.5 },
          ...{ with: timing([2]), without: timing([5]) },
          losses: { with: [1, 0.5], without: [1, 0.25] },
        },
      ],
    });
    expect(table?.title).toBe('TensorFlow.js with this import and without');
    const cells = Object.fromEntries(table?.rows[0]?.map((cell, i) => [table.head[i], cell]) ?? []);
    expect(cells).toMatchObject({
      without: '5.00 ms',
      'with webgpu-bnn/tfjs': '2.00 ms',
      ratio: '2.5x',
      'losses without': '1.0000, 0.25000',
    });
  });
});

describe('weights of one bit', () => {
  const gpu = useGpu();

  test('every way, and ONNX Runtime with codes of 2 and 4 bits, gives what float64 gives', async () => {
    const shape = { id: 'small', name: 'small', batch: 2, inputs: 256, outputs: 32, large: false };
    const missing: unknown[] = [];
    const results = await benchOneBit(gpu(), shape, {
      ...{ peers: [onnxOnWasm], rounds: 1, copy: 1e9 },
      missing: (peer) => missing.push(peer),
    });
    expect(missing).toEqual([]);
    const peers = results.filter(({ way }) => way.startsWith('ONNX Runtime Web'));
    expect(peers.map(({ way }) => way.slice(-1))).toEqual(['2', '4']);
    expect(results.map(({ way }) => way).slice(0, 5)).toEqual([
      ...['signs, f32', 'signs, f16', 'signs, int8, which it makes', 'ternary, f32', 'f32'],
    ]);
    for (const { error, time } of results) {
      expect(error).toBeLessThan(1e-3);
      expect(time.median).toBeGreaterThan(0);
    }
    // Of 128 signs a scale of 16 bits: 1.125 bits a weight.
    expect(results[0]?.bytes).toBe((1.125 * 256 * 32) / 8);
    const [table] = tablesOf('one-bit', { ...NOTHING, oneBit: results });
    expect(table?.rows).toHaveLength(7);
  });

  test('a wrong output fails the run, and is named', () => {
    const expected = { at: [0, 3], values: [1, -100] };
    expect(errorOf('a way', [1.05, 0, 0, -100], expected)).toBeCloseTo(5e-4);
    for (const wrong of [-99.8, Number.NaN]) {
      expect(() => errorOf('a way', [1, 0, 0, wrong], expected)).toThrow(/a way, element 3/);
    }
  });
});

/** What a run finds that measures nothing. */
const NOTHING: BenchFigures = {
  ...{ version: 1, timestamps: false, quick: true, leftOut: [], outOfTime: [], missingPeers: [] },
  adapter: { name: 'none', vendor: '', architecture: '', device: '', description: '', software: true },
  ...{ kernels: [], backward: [], peers: [], layers: [], cnv: [], geometry: [], memory: [] },
  ...{ training: [], peerTraining: [], importTraining: [], oneBit: [] },
};

/** Ceilings that make every product short. */
function anyCeilings(): Ceilings {
  const time = timing([1]);
  const ceiling = { perSecond: 1e9, work: 1e6, time };
  return {
    popcounts: ceiling,
    logic: ceiling,
    multiplyAdds: ceiling,
    copy: ceiling,
    dispatch: time,
    roundTrip: time,
    submit: time,
  };
}

describe('what is measured', () => {
  const gpu = useGpu();

  test('shapes are picked by name, and by name with stars', () => {
    const ids = ['conv-7x7x512-b1', 'conv-7x7x512-b32', 'matmul-1x2x3'];
    expect(pick(undefined, ids)).toBeUndefined();
    expect(pick(['conv-7x7x512-b1'], ids)).toEqual([ids[0]]);
    expect(pick(['*-b32', 'matmul*'], ids)).toEqual([ids[1], ids[2]]);
    expect(pick(['*'], ids)).toEqual(ids);
    expect(() => pick(['conv-9*'], ids)).toThrow(/given: +conv-9\*\n.*expected: +conv-7x7x512-b1, /s);
  });

  test('an unknown suite or model is an error that lists what there is', () => {
    expect(() => planBench({ suites: ['warp' as 'kernels'] }, true)).toThrow(
      /kernels, layers, training, geometry/,
    );
    expect(() => planBench({ suites: [], models: ['vgg' as 'mlp'] }, true)).toThrow(/mlp, cnn, binarynet/);
    expect(() => planBench({ suites: ['geometry'], shapes: ['conv*'] }, true)).toThrow(OptionError);
  });

  test('large products are left to hardware, unless they are named', () => {
    const { oneBit } = planBench({ suites: ['one-bit'] }, true);
    expect(oneBit.map(({ batch }) => batch)).toEqual([1, 16, 1, 16]);
    const large = 'matmul-8192x8192x8192';
    const ids = (software: boolean, shapes?: string[]) =>
      planBench({ suites: ['kernels'], shapes }, software).kernels.map(({ id }) => id);
    expect(ids(true)).not.toContain(large);
    expect(planBench({ suites: ['kernels'] }, true).leftOut).toContain(large);
    expect(ids(false)).toContain(large);
    expect(ids(true, [large])).toEqual([large]);
    expect(planBench({ suites: ['kernels'], shapes: [large] }, true).backward).toEqual([]);
    for (const { id } of [...residualConvolutions(1), ...residualConvolutions(32)])
      expect(ids(true)).toContain(id);
  });

  test('layers are those of binarynet and of QuickNet, which pads with +1', () => {
    const { layers } = planBench({ suites: ['layers'] }, false);
    expect(layers.filter(({ padValue }) => padValue === 0).map(({ id }) => id)).toEqual([
      'conv-32x32x128-b50',
      'conv-16x16x128to256-b50',
      'conv-16x16x256-b50',
      'conv-8x8x256to512-b50',
      'conv-8x8x512-b50',
      'matmul-50x8192x1024',
    ]);
    expect(layers.filter(({ padValue }) => padValue === 1).map(({ w }) => w[0])).toEqual([64, 128, 256, 512]);
  });

  test('what a training step keeps is bits where it can be, and counted against floats', () => {
    const { bytes, asFloats, share, largest } = keptActivations(gpu(), 'binarynet', 128);
    expect(share).toBeCloseTo(bytes / asFloats, 9);
    expect(share).toBeLessThan(0.25);
    // 12 layers' outputs and 8 sign tensors, by hand, in floats an image.
    const convolutions = 2 * 32 ** 2 * 128 + 2 * 16 ** 2 * 256 + 2 * 8 ** 2 * 512;
    const pools = 16 ** 2 * 128 + 8 ** 2 * 256 + 4 ** 2 * 512;
    const norms = 32 ** 2 * 128 + 16 ** 2 * 256 + 8 ** 2 * 512 + pools;
    const dense = 2 * (1024 + 1024 + 10);
    const signs = norms + 2 * 1024;
    expect(asFloats).toBe(4 * 128 * (32 * 32 * 3 + convolutions + pools + norms + dense + signs));
    expect(largest[0]?.bytes).toBeGreaterThanOrEqual(largest[1]?.bytes ?? Number.POSITIVE_INFINITY);
  });

  test('a wrong kernel fails the run, and the first difference is named', async () => {
    const broken = gpu();
    const { readFloats } = broken;
    broken.readFloats = async (tensor) => {
      const values = await readFloats.call(broken, tensor);
      if (tensor.label === 'binary result') values[5] = (values[5] ?? 0) + 2;
      return values;
    };
    try {
      const run = runBench(broken, { suites: ['kernels'], shapes: ['matmul-100x512x512'], quick: true });
      await expect(run).rejects.toThrow(GpuValidationError);
      await expect(run).rejects.toThrow(/matmul 100 x 512 x 512, element 5/);
    } finally {
      broken.readFloats = readFloats;
    }
  });

  test('a batch that was asked for is the one that is trained, here and by the peer', async () => {
    const figures = await runBench(gpu(), {
      ...{ suites: ['training'], models: ['mlp'], batch: 3, peers: true, quick: true },
    });
    expect(figures.missingPeers).toEqual([]);
    const trained = [...figures.training, ...figures.peerTraining, ...figures.importTraining];
    expect(trained.map(({ batch }) => batch)).toEqual([3, 3, 3]);
  });

  test('a run of one shape has its figures, and a report that draws them', async () => {
    const sections: string[] = [];
    const figures = await runBench(
      gpu(),
      { suites: ['kernels'], shapes: ['matmul-100x512x512'], quick: true },
      { done: (section) => void sections.push(section) },
    );
    expect(sections).toEqual(['ceilings', 'kernels']);
    expect(figures.kernels.map(({ id }) => id)).toEqual(['matmul-100x512x512']);
    expect(figures.kernels[0]?.binary.warmUp).toBeGreaterThan(0);
    expect(figures.kernels[0]?.binaryOnGpu === undefined).toBe(!figures.timestamps);
    expect(figures.backward.length).toBe(2);
    expect(figures.outOfTime).toEqual([]);
    // A machine on which two minutes are over at once: the first of each list, and the names of the others.
    const slow = await runBench(gpu(), {
      suites: ['kernels'],
      ...{ shapes: ['matmul-100x512x512', 'matmul-512x512x512'], quick: true, seconds: 0 },
    });
    expect(slow.kernels.map(({ id }) => id)).toEqual(['matmul-100x512x512']);
    expect(slow.outOfTime).toContainEqual(expect.stringContaining('512'));
    expect(leftOutOf(slow)).toMatch(/two minutes of --quick were over/);
    const page = renderBench({
      ...figures,
      adapter: { ...figures.adapter, name: 'An <adapter>' },
      host: 'a test',
      toggles: ['disable_robustness'],
      made: { version: '1.2.3', date: '2026-01-01', command: 'webgpu-bnn bench' },
      seconds: 75,
      missingPeers: [{ name: 'a peer', reason: 'it is <not> here' }],
    });
    const text = contentOf(page);
    for (const part of ['An &#60;adapter&#62;', 'it is &#60;not&#62; here', 'Roofline', 'disable_robustness'])
      expect(text).toContain(part);
    expect(text.match(/<svg /g)?.length).toBe(3);
    expect(text).not.toMatch(/NaN|undefined/);
    expectSelfContained(text);
  });
});

describe('the command', () => {
  let cli = '';
  beforeAll(async () => {
    cli = await buildCli();
  });

  test('an unknown suite is wrong usage, and the answer lists what there is', async () => {
    const { code, stderr } = await runCli(cli, ['bench', '--suite', 'everything']);
    expect(stderr).toContain('kernels, layers, training, geometry, cpu, one-bit, all');
    expect(code).toBe(2);
  });

  test('an unknown shape is wrong usage, and the answer lists what there is', async () => {
    const { code, stderr } = await runCli(cli, ['bench', '--suite', 'kernels', '--shapes', 'conv-1x1']);
    expect(stderr).toContain('conv-56x56x64-b1, conv-28x28x128-b1');
    expect(code).toBe(2);
  });

  test('an unknown adapter is wrong usage, and the answer lists what there is', async () => {
    const { code, stderr } = await runCli(cli, ['bench', '--adapter', 'quantum']);
    expect(stderr).toContain('auto, hardware, software');
    expect(code).toBe(2);
  });

  test('figures for machines name the adapter, the toggles and the ceilings', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'webgpu-bnn-bench-'));
    const markdown = join(folder, 'figures.md');
    const { code, stdout } = await runCli(cli, [
      ...['bench', '--suite', 'geometry', '--quick'],
      ...['--json', '-', '--markdown', markdown],
    ]);
    expect(code).toBe(0);
    expect(readFileSync(markdown, 'utf8')).toMatch(
      /^# The benchmark on .*\n- Adapter: .*## Ceilings\n\n\| ceiling .*\n\| --- \| ---: .*\| 131072 filters of 27 \|/s,
    );
    rmSync(folder, { recursive: true, force: true });
    const figures = JSON.parse(stdout) as Record<string, unknown>;
    expect(figures).toMatchObject({
      adapter: { name: expect.any(String), software: expect.any(Boolean) },
      toggles: [],
      ceilings: { popcounts: { perSecond: expect.any(Number) }, dispatch: { median: expect.any(Number) } },
      geometry: [
        { name: '131072 filters of 27' },
        { name: '512 filters of 4608' },
        { name: '1024 filters of 8192' },
        { name: '4 filters of 1000000' },
      ],
      kernels: [],
      training: [],
    });
  });

  test('in Chrome the same figures are taken, and named as Chrome', async () => {
    const shape = ['--suite', 'geometry', '--shapes', 'filters-512*'];
    const { code, stdout, stderr } = await runCli(cli, [
      'bench',
      '--in',
      'chrome',
      ...shape,
      '--quick',
      '--json',
      '-',
    ]);
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      host: expect.stringMatching(/Chrome/),
      adapter: { name: expect.any(String), software: expect.any(Boolean) },
      ceilings: { popcounts: { perSecond: expect.any(Number) } },
      geometry: [{ id: 'filters-512x4608' }],
    });
  });

  test('without a Chrome, the answer says so', async () => {
    const env = { CHROME_PATH: '/nowhere/chrome' };
    const { code, stderr } = await runCli(cli, ['bench', '--in', 'chrome'], { env });
    expect(stderr).toMatch(/CHROME_PATH.*\/nowhere\/chrome/s);
    expect(code).toBe(3);
  });
});
