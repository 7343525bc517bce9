import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { OptionError, ShapeError } from '../src/errors.ts';
import { ProgramBuilder, runOnce, type Shape, sizeOf, type Tensor } from '../src/gpu/index.ts';
import {
  apply,
  foldForInference,
  input,
  model,
  Network,
  recordForward,
  sequential,
} from '../src/graph/index.ts';
import {
  add as addLayer,
  batchNormalization,
  concat,
  conv2d,
  dense,
  flatten,
  globalAveragePool2d,
  type Layer,
  maxPool2d as maxPoolLayer,
  quantConv2d,
  quantDense,
  quantDepthwiseConv2d,
  sign,
} from '../src/layers/index.ts';
import { unpackSigns } from '../src/numerics/pack.ts';
import { normal, uniform01 } from '../src/numerics/random.ts';
import { encodeTrainState, STATE_WORDS } from '../src/ops/data.ts';
import {
  batchNorm,
  batchNormGrad,
  batchStatistics,
  canPoolInGradient,
  normalizedSigns,
  updateRunningStatistics,
} from '../src/ops/norm.ts';
import { maxPool2d, maxPool2dGrad, type Pool2dOptions } from '../src/ops/pool.ts';
import * as reference from '../src/reference/norm.ts';
import { binarize } from '../src/reference/quantize.ts';
import { expectClose, expectSame, Scratch, useGpu } from './helpers/gpu.ts';

interface Case {
  readonly shape: Shape;
  /** Mean and standard deviation of x; rounded to integers, as dot products are. */
  readonly mean: number;
  readonly deviation: number;
  readonly affine: boolean;
}

const nameOf = ({ shape, mean, deviation, affine }: Case) =>
  `I${shape.join('x')}_mean${mean}_sd${deviation}${affine ? '_affine' : ''}`;

const EPSILON = 1e-4;
const MOMENTUM = 0.9;

describe('batch normalisation', () => {
  const gpu = useGpu();

  const named: Case[] = [
    { shape: [100, 512], mean: 0, deviation: 28, affine: true },
    { shape: [100, 512], mean: 4000, deviation: 20, affine: true },
    { shape: [100, 10], mean: -300, deviation: 30, affine: false },
    { shape: [8, 9, 9, 64], mean: 100, deviation: 40, affine: true },
    { shape: [51200, 4], mean: 5000, deviation: 10, affine: true },
    { shape: [51200, 3], mean: -5000, deviation: 10, affine: false },
    { shape: [1, 6], mean: 7, deviation: 1, affine: true },
    { shape: [5, 1], mean: 0, deviation: 5, affine: true },
    { shape: [50, 8], mean: 12, deviation: 0, affine: true },
  ];
  const between = (min: number, max: number) => fc.integer({ min, max });
  const random: Case[] = fc.sample(
    fc.record({
      shape: fc.oneof(
        fc.tuple(between(8, 300), between(1, 70)),
        fc.tuple(between(1, 4), between(2, 9), between(4, 9), between(1, 40)),
      ),
      mean: between(-5000, 5000),
      deviation: between(10, 1000),
      affine: fc.boolean(),
    }),
    { seed: 11, numRuns: 50 },
  );

  for (const [title, cases] of [
    ...named.map((one) => [nameOf(one), [one]] as const),
    ['50 random shapes', random] as const,
  ]) {
    test(title, async () => {
      using scratch = new Scratch(gpu());
      const b = new ProgramBuilder(gpu(), 'batch norm');
      const checks: { name: string; got: Tensor; expected: ArrayLike<number> }[] = [];
      const binarized: { name: string; y: Tensor; bits: Tensor; gate: Tensor; clip: number }[] = [];
      const state = scratch.tensor('state', [STATE_WORDS], 'u32', encodeTrainState({}));
      cases.forEach((one, i) => {
        const { shape, mean, deviation, affine } = one;
        const name = nameOf(one);
        const channels = shape.at(-1) ?? 1;
        const size = sizeOf(shape);
        const draw = (stream: number, count: number) => (scale: number, shift: number) =>
          Float32Array.from({ length: count }, (_, j) => shift + scale * normal(i, stream, j));
        const x = draw(1, size)(deviation, mean).map(Math.round);
        const g = draw(2, size)(1, 0);
        const gamma = affine ? draw(3, channels)(1, 0) : undefined;
        const beta = affine ? draw(4, channels)(1, 0) : undefined;
        const means = draw(5, channels)(1, mean);
        const variances = Float32Array.from({ length: channels }, (_, c) => 0.1 + uniform01(i, 6, c));

        const vector = (label: string, data: Float32Array<ArrayBuffer>) =>
          scratch.tensor(label, [channels], 'f32', data);
        const images = scratch.tensor('x', shape, 'f32', x);
        const gammaTensor = gamma && vector('gamma', gamma);
        const affineTensors = {
          ...(gammaTensor && { gamma: gammaTensor }),
          ...(beta && { beta: vector('beta', beta) }),
        };
        const running = {
          runningMean: vector('running mean', means),
          runningVariance: vector('running variance', variances),
        };
        const common = { x: images, momentum: MOMENTUM, epsilon: EPSILON, state, ...affineTensors };
        // Inference comes first, so that it reads the old running statistics.
        const inference = batchNorm(b, { ...common, ...running, training: false });
        expect(inference.saved).toBeUndefined();
        const { y, saved } = batchNorm(b, { ...common, ...running, training: true });
        if (saved === undefined) throw new Error('nothing saved');
        const grads = batchNormGrad(b, {
          gradOutput: scratch.tensor('g', shape, 'f32', g),
          x: images,
          saved,
          ...(gammaTensor && { gamma: gammaTensor }),
        });

        const clip = 0.25 + uniform01(i, 7, 0);
        const signs = normalizedSigns(b, { x: images, ...affineTensors, ...saved, clip });
        for (const tensor of Object.values(signs)) b.keep(tensor);
        binarized.push({ name, y, clip, ...signs });

        const rows = size / channels;
        const statistics = reference.batchStatistics(x, rows, channels);
        const expected = reference.normalizeGrad(g, x, statistics, EPSILON, gamma);
        const check = (label: string, got: Tensor, values: ArrayLike<number>) => {
          b.keep(got);
          checks.push({ name: `${name} ${label}`, got, expected: values });
        };
        check('y', y, reference.normalize(x, statistics, EPSILON, gamma, beta));
        check(
          'inference',
          inference.y,
          reference.normalize(x, { mean: means, variance: variances }, EPSILON, gamma, beta),
        );
        check('mean', saved.mean, statistics.mean);
        check('variance', saved.variance, statistics.variance);
        check('gradGamma', grads.gradGamma, expected.gradGamma);
        check('gradBeta', grads.gradBeta, expected.gradBeta);
        check('gradInput', grads.gradInput, expected.gradInput);
        checks.push(
          {
            name: `${name} running mean`,
            got: running.runningMean,
            expected: reference.updateRunning(means, statistics.mean, MOMENTUM),
          },
          {
            name: `${name} running variance`,
            got: running.runningVariance,
            expected: reference.updateRunning(variances, statistics.variance, MOMENTUM),
          },
        );
      });
      using program = await b.compile();
      program.run();
      for (const { name, got, expected } of checks)
        expectClose(await gpu().readFloats(got), expected, 1e-4, name);
      for (const { name, y, bits, gate, clip } of binarized) {
        const channels = y.shape.at(-1) ?? 1;
        const expected = binarize(await gpu().readFloats(y), y.size / channels, channels, clip);
        expectSame(await gpu().readWords(bits), expected.bits, `${name} signs`);
        expectSame(await gpu().readWords(gate), expected.gate, `${name} gate`);
      }
    });
  }

  test.each([
    ['bits only, where only their signs are used', false],
    ['both, where a layer uses the values too', true],
  ])('between binary layers it writes %s', async (_, branch) => {
    const x = input([4, 4, 32]);
    const binary = { kernelQuantizer: 'steSign', inputQuantizer: 'steSign' } as const;
    const convolution = () => quantConv2d({ filters: 32, kernelSize: 3, padding: 'same', ...binary });
    const normal = apply(batchNormalization(), apply(convolution(), x));
    const conv = apply(convolution(), normal);
    const output = apply(
      quantDense({ units: 4, ...binary }),
      apply(flatten(), apply(batchNormalization(), conv)),
    );
    const other = apply(quantDense({ units: 4, ...binary }), apply(flatten(), normal));
    const net = model({
      input: x,
      output: branch ? apply(concat(), output, other, apply(globalAveragePool2d(), normal)) : output,
    });
    using scratch = new Scratch(gpu());
    using network = await Network.create(gpu(), net, { seed: 1 });
    const b = new ProgramBuilder(gpu(), 'fused');
    const state = scratch.tensor('state', [STATE_WORDS], 'u32', encodeTrainState({}));
    const images = scratch.tensor('x', [2, 4, 4, 32], 'f32');
    const pass = recordForward(b, net, network.parameters, images, { training: true, state });
    b.keep(pass.output.tensor);
    using program = await b.compile();
    const count = (kernel: RegExp) => program.kernels.filter((name) => kernel.test(name)).length;
    expect(count(/^norm\/apply/)).toBe(branch ? 1 : 0);
    expect(count(/^norm\/signs/)).toBe(branch ? 3 : 2);
  });

  test('the reference gradient agrees with central differences', () => {
    const [rows, channels] = [7, 3];
    const at = (stream: number, count: number) =>
      Float64Array.from({ length: count }, (_, i) => normal(5, stream, i));
    const [x, weights, gamma, beta] = [at(1, 21), at(2, 21), at(3, 3), at(4, 3)];
    const lossOf = (inputs: Float64Array, scale: Float64Array, shift: Float64Array) => {
      const statistics = reference.batchStatistics(inputs, rows, channels);
      return reference
        .normalize(inputs, statistics, EPSILON, scale, shift)
        .reduce((sum, y, i) => sum + y * (weights[i] ?? 0), 0);
    };
    const slope = (values: Float64Array, lossAt: (moved: Float64Array) => number) =>
      values.map((value, i) => {
        const h = 1e-5;
        return (lossAt(values.with(i, value + h)) - lossAt(values.with(i, value - h))) / (2 * h);
      });
    const grads = reference.normalizeGrad(
      weights,
      x,
      reference.batchStatistics(x, rows, channels),
      EPSILON,
      gamma,
    );
    expectClose(
      grads.gradInput,
      slope(x, (moved) => lossOf(moved, gamma, beta)),
      1e-7,
      'x',
    );
    expectClose(
      grads.gradGamma,
      slope(gamma, (moved) => lossOf(x, moved, beta)),
      1e-7,
      'gamma',
    );
    expectClose(
      grads.gradBeta,
      slope(beta, (moved) => lossOf(x, gamma, moved)),
      1e-7,
      'beta',
    );
  });

  for (const width of [3, 4]) {
    test(`a halted run keeps its running statistics, ${width} channels; a deferred update waits for its call`, async () => {
      using scratch = new Scratch(gpu());
      const x = scratch.tensor(
        'x',
        [5, width],
        'f32',
        Float32Array.from({ length: 5 * width }, (_, i) => i),
      );
      const start = Float32Array.from({ length: width }, (_, c) => c + 0.5);
      const runningMean = scratch.tensor('mean', [width], 'f32', start);
      const runningVariance = scratch.tensor('variance', [width], 'f32', start);
      const words = encodeTrainState({ halted: true });
      const state = scratch.tensor('state', [STATE_WORDS], 'u32', words);
      const common = { x, runningMean, runningVariance, momentum: MOMENTUM, epsilon: EPSILON, state };
      using _ = await runOnce(gpu(), 'halted', (b) => batchNorm(b, { ...common, training: true }));
      expectSame(await gpu().readFloats(runningMean), start);
      expectSame(await gpu().readFloats(runningVariance), start);

      gpu().write(state, encodeTrainState({}));
      using _deferred = await runOnce(gpu(), 'deferred', (b) => {
        const { saved } = batchNorm(b, { ...common, training: true, deferRunning: true });
        return saved && b.keep(saved.mean);
      });
      expectSame(await gpu().readFloats(runningMean), start);
      using _late = await runOnce(gpu(), 'late', (b) => {
        const { saved } = batchNorm(b, { ...common, training: true, deferRunning: true });
        if (saved !== undefined) updateRunningStatistics(b, { saved, ...common });
      });
      const batch = Array.from({ length: width }, (_, c) => 2 * width + c);
      expectClose(await gpu().readFloats(runningMean), reference.updateRunning(start, batch, MOMENTUM), 1e-6);
    });
  }

  const pooledCases: { shape: Shape; pooling: Pool2dOptions; affine: boolean }[] = [
    { shape: [3, 8, 8, 8], pooling: { poolSize: 2 }, affine: true },
    { shape: [2, 7, 9, 12], pooling: { poolSize: [2, 3] }, affine: false },
    { shape: [2, 7, 9, 5], pooling: { poolSize: [3, 2], padding: 'same' }, affine: true },
    {
      shape: [4, 5, 6, 4],
      pooling: {
        poolSize: 4,
        padding: [
          [1, 2],
          [3, 0],
        ],
      },
      affine: true,
    },
    { shape: [1, 6, 5, 3], pooling: { poolSize: [1, 5], strides: [1, 5] }, affine: false },
  ];

  test('the gradient through max pooling is, to the bit, that of both in turn', async () => {
    using scratch = new Scratch(gpu());
    const b = new ProgramBuilder(gpu(), 'pooled');
    const pairs: { name: string; got: Tensor; expected: Tensor }[] = [];
    pooledCases.forEach(({ shape, pooling, affine }, i) => {
      const channels = shape.at(-1) ?? 1;
      // Few different values: windows have several maxima.
      const values = Float32Array.from({ length: sizeOf(shape) }, (_, j) => Math.round(2 * normal(i, 1, j)));
      const x = scratch.tensor('x', shape, 'f32', values);
      const pooled = maxPool2d(b, x, pooling);
      const draw = (stream: number, count: number) =>
        Float32Array.from({ length: count }, (_, j) => normal(i, stream, j));
      const gradOutput = scratch.tensor('g', pooled.shape, 'f32', draw(2, pooled.size));
      const gamma = affine ? { gamma: scratch.tensor('gamma', [channels], 'f32', draw(3, channels)) } : {};
      const saved = batchStatistics(b, { x: pooled, epsilon: EPSILON });
      expect(canPoolInGradient(shape, pooling)).toBe(true);
      const fused = batchNormGrad(b, { gradOutput, x, saved, pooling, ...gamma });
      const { gradInput, gradGamma, gradBeta } = batchNormGrad(b, { gradOutput, x: pooled, saved, ...gamma });
      const expected = { gradGamma, gradBeta, gradInput: maxPool2dGrad(b, gradInput, x, pooling) };
      for (const name of ['gradInput', 'gradGamma', 'gradBeta'] as const) {
        pairs.push({ name: `${i} ${name}`, got: b.keep(fused[name]), expected: b.keep(expected[name]) });
      }
    });
    using program = await b.compile();
    program.run();
    for (const { name, got, expected } of pairs)
      expectSame(await gpu().readFloats(got), await gpu().readFloats(expected), name);
  });

  test.each([
    ['side by side, in one kernel', { poolSize: 2 }, false],
    ['side by side whose values are used elsewhere too, in two', { poolSize: 2 }, true],
    ['that overlap, in two', { poolSize: 3, strides: 2 }, false],
  ])('gradients go through windows %s', async (_, pooling, branch) => {
    const build = () => {
      const x = input([8, 8, 3]);
      const first = apply(conv2d({ name: 'first', filters: 4, kernelSize: 3 }), x);
      const pool = apply(maxPoolLayer({ name: 'pool', ...pooling }), first);
      const centred = apply(
        globalAveragePool2d({ name: 'mean' }),
        apply(batchNormalization({ name: 'norm' }), pool),
      );
      const other = apply(globalAveragePool2d({ name: 'other' }), pool);
      const both = apply(addLayer({ name: 'add' }), centred, branch ? other : centred);
      return model({ input: x, output: apply(dense({ name: 'last', units: 2 }), both) });
    };
    using scratch = new Scratch(gpu());
    const draw = (size: number) => Float32Array.from({ length: size }, (_, i) => normal(1, 2, i));
    const state = scratch.tensor('state', [STATE_WORDS], 'u32', encodeTrainState({}));
    const images = scratch.tensor('x', [2, 8, 8, 3], 'f32', draw(2 * 8 * 8 * 3));
    const gradOutput = scratch.tensor('g', [2, 2], 'f32', draw(4));
    const results: { kernels: readonly string[]; gradients: Map<string, number[]> }[] = [];
    for (const hasPasses of [true, false]) {
      const net = build();
      using network = await Network.create(gpu(), net, { seed: 1 });
      const b = new ProgramBuilder(gpu(), 'through');
      if (!hasPasses) b.rewrite = () => undefined;
      const kept = new Map<string, Tensor>();
      const pass = recordForward(b, net, network.parameters, images, { training: true, state });
      pass.backward(gradOutput, ({ name }, gradient) => kept.set(name, b.keep(gradient)));
      using program = await b.compile();
      program.run();
      const gradients = new Map<string, number[]>();
      for (const [name, tensor] of kept) gradients.set(name, [...(await gpu().readFloats(tensor))]);
      results.push({ kernels: program.kernels, gradients });
    }
    const [fused, plain] = results;
    expect(fused?.gradients).toEqual(plain?.gradients);
    expect(fused?.gradients.size).toBe(4);
    expect(plain?.kernels).toContain('pool/max_grad');
    expect(fused?.kernels.includes('pool/max_grad')).toBe(branch || 'strides' in pooling);
    expect(fused?.kernels.includes('norm/grad_apply_pooled4')).toBe(!branch && !('strides' in pooling));
  });

  /** Sums of signs of which some equal their channel's mean exactly, and others lie as near as the number of rows allows. */
  function nearTies(seed: number, rows: number, channels: number, mean: number): Float32Array<ArrayBuffer> {
    const x = Float32Array.from({ length: rows * channels }, (_, i) =>
      Math.round(mean + 30 * normal(seed, 1, i)),
    );
    for (let c = 0; c < channels; c++) {
      let rest = (c % 3) - 1;
      for (let r = 0; r < rows; r++) rest -= (x[r * channels + c] ?? 0) - mean;
      // The last value makes the sum rows times the mean, or one more or less.
      x[(rows - 1) * channels + c] = (x[(rows - 1) * channels + c] ?? 0) + rest;
      // Of two values of which the sum stays, one is the mean.
      if (rows > 2) {
        x[channels + c] = (x[channels + c] ?? 0) + (x[c] ?? 0) - mean;
        x[c] = mean;
      }
    }
    return x;
  }

  test('of integers every one lies on the side of the mean on which it is in exact arithmetic', async () => {
    using scratch = new Scratch(gpu());
    const b = new ProgramBuilder(gpu(), 'ties');
    const cases = [1, 2, 3, 7, 10, 49, 100, 300, 1001, 20_000].flatMap((rows) =>
      [0, 1, -3, 57, -1000, 4608, 100_003].flatMap((mean) => [
        { rows, mean, channels: 3 },
        { rows, mean, channels: 8 },
      ]),
    );
    // Sums beyond 2^31, and values about which f32 holds no fractions.
    cases.push(
      { rows: 1000, mean: 2 ** 23 - 99, channels: 4 },
      { rows: 1000, mean: 99 - 2 ** 23, channels: 3 },
    );
    const checks = cases.map(({ rows, mean, channels }, i) => {
      const values = nearTies(i, rows, channels, mean);
      const x = scratch.tensor('x', [rows, channels], 'f32', values);
      const exact = batchStatistics(b, { x, epsilon: EPSILON, integers: true });
      const rounded = batchStatistics(b, { x, epsilon: EPSILON });
      for (const tensor of [exact.mean, exact.variance, rounded.mean, rounded.variance]) b.keep(tensor);
      return { what: `${rows} rows of ${channels} about ${mean}`, rows, channels, values, exact, rounded };
    });
    using program = await b.compile();
    program.run();
    let ties = 0;
    let wrongWithout = 0;
    for (const { what, rows, channels, values, exact, rounded } of checks) {
      const [means, without] = [await gpu().readFloats(exact.mean), await gpu().readFloats(rounded.mean)];
      // Nothing else is touched.
      expectSame(await gpu().readFloats(exact.variance), await gpu().readFloats(rounded.variance), what);
      for (let c = 0; c < channels; c++) {
        let total = 0;
        for (let r = 0; r < rows; r++) total += values[r * channels + c] ?? 0;
        for (let r = 0; r < rows; r++) {
          const value = values[r * channels + c] ?? 0;
          const side = Math.sign(value * rows - total);
          if (side === 0) ties += 1;
          if (Math.sign(value - (means[c] ?? Number.NaN)) !== side) {
            expect.fail(`${what}: ${value} about ${total} / ${rows}, mean ${means[c]}`);
          }
          if (Math.sign(value - (without[c] ?? Number.NaN)) !== side) wrongWithout += 1;
        }
        expect(Math.abs((means[c] ?? Number.NaN) * rows - total), what).toBeLessThanOrEqual(
          2 ** -20 * Math.max(Math.abs(total), 30 * rows),
        );
      }
    }
    expect(ties).toBeGreaterThan(500);
    expect(wrongWithout).toBeGreaterThan(10);
  });

  const binary = { kernelQuantizer: 'steSign', inputQuantizer: 'steSign' } as const;
  const tied: Readonly<Record<string, { shape: Shape; layers: readonly Layer[] }>> = {
    'a dense layer': { shape: [15], layers: [quantDense({ name: 'product', units: 999, ...binary })] },
    'a convolution, pooled and flattened': {
      shape: [6, 6, 3],
      layers: [
        quantConv2d({ name: 'product', filters: 64, kernelSize: 3, padding: 'same', ...binary }),
        maxPoolLayer({ poolSize: 2 }),
        flatten(),
      ],
    },
    'a depthwise convolution': {
      shape: [3, 3, 960],
      layers: [
        quantDepthwiseConv2d({
          name: 'product',
          kernelSize: 3,
          depthwiseQuantizer: 'steSign',
          inputQuantizer: 'steSign',
        }),
      ],
    },
  };
  for (const [what, { shape, layers }] of Object.entries(tied)) {
    test.each([
      ['', undefined],
      [', negative scales', -1],
    ])(`what equals the mean is +1 while training, evaluated and folded: ${what}%s`, async (_, gamma) => {
      const norm = batchNormalization({
        name: 'norm',
        momentum: 0,
        center: false,
        scale: gamma !== undefined,
      });
      const net = sequential([...layers, norm, sign({ name: 'sign' })], { input: shape });
      using scratch = new Scratch(gpu());
      using network = await Network.create(gpu(), net, { seed: 2 });
      if (gamma !== undefined) {
        const parameter = network.parameters.get('norm/gamma');
        if (parameter === undefined) throw new Error('no scale');
        gpu().write(parameter.value, new Float32Array(parameter.value.size).fill(gamma));
      }
      const BATCH = 45;
      const images = Float32Array.from({ length: BATCH * sizeOf(shape) }, (_, i) => normal(3, 1, i));
      const x = scratch.tensor('x', [BATCH, ...shape], 'f32', images);
      const state = scratch.tensor('state', [STATE_WORDS], 'u32', encodeTrainState({}));
      const b = new ProgramBuilder(gpu(), 'tied');
      const pass = recordForward(b, net, network.parameters, x, { training: true, state });
      const [sums, signs] = [pass.activations[layers.length - 1], pass.activations.at(-1)];
      if (sums === undefined || signs === undefined) throw new Error('nothing recorded');
      b.keep(sums.tensor);
      b.keep(signs.tensor);
      const { shape: outputs } = signs.tensor;
      const gradOutput = scratch.tensor('g', outputs, 'f32', new Float32Array(sizeOf(outputs)).fill(1));
      pass.backward(gradOutput, () => undefined); // moves the running statistics, with momentum 0 onto the batch's
      using program = await b.compile();
      program.run();

      const values = await gpu().readFloats(sums.tensor);
      const channels = outputs.at(-1) ?? 1;
      const rows = values.length / channels;
      const totals = new Float64Array(channels);
      values.forEach((value, i) => {
        totals[i % channels] = (totals[i % channels] ?? 0) + value;
      });
      const sides = Array.from(values, (value, i) =>
        Math.sign((value * rows - (totals[i % channels] ?? 0)) * (gamma ?? 1)),
      );
      expect(sides.filter((side) => side === 0).length, 'ties').toBeGreaterThan(3);
      const expected = sides.map((side) => (side < 0 ? -1 : 1));
      expectSame(unpackSigns(await gpu().readWords(signs.tensor), rows, channels), expected, 'training');
      expectSame(await network.predict(images), expected, 'evaluated');
      const folded = foldForInference(net, await network.values());
      expect(folded.kept).toEqual([]);
      using small = await Network.create(gpu(), folded.model, { values: folded.values });
      expectSame(await small.predict(images), expected, 'folded');
    });
  }

  test('the same batch gives the same bits', async () => {
    using scratch = new Scratch(gpu());
    const values = Float32Array.from({ length: 999 * 12 }, (_, i) => normal(2, 3, i));
    const x = scratch.tensor('x', [999, 12], 'f32', values);
    const zeros = scratch.tensor('zeros', [12], 'f32');
    const ones = scratch.tensor('ones', [12], 'f32', new Float32Array(12).fill(1));
    const b = new ProgramBuilder(gpu(), 'twice');
    const out = [0, 1].map(() => {
      const { saved } = batchNorm(b, {
        x,
        runningMean: zeros,
        runningVariance: ones,
        momentum: MOMENTUM,
        epsilon: EPSILON,
        training: true,
        deferRunning: true,
      });
      if (saved === undefined) throw new Error('nothing saved');
      const grads = batchNormGrad(b, { gradOutput: x, x, saved });
      return [saved.mean, saved.variance, grads.gradInput].map((tensor) => b.keep(tensor));
    });
    using program = await b.compile();
    program.run();
    for (const [i, tensor] of (out[0] ?? []).entries()) {
      const twin = out[1]?.[i];
      if (twin === undefined) throw new Error('no twin');
      expectSame(await gpu().readFloats(twin), await gpu().readFloats(tensor));
    }
  });

  test('wrong shapes and options are refused', () => {
    using scratch = new Scratch(gpu());
    const b = new ProgramBuilder(gpu(), 'refused');
    const vector = scratch.tensor('v', [4], 'f32');
    const good = {
      x: scratch.tensor('x', [2, 4], 'f32'),
      runningMean: vector,
      runningVariance: vector,
      momentum: 0.9,
      epsilon: 1e-4,
      training: false,
    };
    const short = scratch.tensor('short', [3], 'f32');
    expect(() => batchNorm(b, { ...good, gamma: short })).toThrow(ShapeError);
    expect(() => batchNorm(b, { ...good, x: scratch.tensor('u', [2, 4], 'u32') })).toThrow(ShapeError);
    expect(() => batchNorm(b, { ...good, epsilon: 0 })).toThrow(OptionError);
    expect(() => batchNorm(b, { ...good, momentum: 1.5 })).toThrow(OptionError);
    expect(() => batchNorm(b, { ...good, training: true })).toThrow(OptionError);
    const saved = { mean: vector, inverseStd: vector };
    const pooling = { poolSize: 3, strides: 2 };
    const image = scratch.tensor('image', [1, 5, 5, 4], 'f32');
    const gradOutput = scratch.tensor('g', [1, 2, 2, 4], 'f32');
    expect(canPoolInGradient(image.shape, pooling)).toBe(false);
    expect(() => batchNormGrad(b, { gradOutput, x: image, saved, pooling })).toThrow(OptionError);
    expect(() => batchNormGrad(b, { gradOutput, x: image, saved, pooling: { poolSize: 5 } })).toThrow(
      ShapeError,
    );
    expect(() => normalizedSigns(b, { x: good.x, ...saved, clip: 0 })).toThrow(OptionError);
    expect(() => normalizedSigns(b, { x: good.x, ...saved, beta: short })).toThrow(ShapeError);
    expect(() => batchNormGrad(b, { gradOutput: vector, x: good.x, saved })).toThrow(ShapeError);
  });
});
