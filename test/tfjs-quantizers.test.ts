/** Larq's quantizers, constraint, metric and optimizers in TensorFlow.js: what Larq's own tests ask of them. */
import * as tf from '@tensorflow/tfjs-core';
import { sequential } from '@tensorflow/tfjs-layers';
import { describe, expect, test } from 'vitest';
import { DisposedError, OptionError, ShapeError } from '../src/errors.ts';
import {
  ApproxSign,
  Bop,
  CaseOptimizer,
  DoReFa,
  FlipRatio,
  getQuantizer,
  MagnitudeAwareSign,
  NoOp,
  Quantizer,
  quantDense,
  SteHeaviside,
  SteSign,
  SteTern,
  SwishSign,
  WeightClip,
} from '../src/interop/tfjs/index.ts';
import { defineQuantizer, irNet, steSign, steTern } from '../src/methods/index.ts';
import { expectClose, expectSame } from './helpers/gpu.ts';
import { type BackendName, on, useTensorFlow, values } from './helpers/tfjs.ts';

const BACKENDS: readonly BackendName[] = ['cpu', 'webgpu'];

/** Reals between −2 and 2, with zeros of both signs among them. */
const SHAPE = [4, 3, 11];
const REALS = values(4 * 3 * 11, 5, 2);

/** What a quantizer makes of reals, and the gradient of the sum of that. */
async function measure(backend: BackendName, quantizer: Quantizer, reals: Float32Array, shape: number[]) {
  return on(backend, async () => {
    const x = tf.tensor(reals, shape);
    const { value, grad } = tf.tidy(() => {
      const value = quantizer.apply(x);
      const grad = tf.grad((input) => tf.sum(quantizer.apply(input)))(x);
      return { value, grad };
    });
    const result = { y: await value.data<'float32'>(), dx: await grad.data<'float32'>() };
    tf.dispose([x, value, grad]);
    return result;
  });
}

const sign = (x: number) => (x < 0 ? -1 : 1);
const within = (clip: number) => (x: number) => (Math.abs(Math.fround(x)) <= clip ? 1 : 0);
const swish = (beta: number) => (x: number) =>
  (beta * (2 - beta * x * Math.tanh((beta * x) / 2))) / (1 + Math.cosh(beta * x));
const ternary = (threshold: number) => (x: number) =>
  Math.abs(x) < threshold ? 0 : Math.abs(x) > threshold ? Math.sign(x) : 0;
const meanMagnitude = REALS.reduce((sum, x) => sum + Math.abs(x), 0) / REALS.length;

const cubic = (power: number) =>
  defineQuantizer({
    name: 'cubic',
    formula: '(1 - x²)ⁿ where |x| <= 1, else 0',
    source: 'this test',
    wgsl: `fn gradient(x: f32) -> f32 { let y = max(0.0, 1.0 - x * x); return ${'y * '.repeat(power)}1.0; }`,
    gradient: (x) => Math.max(0, 1 - x * x) ** power,
  })();

const FORMULAS: readonly {
  readonly name: string;
  readonly quantizer: Quantizer;
  readonly y: (x: number) => number;
  readonly dx: (x: number) => number;
}[] = [
  { name: 'ste_sign', quantizer: new SteSign(), y: sign, dx: within(1) },
  { name: 'ste_sign, clip 0.5', quantizer: new SteSign({ clipValue: 0.5 }), y: sign, dx: within(0.5) },
  { name: 'ste_sign without a clip', quantizer: new SteSign({ clipValue: null }), y: sign, dx: () => 1 },
  { name: 'approx_sign', quantizer: new ApproxSign(), y: sign, dx: (x) => Math.max(0, 2 - 2 * Math.abs(x)) },
  { name: 'swish_sign', quantizer: new SwishSign(), y: sign, dx: swish(5) },
  { name: 'swish_sign, beta 10', quantizer: new SwishSign({ beta: 10 }), y: sign, dx: swish(10) },
  { name: 'ste_heaviside', quantizer: new SteHeaviside(), y: (x) => (x > 0 ? 1 : 0), dx: within(1) },
  { name: 'ste_tern', quantizer: new SteTern(), y: ternary(0.05), dx: within(1) },
  {
    name: 'ste_tern, threshold 0.3',
    quantizer: new SteTern({ thresholdValue: 0.3 }),
    y: ternary(0.3),
    dx: within(1),
  },
  {
    name: 'ste_tern of ternary weight networks',
    quantizer: new SteTern({ ternaryWeightNetworks: true }),
    y: ternary(0.7 * meanMagnitude),
    dx: within(1),
  },
  {
    name: 'one of defineQuantizer',
    quantizer: getQuantizer(cubic(3)) as Quantizer,
    y: sign,
    dx: (x) => Math.max(0, 1 - x * x) ** 3,
  },
  {
    name: 'another of its name',
    quantizer: getQuantizer(cubic(2)) as Quantizer,
    y: sign,
    dx: (x) => Math.max(0, 1 - x * x) ** 2,
  },
  {
    name: 'noop',
    quantizer: new NoOp({ precision: 1 }),
    y: (x) => x,
    dx: () => 1,
  },
];

useTensorFlow();

describe("Larq's quantizers", () => {
  for (const backend of BACKENDS) {
    for (const { name, quantizer, y, dx } of FORMULAS) {
      test(`${name} and its gradient, by their formulas, on ${backend}`, async () => {
        const result = await measure(backend, quantizer, REALS, SHAPE);
        expectSame(result.y, REALS.map(y), 'forward');
        expectClose(result.dx, REALS.map(dx), 1e-5, 'gradient');
      });
    }

    test(`magnitude_aware_sign scales by the means of the last axis, on ${backend}`, async () => {
      const result = await measure(backend, new MagnitudeAwareSign(), REALS, SHAPE);
      const channels = 11;
      const scales = Array.from({ length: channels }, (_, c) => {
        const magnitudes = REALS.filter((_, i) => i % channels === c).map(Math.abs);
        return magnitudes.reduce((sum, x) => sum + x, 0) / magnitudes.length;
      });
      expectClose(
        result.y,
        REALS.map((x, i) => sign(x) * (scales[i % channels] ?? 0)),
        1e-5,
        'forward',
      );
      expectClose(
        result.dx,
        REALS.map((x, i) => within(1)(x) * (scales[i % channels] ?? 0)),
        1e-5,
        'gradient',
      );
    });

    for (const bits of [1, 2, 4, 8]) {
      test(`dorefa_quantizer of ${bits} bits, on ${backend}`, async () => {
        const n = 2 ** bits - 1;
        const round = (x: number) => Math.round(x * n) / n;
        // Between two levels either will do: rounding there is up to the last bit.
        const off = (x: number) => Math.abs(((x * n) % 1) - 0.5) > 1e-3;
        const activations = await measure(backend, new DoReFa({ kBit: bits }), REALS, SHAPE);
        const clip = (x: number) => Math.min(1, Math.max(0, x));
        const keep = [...REALS.keys()].filter((i) => off(clip(REALS[i] ?? 0)));
        expect(keep.length).toBeGreaterThan(100);
        expectClose(
          keep.map((i) => activations.y[i] ?? Number.NaN),
          keep.map((i) => round(clip(REALS[i] ?? 0))),
          1e-6,
        );
        expectSame(
          activations.dx,
          REALS.map((x) => (x >= 0 && x <= 1 ? 1 : 0)),
          'gradient',
        );

        const weights = await measure(backend, new DoReFa({ kBit: bits, mode: 'weights' }), REALS, SHAPE);
        const largest = Math.max(...REALS.map((x) => Math.abs(Math.tanh(x))));
        const normed = (x: number) => Math.tanh(x) / largest / 2 + 0.5;
        const kept = [...REALS.keys()].filter((i) => off(normed(REALS[i] ?? 0)));
        expect(kept.length).toBeGreaterThan(70);
        expectClose(
          kept.map((i) => weights.y[i] ?? Number.NaN),
          kept.map((i) => 2 * round(normed(REALS[i] ?? 0)) - 1),
          1e-5,
        );
        expectClose(
          weights.dx,
          REALS.map((x) => 1 / Math.cosh(x) ** 2 / largest),
          1e-4,
          'gradient',
        );
      });
    }
  }

  test('dorefa_quantizer leaves weights that are all zero at a level', async () => {
    const { y, dx } = await measure(
      'cpu',
      new DoReFa({ kBit: 2, mode: 'weights' }),
      new Float32Array(4),
      [4],
    );
    expect([...y, ...dx].every(Number.isFinite)).toBe(true);
  });

  test('are found by alias, by class name, by either with underscores taken out, and by serialized form', () => {
    for (const name of ['ste_sign', 'steSign', 'SteSign']) expect(getQuantizer(name)).toBeInstanceOf(SteSign);
    for (const name of ['dorefa_quantizer', 'dorefaQuantizer', 'DoReFa', 'DoReFaQuantizer']) {
      expect(getQuantizer(name)).toBeInstanceOf(DoReFa);
    }
    const serialized = { className: 'SteTern', config: { threshold_value: 0.2, clip_value: null } };
    expect(getQuantizer(serialized)).toMatchObject({ thresholdValue: 0.2, clipValue: null });
    const object = new SwishSign({ beta: 3 });
    expect(getQuantizer(object)).toBe(object);
    expect(getQuantizer(null)).toBeUndefined();
  });

  test('an unknown name lists the known ones and says where', () => {
    const make = () => quantDense({ units: 2, name: 'head', kernelQuantizer: 'unknown' });
    expect(make).toThrow(OptionError);
    expect(make).toThrow(
      /ste_sign, approx_sign, swish_sign, magnitude_aware_sign, ste_tern, ste_heaviside, dorefa_quantizer/,
    );
    expect(make).toThrow(/head: kernelQuantizer/);
  });

  test("of one's own are found once they are registered, and computed as they say", async () => {
    class Threes extends Quantizer {
      static readonly className: string = 'Threes';
      readonly precision = 1;
      protected override quantize(x: tf.Tensor): tf.Tensor {
        return tf.mul(3, tf.sign(x));
      }
    }
    tf.serialization.registerClass(Threes);
    await on('webgpu', async () => {
      const layer = quantDense({
        units: 1,
        inputQuantizer: 'ste_sign',
        kernelQuantizer: 'Threes',
        useBias: false,
      });
      const [x, kernel] = [tf.ones([1, 4]), tf.tensor2d([[1], [2], [-1], [5]])];
      layer.build([1, 4]);
      layer.setWeights([kernel]);
      const y = layer.apply(x) as tf.Tensor;
      expectSame(await y.data(), [6]);
      expect(layer.getConfig().kernelQuantizer).toEqual({ className: 'Threes', config: {} });
      tf.dispose([x, kernel, y]);
    });
    const custom = quantDense({ units: 1, kernelQuantizer: (x) => tf.relu(x) });
    expect(() => custom.getConfig()).toThrow(/can't be saved/);
    tf.disposeVariables();
  });

  for (const backend of BACKENDS) {
    test(`two of one name, made by defineQuantizer, are each what they are in layers, on ${backend}`, async () => {
      await on(backend, async () => {
        const [x, w] = [tf.tensor(values(12, 3), [3, 4]), tf.tensor(values(8, 4), [4, 2])];
        for (const power of [2, 3]) {
          const layer = quantDense({ units: 2, kernelQuantizer: cubic(power), useBias: false });
          layer.build([3, 4]);
          layer.setWeights([w]);
          const kernel = layer.trainableWeights[0]?.read() as tf.Variable;
          const { grads } = tf.variableGrads(() => tf.sum(layer.apply(x) as tf.Tensor), [kernel]);
          const sums = await tf.tidy(() => tf.sum(x, 0)).data();
          const expected = values(8, 4).map(
            (value, i) => (sums[Math.floor(i / 2)] ?? 0) * Math.max(0, 1 - value * value) ** power,
          );
          expectClose((await Object.values(grads)[0]?.data<'float32'>()) as Float32Array, expected, 1e-5);
        }
        tf.dispose([x, w]);
        tf.disposeVariables();
      });
    });
  }

  test("this library's own are written by name and numbers; those with rules for rows are refused", () => {
    const layer = quantDense({ units: 2, kernelQuantizer: steSign({ clip: 1.3 }) });
    const { kernelQuantizer } = layer.getConfig() as Record<
      string,
      { className: string; config: tf.serialization.ConfigDict }
    >;
    expect(kernelQuantizer).toMatchObject({ className: 'MethodQuantizer' });
    expect(getQuantizer(kernelQuantizer)).toMatchObject({ method: { name: 'steSign', window: 1.3 } });
    for (const method of [steTern(), irNet()])
      expect(() => getQuantizer(method)).toThrow(/rule for rows|from step to step/);
    expect(() =>
      getQuantizer({ className: 'MethodQuantizer', config: { method: { name: 'steSing' } } }),
    ).toThrow(/steSign/);
  });

  test('options that make no sense are refused', () => {
    expect(() => new DoReFa({ kBit: 0 })).toThrow(OptionError);
    expect(() => new DoReFa({ mode: 'unknown' as 'weights' })).toThrow(/'activations' or 'weights'/);
    expect(() => new SwishSign({ beta: Number.NaN })).toThrow(OptionError);
    expect(() => new SteSign({ metrics: ['accuracy' as 'flip_ratio'] })).toThrow(/flip_ratio/);
  });

  test('serve as activations by name and as objects', async () => {
    const outputs = await on('cpu', async () => {
      const activations = ['ste_sign', new SteSign()];
      return Promise.all(
        activations.map(async (activation) => {
          const layer = quantDense({ units: 3, activation: activation });
          const y = layer.apply(tf.tensor(values(8, 1), [2, 4])) as tf.Tensor;
          return y.data();
        }),
      );
    });
    for (const y of outputs) expect([...y].every((value) => Math.abs(value) === 1)).toBe(true);
    tf.disposeVariables();
  });

  test('a kernel quantizer counts the flips of its kernel, whichever way the product is computed', async () => {
    for (const backend of BACKENDS) {
      await on(backend, async () => {
        const kernelQuantizer = new SteSign({ metrics: ['flip_ratio'] });
        const layer = quantDense({ units: 2, inputQuantizer: 'ste_sign', kernelQuantizer, useBias: false });
        layer.build([1, 2]);
        const x = tf.ones([1, 2]);
        for (const kernel of [
          [1, 1, 1, 1],
          [-1, 1, 1, 1],
          [-1, -1, -1, 1],
        ]) {
          const next = tf.tensor(kernel, [2, 2]);
          layer.setWeights([next]);
          tf.dispose([next, layer.apply(x) as tf.Tensor]);
        }
        const ratio = kernelQuantizer.flipRatio?.result();
        expect((await ratio?.data())?.[0]).toBeCloseTo((0.25 + 0.5) / 2, 6);
        tf.dispose([x, ratio ?? []]);
        kernelQuantizer.flipRatio?.dispose();
        tf.disposeVariables();
      });
    }
  });
});

describe("Larq's constraint, metric and optimizers", () => {
  test('weight_clip keeps weights inside its window, by name and as an object', async () => {
    const x = tf.tensor(REALS, SHAPE);
    const clipped = new WeightClip({ clipValue: 0.75 }).apply(x);
    expectSame(
      await clipped.data(),
      REALS.map((value) => Math.min(0.75, Math.max(-0.75, value))),
    );
    for (const kernelConstraint of ['weight_clip', 'weightClip', new WeightClip()]) {
      const layer = quantDense({ units: 2, kernelConstraint: kernelConstraint });
      expect(layer.getConfig().kernelConstraint).toEqual({
        className: 'WeightClip',
        config: { clipValue: 1 },
      });
    }
    tf.dispose([x, clipped]);
  });

  for (const backend of BACKENDS) {
    test(`FlipRatio of [1, 1], [2, 2], [1, 2] is 0.75, on ${backend}`, async () => {
      await on(backend, async () => {
        const before = tf.memory().numTensors;
        const metric = new FlipRatio();
        const results: number[] = [];
        for (const row of [[], [1, 1], [2, 2], [1, 2]]) {
          const x = tf.tensor1d(row);
          if (row.length > 0) metric.updateState(x);
          const result = metric.result();
          results.push((await result.data())[0] ?? Number.NaN);
          tf.dispose([x, result]);
        }
        expect(results).toEqual([0, 0, 1, 0.75]);
        expect(metric.count).toBe(3);
        expect(() => tf.tidy(() => metric.updateState(tf.tensor1d([1, 2, 3])))).toThrow(ShapeError);
        metric.resetState();
        const cleared = metric.result();
        expect(await cleared.data()).toEqual(new Float32Array([0]));
        cleared.dispose();
        metric.dispose();
        expect(() => metric.result()).toThrow(DisposedError);
        expect(tf.memory().numTensors).toBe(before);
      });
    });

    test(`Bop flips where w·m exceeds the threshold, on ${backend}`, async () => {
      await on(backend, async () => {
        const w = tf.variable(tf.tensor1d([1, 1, -1, -1, 1]), true, `w-${backend}`);
        const bop = new Bop({ threshold: 0.1, gamma: 0.5 });
        const gradients = [
          [1, -1, 1, -1, 0.1],
          [1, 1, 1, 1, 0.2],
        ];
        const [m, expected] = [new Float64Array(5), [1, 1, -1, -1, 1]];
        for (const gradient of gradients) {
          const tensor = tf.tensor1d(gradient);
          bop.applyGradients([{ name: w.name, tensor }]);
          tensor.dispose();
          gradient.forEach((g, i) => {
            m[i] = (m[i] ?? 0) + 0.5 * (g - (m[i] ?? 0));
            if ((expected[i] ?? 0) * (m[i] ?? 0) > 0.1) expected[i] = -(expected[i] ?? 0);
          });
          expectSame(await w.data(), expected, 'weights');
        }
        expect((await bop.getWeights()).map(({ name }) => name)).toEqual(['iter', `w-${backend}/m`]);
        bop.dispose();
        tf.disposeVariables();
      });
    });
  }

  test('Bop beside Adam trains a small network, with every binary kernel at ±1', async () => {
    await on('webgpu', async () => {
      const model = sequential();
      const binary = {
        kernelQuantizer: 'ste_sign',
        useBias: false,
        kernelConstraint: 'weight_clip',
      };
      model.add(quantDense({ units: 20, activation: 'relu', inputShape: [10], ...binary }));
      model.add(quantDense({ units: 2, inputQuantizer: 'ste_sign', ...binary }));
      model.add(quantDense({ units: 2, activation: 'softmax' }));
      const optimizer = new CaseOptimizer(
        [[Bop.isBinaryVariable, new Bop({ gamma: 1e-2 })]],
        tf.train.adam(0.01),
      );
      model.compile({ loss: 'categoricalCrossentropy', optimizer, metrics: ['accuracy'] });
      const x = tf.tensor(values(640, 3), [64, 10]);
      const y = tf.oneHot(
        tf.tensor1d(
          [...values(64, 9)].map((v) => (v < 0 ? 0 : 1)),
          'int32',
        ),
        2,
      );
      // Weights that some drawings have leave every gradient outside its window: these don't.
      const drawn = model.getWeights().map(({ shape }, i) => {
        const count = shape.reduce((product, extent) => product * extent, 1);
        return tf.tensor(
          values(count, 20 + i).map((v) => 0.3 * v),
          shape,
        );
      });
      model.setWeights(drawn);
      const before = await Promise.all(model.getWeights().map((weight) => weight.data()));
      await model.fit(x, y, { shuffle: false, epochs: 2, batchSize: 16, verbose: 0 });
      const after = await Promise.all(model.getWeights().map((weight) => weight.data()));
      for (const [i, weight] of after.entries()) expect([...weight]).not.toEqual([...(before[i] ?? [])]);
      for (const kernel of after.slice(0, 2)) expect([...kernel].every((w) => Math.abs(w) === 1)).toBe(true);
      tf.dispose([x, y, ...drawn]);
    });
    tf.disposeVariables();
  });

  test('Bop keeps its options when it is saved', () => {
    const config = new Bop({ threshold: 1e-6, gamma: 1e-3 }).getConfig();
    expect(Bop.fromConfig(Bop, config)).toMatchObject({ threshold: 1e-6, gamma: 1e-3 });
    expect(() => new Bop({ gamma: (step) => 1 / (1 + step) }).getConfig()).toThrow(/schedule/);
    expect(() => new Bop({ gamma: -1 })).toThrow(OptionError);
  });

  test('CaseOptimizer refuses cases that are none, claims that overlap and optimizers that claim nothing', () => {
    const [w, g] = [tf.variable(tf.ones([1]), true, 'claimed'), tf.ones([1])];
    const gradients = [{ name: w.name, tensor: g }];
    expect(() => new CaseOptimizer([[false as never, new Bop()]])).toThrow(OptionError);
    const twice = new CaseOptimizer([
      [() => true, new Bop()],
      [() => true, new Bop()],
    ]);
    expect(() => twice.applyGradients(gradients)).toThrow(/several optimizers/);
    const idle = new CaseOptimizer([[() => false, new Bop()]], tf.train.sgd(0.1));
    expect(() => idle.applyGradients(gradients)).toThrow(/claimed no variable/);
    tf.dispose([w, g]);
  });
});
