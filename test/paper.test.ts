/** The paper, re-created: its figures' numbers, its swaps of weights, its claims and verdicts, and the report. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { OptionError, ShapeError } from '../src/errors.ts';
import { judgeClaims, type MeasuredLayer, type Measurements } from '../src/geometry/claims.ts';
import { fewBitCurves, measureRotationGain, randomAngles, rotationExample } from '../src/geometry/figures.ts';
import { refitNormalization, withContinuousWeights } from '../src/geometry/refit.ts';
import { initialValues, Network, sequential } from '../src/graph/index.ts';
import {
  batchNormalization,
  dense,
  flatten,
  maxPool2d,
  quantConv2d,
  quantDense,
} from '../src/layers/index.ts';
import { expectedAngleDegrees, sdAngleDegrees } from '../src/numerics/closed-forms.ts';
import { densityOf } from '../src/numerics/density.ts';
import { normal } from '../src/numerics/random.ts';
import type { PaperReport } from '../src/reports/paper.ts';
import { buildCli, runCli } from './helpers/cli.ts';
import { expectClose, useGpu } from './helpers/gpu.ts';
import { contentOf, expectSelfContained } from './helpers/page.ts';

const fill = (count: number, draw: (index: number) => number) =>
  Float32Array.from({ length: count }, (_, i) => draw(i));
const gaussian = (stream: number) => (i: number) => normal(5, stream, i);

test('values beyond the ends count in the last bins', () => {
  expect(densityOf([-2, -1, 0, 0.99, 1, 5], -1, 1, 2)).toEqual([2, 4]);
});

describe('figures and swaps', () => {
  const gpu = useGpu();

  test('random vectors of 3, 10 and 27 dimensions have the angles of the closed form', async () => {
    const measured = await randomAngles(gpu(), [3, 10, 27], { vectors: 4000 });
    for (const one of measured) {
      const { dimension, expectedSd, counts } = one;
      const slack = (4 * one.expectedSdCosine) / Math.sqrt(4000);
      expect(Math.abs(one.meanCosine - one.expectedCosine)).toBeLessThan(slack);
      expect(Math.abs(one.meanAngle - one.expectedAngle), `d = ${dimension}`).toBeLessThan(
        (4 * expectedSd) / Math.sqrt(4000) + 0.01,
      );
      expect(Math.abs(one.sdAngle / expectedSd - 1)).toBeLessThan(0.05);
      expect(counts.reduce((sum, count) => sum + count, 0)).toBe(4000);
    }
  });

  test('the rotation example: 68.2 and 80.5 degrees without, the law of the padded dimension with', async () => {
    const dimensions = [10, 20, 100, 500];
    for (const seed of [101]) {
      const measured = await rotationExample(gpu(), dimensions, { seed });
      expect(measured.map(({ padded }) => padded)).toEqual([16, 32, 128, 512]);
      for (const { dimension, expected, rotated } of measured) {
        expect(Math.abs(rotated.mean - expected), `d = ${dimension}, seed ${seed}`).toBeLessThan(
          0.6 + 3 * rotated.error,
        );
      }
      expect(Math.abs((measured[2]?.plain.mean ?? 0) - 68.2)).toBeLessThan(0.6);
      expect(Math.abs((measured[3]?.plain.mean ?? 0) - 80.5)).toBeLessThan(0.4);
      const claim = judgeClaims({ layers: [], accuracy: 0, images: 0, random: [], rotation: measured });
      expect(claim.find(({ id }) => id === 'rotation')?.verdict, `seed ${seed}`).not.toBe('fails');
    }
  });

  test('rotation gains angle where weights have few large entries, and none where they are random', async () => {
    const model = sequential(
      [
        quantDense({ name: 'wild', units: 20, kernelQuantizer: 'steSign' }),
        quantDense({ name: 'random', units: 20, kernelQuantizer: 'steSign' }),
      ],
      { input: [256] },
    );
    const values = new Map([
      ['wild/kernel', fill(20 * 256, (i) => Math.exp(0.05 * (i % 256)) * normal(1, 1, i))],
      ['random/kernel', fill(20 * 20, gaussian(3))],
    ]);
    using network = await Network.create(gpu(), model, { values });
    const [wild, random] = await measureRotationGain(network);
    expect(wild?.gain).toBeGreaterThan(15);
    expect(wild?.rotatedAngle).toBeLessThan(39);
    expect(Math.abs(random?.gain ?? 9)).toBeLessThan(3);
    const curves = await fewBitCurves(network);
    expect(curves.measured.map(({ name }) => name)).toEqual(['random', 'wild/kernel', 'random/kernel']);
    expectClose(curves.measured[0]?.ternary.slice(0, 12) ?? [], curves.ternaryExpected.slice(0, 12), 0.01);
    expectClose(curves.measured[0]?.bits ?? [], curves.bitsExpected, 0.02);
    // Each filter by itself: one bit turns it by the angle that is measured on the GPU.
    expect(curves.measured[1]?.filters.bits[0]).toBeCloseTo(wild?.angle ?? 0, 3);
    expect(curves.measured[1]?.filters.ternary[0]).toBeCloseTo(wild?.angle ?? 0, 3);
    // Pooled weights of filters that are spread differently have another angle.
    const [pooled = 0, own = 0] = [curves.measured[1]?.bits[1], curves.measured[1]?.filters.bits[1]];
    expect(Math.abs(pooled - own)).toBeGreaterThan(0.1);
  });

  const blocks = () =>
    sequential(
      [
        quantConv2d({ name: 'conv', filters: 6, kernelSize: 3, kernelQuantizer: 'steSign' }),
        maxPool2d({ poolSize: 2 }),
        batchNormalization({ name: 'norm1' }),
        flatten(),
        quantDense({
          name: 'dense',
          units: 5,
          kernelQuantizer: 'steSign',
          inputQuantizer: 'steSign',
          useBias: true,
        }),
        batchNormalization({ name: 'norm2', scale: false }),
      ],
      { input: [8, 8, 2], name: 'blocks' },
    );

  test('a layer with continuous weights multiplies with them, and leaves the others as they were', async () => {
    const model = blocks();
    const values = initialValues(model, 3);
    const half = Float32Array.from(values.get('dense/kernel') ?? [], (w) => (w < 0 ? -0.5 : 0.5));
    values.set('dense/kernel', half);
    for (const name of ['norm2/runningMean', 'norm2/runningVariance']) {
      values.set(name, new Float32Array(5).fill(name.endsWith('Mean') ? 0 : 1 - 1e-4));
    }
    const samples = fill(4 * 128, gaussian(4));
    using binary = await Network.create(gpu(), model, { values });
    using swapped = await Network.create(gpu(), withContinuousWeights(model, 'dense'), { values });
    // Half the signs give half the scores.
    const scores = await binary.predict(samples);
    expectClose(
      await swapped.predict(samples),
      scores.map((score) => score / 2),
    );
    expect(swapped.model.layers.map(({ name }) => name)).toEqual(model.layers.map(({ name }) => name));
    expect(swapped.binaryParameters.map(({ name }) => name)).toEqual(['conv/kernel']);
    expect(() => withContinuousWeights(model, 'norm1')).toThrow(OptionError);
    expect(() => withContinuousWeights(model, 'nothing')).toThrow(/no layer of this name/);
    const floats = sequential([dense({ name: 'dense', units: 2 })], { input: [4] });
    expect(() => withContinuousWeights(floats, 'dense')).toThrow(OptionError);
  });

  test('refitted statistics normalise every channel, whatever the scale of the weights', async () => {
    const model = blocks();
    const values = initialValues(model, 3);
    for (const [name, array] of values) {
      if (name === 'conv/kernel')
        values.set(
          name,
          array.map((w) => 40 * w),
        );
      if (name === 'norm1/runningMean') values.set(name, new Float32Array(6).fill(7));
    }
    const samples = fill(60 * 128, gaussian(6));
    using network = await Network.create(gpu(), withContinuousWeights(model, 'conv'), { values });
    await refitNormalization(network, samples, { batch: 30 });
    // One batch of all samples normalises by the very statistics that are kept.
    await refitNormalization(network, samples, { batch: 60 });
    const scores = await network.predict(samples);
    const beta = values.get('norm2/beta') ?? [];
    for (let channel = 0; channel < 5; channel++) {
      const column = Array.from({ length: 60 }, (_, row) => scores[row * 5 + channel] ?? 0);
      const mean = column.reduce((sum, value) => sum + value, 0) / 60;
      const variance = column.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 60;
      expect(Math.abs(mean - (beta[channel] ?? 0))).toBeLessThan(1e-4);
      expect(Math.abs(variance - 1)).toBeLessThan(1e-3);
    }
    const changed = [...(await network.values())].filter(
      ([name, array]) => array.join() !== values.get(name)?.join(),
    );
    expect(changed.map(([name]) => name)).toEqual([
      'norm1/runningMean',
      'norm1/runningVariance',
      'norm2/runningMean',
      'norm2/runningVariance',
    ]);
    await expect(refitNormalization(network, samples.subarray(0, 128))).rejects.toThrow(ShapeError);
    await expect(refitNormalization(network, samples.subarray(1))).rejects.toThrow(ShapeError);
    await expect(refitNormalization(network, samples, { batch: 1 })).rejects.toThrow(OptionError);
  });
});

describe('claims', () => {
  const layer = (name: string, dimension: number, over: Partial<MeasuredLayer> = {}): MeasuredLayer => ({
    name,
    filters: 100,
    dimension,
    meanAngle: expectedAngleDegrees(dimension),
    sdAngle: sdAngleDegrees(dimension),
    meanCosine: 0.798,
    r: { mean: 0.93, error: 0.002 },
    permutedR: { mean: 0.8, error: 0.002 },
    activationsR: { mean: 0.9, error: 0.002 },
    continuousAccuracy: 0.97,
    ...over,
  });
  const random = {
    dimension: 27,
    vectors: 10_000,
    meanCosine: 0.8053,
    expectedCosine: 0.80530499,
    expectedSdCosine: 0.0395244,
    meanAngle: 36.19,
    sdAngle: 3.84,
    expectedAngle: 36.19,
    expectedSd: 3.82,
    counts: [],
  };
  const at = (dimension: number, plain: number, rotated: number) => ({
    dimension,
    padded: 2 ** Math.ceil(Math.log2(dimension)),
    expected: expectedAngleDegrees(2 ** Math.ceil(Math.log2(dimension))),
    seeds: 10,
    plain: { mean: plain, deviation: 1 },
    rotated: { mean: rotated, deviation: 1, error: 0.05 },
  });
  const textbook: Measurements = {
    layers: [
      layer('conv1', 27, { r: { mean: 0.85, error: 0.002 }, activationsR: undefined }),
      layer('conv2', 1152),
      layer('conv3', 4608),
      layer('dense4', 1024),
    ],
    accuracy: 0.97,
    images: 10_000,
    random: [random],
    rotation: [at(100, 68.2, 36.7), at(500, 80.5, 37.03)],
  };
  const verdictOf = (id: string, over: Partial<Measurements> = {}) => {
    const claim = judgeClaims({ ...textbook, ...over }).find((one) => one.id === id);
    if (claim === undefined) throw new Error(`no claim ${id}`);
    return claim;
  };
  const changed = (index: number, over: Partial<MeasuredLayer>) => ({
    layers: textbook.layers.map((one, i) => (i === index ? { ...one, ...over } : one)),
  });

  test('all hold on the network of the textbook', () => {
    const claims = judgeClaims(textbook);
    expect(claims.map(({ id, verdict }) => `${id}: ${verdict}`)).toEqual(
      [
        'random-vectors',
        'angle',
        'spread',
        'proportionality',
        'control',
        'first-layer',
        'activations',
        'continuous-layers',
        'rotation',
      ].map((id) => `${id}: holds`),
    );
    for (const { expected, measured } of claims)
      expect(`${expected} ${measured}`).not.toMatch(/NaN|undefined/);
  });

  test.each([
    ['random-vectors', { random: [{ ...random, meanCosine: 0.81 }] }, /d = 27/],
    ['angle', changed(1, { meanAngle: 34.9 }), /conv2/],
    ['angle', changed(2, { meanAngle: Number.NaN }), /conv3/],
    ['spread', changed(0, { sdAngle: 1 }), /slope/],
    ['proportionality', changed(3, { r: { mean: 0.79, error: 0.002 } }), /dense4/],
    ['control', changed(1, { permutedR: { mean: 0.84, error: 0.001 } }), /conv2/],
    ['first-layer', changed(2, { r: { mean: 0.84, error: 0.001 } }), /conv3/],
    ['activations', changed(3, { activationsR: { mean: 0.79, error: 0.002 } }), /dense4/],
    ['continuous-layers', changed(0, { continuousAccuracy: 0.95 }), /conv1/],
    ['rotation', { rotation: [at(100, 68.2, 40)] }, /d = 100/],
  ] as [string, Partial<Measurements>, RegExp][])(
    '%s fails where the numbers say so: %#',
    (id, over, where) => {
      const { verdict, reason } = verdictOf(id, over);
      expect(verdict).toBe('fails');
      expect(reason).toMatch(where);
    },
  );

  test('too few dimensions, layers or images leave a claim open', () => {
    const two = textbook.layers.slice(1, 3).map((one) => ({ ...one, activationsR: undefined }));
    expect(verdictOf('spread', { layers: two }).verdict).toBe('cannot be told');
    expect(verdictOf('spread', { layers: textbook.layers.slice(2) }).verdict).toBe('cannot be told');
    expect(verdictOf('activations', { layers: two }).verdict).toBe('cannot be told');
    expect(verdictOf('first-layer', { layers: two.slice(0, 1) }).verdict).toBe('cannot be told');
    expect(verdictOf('continuous-layers', { images: 0 }).verdict).toBe('cannot be told');
    expect(verdictOf('rotation', { rotation: [] }).verdict).toBe('cannot be told');
  });

  test('numbers whose errors leave it open are no verdict', () => {
    // Twenty images: a drop of ten points may be chance, and so may none.
    const few = { ...changed(0, { continuousAccuracy: 0.75 }), accuracy: 0.85, images: 20 };
    expect(verdictOf('continuous-layers', few).verdict).toBe('cannot be told');
    expect(verdictOf('continuous-layers', { images: 20 }).reason).toMatch(/leave it open: conv1, conv2/);
    const nearly = changed(1, { r: { mean: 0.85001, error: 0.002 } });
    expect(verdictOf('first-layer', nearly)).toMatchObject({
      verdict: 'cannot be told',
      reason: expect.stringMatching(/open: conv2/),
    });
    const oneFilter = changed(3, { r: { mean: 0.93, error: Number.NaN } });
    expect(verdictOf('proportionality', oneFilter).verdict).toBe('cannot be told');
    expect(verdictOf('angle', changed(1, { filters: 1 })).verdict).toBe('cannot be told');
    const chance = changed(3, { r: { mean: 0.801, error: 0.002 } });
    expect(verdictOf('proportionality', chance).verdict).toBe('cannot be told');
  });

  test('what holds by construction is a check of the instrument', () => {
    const checks = judgeClaims(textbook).filter(({ about }) => about === 'instrument');
    expect(checks.map(({ id }) => id)).toEqual(['random-vectors', 'spread', 'control', 'rotation']);
  });
});

describe('webgpu-bnn paper', () => {
  let cli = '';
  let folder = '';
  beforeAll(async () => {
    cli = await buildCli();
    folder = mkdtempSync(join(tmpdir(), 'webgpu-bnn-paper-'));
  });
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  test('trains, is stopped, goes on from its folder, and writes claims and figures', async () => {
    const out = join(folder, 'run');
    const small = '--model mlp --dataset mnist --epochs 2 --train-samples 400 --test-samples 100';
    let sent = false;
    const stopped = await runCli(cli, ['paper', ...small.split(' '), '--out', out], {
      onOutput: (kill, printed) => {
        if (!sent && printed.includes('epoch 1/2')) kill('SIGINT');
        sent ||= printed.includes('epoch 1/2');
      },
    });
    expect(stopped.code, stopped.stderr).toBe(130);
    expect(stopped.stdout).toContain(`webgpu-bnn paper ${out}`);
    expect(existsSync(join(out, 'paper.json'))).toBe(false);

    const other = await runCli(cli, ['paper', out, '--epochs', '3']);
    expect(other.code).toBe(2);
    expect(other.stderr).toMatch(/epochs = 3/);
    const elsewhere = join(folder, 'other');
    const measuring = ['--images', '20', '--refit', '100', '--out', elsewhere, '--json', '-'];
    const done = await runCli(cli, ['paper', out, ...measuring]);
    expect(done.code, done.stderr).toBe(0);
    expect(readFileSync(join(elsewhere, 'paper.json'), 'utf8')).toBe(done.stdout);
    const report = JSON.parse(done.stdout) as PaperReport;
    expect(report.epochs).toBe(2);
    expect(report.layers.map(({ name }) => name)).toEqual(['dense1', 'dense2', 'dense3']);
    expect(report.claims.length).toBe(9);
    const { weights, permuted, activations } = report.layers[1]?.proportionality ?? {};
    for (const comparison of [weights, permuted?.weights, activations]) {
      expect(comparison?.histogram?.counts.reduce((sum, count) => sum + count, 0)).toBeGreaterThan(9000);
    }
    expect(report.accuracy.images).toBe(100);
    const { overlaps, flips, hulls, twins } = report.predictors;
    expect(overlaps.map(({ pairs, layers }) => [pairs, layers.map(({ layer }) => layer)])).toEqual([
      ['same class', ['dense2', 'dense3']],
      ['other class', ['dense2', 'dense3']],
    ]);
    // Two of one class are nearer to each other, and the more so the deeper.
    const [same, unlike] = overlaps.map(({ layers }) => layers.map(({ overlap }) => overlap));
    expect(same?.[1]).toBeGreaterThan(unlike?.[1] ?? 1);
    expect(flips.map(({ flipped }) => Number(flipped.toFixed(2)))).toEqual([
      ...[0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5],
    ]);
    expect(flips[0]?.overlap).toBeGreaterThan(flips[7]?.overlap ?? 1);
    for (const { accuracy } of hulls) expect(accuracy).toBeGreaterThan(0.4);
    for (const { r, skippable } of twins) {
      expect(r).toHaveLength(r.length < 64 ? 10 : 64);
      expect(skippable[0]?.skipped).toBeGreaterThan(0.3);
      expect(skippable[5]?.skipped).toBeLessThanOrEqual(skippable[0]?.skipped ?? 0);
    }

    const html = contentOf(readFileSync(join(elsewhere, 'paper.html'), 'utf8'));
    expect(html).not.toMatch(/NaN|undefined|\[object/);
    expectSelfContained(html);
    const figures = html.match(/<figure/g) ?? [];
    // Five on vectors, two a layer, two on dot products, four of predictors, and maps: two of the first layer, three of the others.
    expect(figures.length).toBe(5 + 3 * 2 + 2 + 4 + (2 + 3 + 3));
    expect(html.match(/class="verdict /g)?.length).toBe(9);
    expect(html.match(/<path [^>]*fill="var\(--s[1-3], #\w+\)" fill-opacity/g)?.length).toBeGreaterThan(
      8 * 4,
    );
  });

  test('nothing there, and wrong usage', async () => {
    const missing = await runCli(cli, ['paper', join(folder, 'nothing')]);
    expect(missing.code).toBe(1);
    expect(missing.stderr).toMatch(/no run here/);
    const wrong = await runCli(cli, ['paper', '--model', 'vgg']);
    expect(wrong.code).toBe(2);
    const help = await runCli(cli, ['paper', '--help']);
    expect(help.stdout).toMatch(/Examples:[\s\S]*webgpu-bnn paper/);
    expect(help.stdout.replace(/\s+/g, ' ')).toContain('default: cifar10 on a GPU, mnist without');
  });
});
