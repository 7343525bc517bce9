/** Weights as distributions: moments against draws, passes against float64, and the binary network that is left. */
import { describe, expect, test } from 'vitest';
import { OptionError } from '../src/errors.ts';
import { ProgramBuilder } from '../src/gpu/index.ts';
import { foldForInference, inParts, Network } from '../src/graph/index.ts';
import { uniform01 } from '../src/numerics/random.ts';
import { expectedSign, expectedSignGrad } from '../src/ops/pointwise.ts';
import * as reference from '../src/reference/pointwise.ts';
import { expectedSignDense, expectedSigns } from '../src/regimes/index.ts';
import { Trainer } from '../src/train/index.ts';
import { quadrants } from './helpers/data.ts';
import { expectClose, expectSame, Scratch, useGpu } from './helpers/gpu.ts';

const gpu = useGpu();
const draw = (count: number, seed: number, size = 1) =>
  Float32Array.from({ length: count }, (_, i) => size * (2 * uniform01(seed, 7, i) - 1));

/** What one unit hands on in training, in float64: the mean of its product's sign, or that of the product. */
function unit(
  x: readonly number[],
  w: readonly number[],
  bias: number,
  input: string,
  output: string,
): number {
  const mean = x.reduce((sum, value, i) => sum + value * (w[i] ?? 0), bias);
  if (output === 'mean') return mean;
  const variance = x.reduce(
    (sum, m, i) => sum + (input === 'values' ? m * m : 1) - ((w[i] ?? 0) * m) ** 2,
    1e-6,
  );
  return reference.expectedSign(mean, variance);
}

test('the mean of a sign is that of drawn weights and drawn signs', () => {
  const count = 100;
  const [w, m] = [draw(count, 1, 0.9), draw(count, 2, 0.9)];
  const draws = 20000;
  let positive = 0;
  for (let n = 0; n < draws; n++) {
    // Sums of 100 signs are even: that many lie above -3 as above -2, and a normal number has no steps.
    let sum = 3;
    for (let i = 0; i < count; i++) {
      const at = n * count + i;
      const weight = 2 * uniform01(3, 1, at) < 1 + (w[i] ?? 0) ? 1 : -1;
      const input = 2 * uniform01(3, 2, at) < 1 + (m[i] ?? 0) ? 1 : -1;
      sum += weight * input;
    }
    if (sum >= 0) positive += 1;
  }
  const expected = unit([...m], [...w], 3, 'signs', 'signs');
  // Four standard errors of so many draws are 0.028.
  expect(Math.abs((2 * positive) / draws - 1 - expected)).toBeLessThan(0.03);
});

test('the operation and its gradients, far out too', async () => {
  using scratch = new Scratch(gpu());
  const b = new ProgramBuilder(gpu(), 'expected signs');
  const mean = Float32Array.of(...draw(200, 4, 6), 0, 1e-6, 1e6, -1e6, 30);
  const variance = draw(mean.length, 5).map((value) => 2 * Math.abs(value) + 1e-3);
  const g = draw(mean.length, 6);
  const tensor = (values: Float32Array<ArrayBuffer>) => scratch.tensor('x', [values.length], 'f32', values);
  const moments = { mean: tensor(mean), variance: tensor(variance) };
  const made = [expectedSign(b, moments), ...Object.values(expectedSignGrad(b, tensor(g), moments))];
  const [y, ofMean, ofVariance] = made.map((own) => b.keep(own));
  using program = await b.compile();
  program.run();
  const read = async (own = y) => (own === undefined ? [] : gpu().readFloats(own));
  const at = (i: number, dm: number, dv: number) =>
    reference.expectedSign((mean[i] ?? 0) + dm, (variance[i] ?? 1) * (1 + dv));
  const each = (of: (i: number) => number) => Array.from(mean, (_, i) => of(i));
  expectClose(
    await read(y),
    each((i) => at(i, 0, 0)),
    1e-6,
  );
  const h = 1e-5;
  const slopes = each((i) => ((g[i] ?? 0) * (at(i, h, 0) - at(i, -h, 0))) / (2 * h));
  expectClose(await read(ofMean), slopes, 1e-4, 'mean');
  const own = each((i) => ((g[i] ?? 0) * (at(i, 0, h) - at(i, 0, -h))) / (2 * h * (variance[i] ?? 1)));
  expectClose(await read(ofVariance), own, 1e-4, 'variance');
});

describe('a layer agrees with its formula, and its gradients with differences of it', () => {
  test.each([
    ['signs', 'signs'],
    ['values', 'signs'],
    ['signs', 'mean'],
  ] as const)('of %s to %s', async (input, output) => {
    const [rows, features, units] = [3, 7, 4];
    const layer = expectedSignDense({ units, input, output });
    using scratch = new Scratch(gpu());
    const b = new ProgramBuilder(gpu(), 'layer');
    const values = {
      x: draw(rows * features, 1),
      kernel: draw(units * features, 2, 0.9),
      bias: draw(units, 3),
      g: draw(rows * units, 4),
    };
    const parameters = layer.parameters([[features]]).map((spec) => ({
      ...{ name: spec.name, spec, packed: undefined },
      value: scratch.tensor(spec.name, spec.shape, 'f32', spec.name === 'bias' ? values.bias : values.kernel),
    }));
    const forward = layer.forward(
      {
        ...{ builder: b, training: true, state: undefined, stream: 0, wantsInputGradient: [true] },
        parameter: (name) => parameters.find((own) => own.name === name) as (typeof parameters)[number],
      },
      [{ kind: 'real', tensor: scratch.tensor('x', [rows, features], 'f32', values.x) }],
    );
    const back = forward.backward(scratch.tensor('g', [rows, units], 'f32', values.g));
    const kept = { y: forward.output.tensor, x: back.inputs[0], ...back.parameters };
    const read = Object.entries(kept).map(([name, own]) => [name, own && b.keep(own)] as const);
    using program = await b.compile();
    program.run();
    const got = new Map<string, Float32Array>();
    for (const [name, own] of read) if (own) got.set(name, await gpu().readFloats(own));

    const outputs = ({ x, kernel, bias }: { x: number[]; kernel: number[]; bias: number[] }) =>
      Array.from({ length: rows * units }, (_, i) => {
        const [row, o] = [Math.floor(i / units), i % units];
        const [given, w] = [
          x.slice(row * features, (row + 1) * features),
          kernel.slice(o * features, (o + 1) * features),
        ];
        return unit(given, w, bias[o] ?? 0, input, output);
      });
    const start = { x: [...values.x], kernel: [...values.kernel], bias: [...values.bias] };
    expectClose(got.get('y') ?? [], outputs(start), 1e-5, 'output');
    for (const name of ['x', 'kernel', 'bias'] as const) {
      const slope = start[name].map((_, at) => {
        const moved = (by: number) =>
          outputs({ ...start, [name]: start[name].map((value, i) => (i === at ? value + by : value)) });
        const [up, down] = [moved(1e-5), moved(-1e-5)];
        return up.reduce((sum, value, i) => sum + ((values.g[i] ?? 0) * (value - (down[i] ?? 0))) / 2e-5, 0);
      });
      expectClose(got.get(name) ?? [], slope, 1e-4, name);
    }
  });
});

test('a network learns, and what is left is an ordinary binary network', async () => {
  const data = quadrants(800, 200);
  const model = expectedSigns({ input: data.image, units: [64, 64], classes: 4 });
  using trainer = await Trainer.create(gpu(), model, data, {
    ...{ batch: 50, epochs: 3, loss: 'crossEntropy' },
  });
  await trainer.fit();
  expect((await trainer.evaluate()).accuracy).toBeGreaterThan(0.85);
  const left = inParts(model, await trainer.network.values());
  expect(new Set(left.model.layers.map(({ layer }) => layer.kind))).toEqual(
    new Set(['flatten', 'quantDense', 'sign']),
  );
  const folded = foldForInference(left.model, left.values);
  using compiled = await Network.create(gpu(), folded.model, { values: folded.values });
  const samples = draw(50 * 64, 9);
  expectSame(await compiled.predict(samples), await trainer.predict(samples));
});

test('a network without layers is refused', () => {
  expect(() => expectedSigns({ input: [4], units: [], classes: 2 })).toThrow(OptionError);
});
