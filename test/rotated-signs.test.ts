/** Generalized binarization of weights that are trained: values, gradients, and a network that learns with them. */
import { describe, expect, test } from 'vitest';
import { CpuNetwork } from '../src/cpu/index.ts';
import { OptionError, ShapeError } from '../src/errors.ts';
import { loadModel, saveModel } from '../src/formats/index.ts';
import { ProgramBuilder, type Shape, sizeOf } from '../src/gpu/index.ts';
import {
  initialValues,
  type Model,
  Network,
  packRotations,
  recordForward,
  sequential,
} from '../src/graph/index.ts';
import {
  batchNormalization,
  flatten,
  type Layer,
  type QuantConv2dOptions,
  type QuantDenseOptions,
  quantConv2d,
  quantDense,
  rotate,
} from '../src/layers/index.ts';
import { crossEntropy } from '../src/methods/index.ts';
import { normal } from '../src/numerics/random.ts';
import * as reference from '../src/numerics/rotation.ts';
import { encodeTrainState, STATE_WORDS } from '../src/ops/data.ts';
import { loss as recordLoss } from '../src/ops/loss.ts';
import { rotatedSigns, rotateFilters, unrotateFilters } from '../src/ops/rotation.ts';
import { Trainer } from '../src/train/index.ts';
import { quadrants } from './helpers/data.ts';
import { expectClose, expectSame, Scratch, useGpu } from './helpers/gpu.ts';
import { trainedValues } from './helpers/trained.ts';

const noise = (count: number, stream: number) =>
  Float32Array.from({ length: count }, (_, i) => normal(9, stream, i));
const rowsOf = (values: Float32Array, rows: number) =>
  Array.from({ length: rows }, (_, row) =>
    values.subarray((row * values.length) / rows, ((row + 1) * values.length) / rows),
  );

describe('rotated signs', () => {
  const gpu = useGpu();

  test('rotation, its inverse and the signs between them agree with the reference', async () => {
    using scratch = new Scratch(gpu());
    const b = new ProgramBuilder(gpu(), 'rotated signs');
    const shapes: readonly (readonly [Shape, number, number])[] = [
      [[2, 1], 0, 1],
      [[3, 5], 1, 1],
      [[4, 3, 3, 3], 2, 3],
      [[2, 64], 3, 2],
      [[5, 300], 0xffffffff, 3],
    ];
    const cases = shapes.map(([shape, seed, rounds]) => {
      const values = noise(sizeOf(shape), seed % 100);
      const x = scratch.tensor('x', shape, 'f32', values);
      const length = sizeOf(shape) / (shape[0] ?? 1);
      const options = { seed, rounds };
      return {
        values,
        rows: shape[0] ?? 1,
        options,
        back: b.keep(unrotateFilters(b, { x: rotateFilters(b, { x, ...options }), length, ...options })),
        signs: b.keep(rotatedSigns(b, { x, ...options })),
      };
    });
    using program = await b.compile();
    program.run();
    for (const { values, rows, options, back, signs } of cases) {
      expectClose(await gpu().readFloats(back), values, 2e-6, 'there and back');
      const expected = rowsOf(values, rows).flatMap((row) => reference.rotatedSigns(row, options));
      expectClose(await gpu().readFloats(signs), expected, 2e-6, 'signs');
      for (const row of rowsOf(values, rows)) {
        expectClose(reference.unrotate(reference.rotate(row, options), row.length, options), row, 1e-12);
      }
    }
  });

  test('they lie at 37 degrees from weights whose plain signs point elsewhere', () => {
    const w = Array.from({ length: 512 }, (_, i) => Math.exp(0.1 * (i - 512)) * normal(4, 1, i));
    const angle = (a: readonly number[]) => {
      const dot = (p: readonly number[], q: readonly number[]) =>
        p.reduce((sum, x, i) => sum + x * (q[i] ?? 0), 0);
      return (Math.acos(dot(a, w) / Math.sqrt(dot(a, a) * dot(w, w))) * 180) / Math.PI;
    };
    expect(angle(w.map((x) => (x < 0 ? -1 : 1)))).toBeGreaterThan(75);
    expect(Math.abs(angle(reference.rotatedSigns(w, { seed: 1, rounds: 3 })) - 37.03)).toBeLessThan(4);
  });

  /** Gradients of all parameters in one training pass. */
  async function gradientsOf(
    model: Model,
    values: ReturnType<typeof initialValues>,
    x: Float32Array<ArrayBuffer>,
  ) {
    using scratch = new Scratch(gpu());
    using network = await Network.create(gpu(), model, { values });
    const batch = x.length / sizeOf(model.inputShape);
    const input = scratch.tensor('x', [batch, ...model.inputShape], 'f32', x);
    const labels = scratch.tensor(
      'labels',
      [batch],
      'u32',
      Uint32Array.from({ length: batch }, (_, i) => i % 3),
    );
    const state = scratch.tensor('state', [STATE_WORDS], 'u32', encodeTrainState({}));
    const metrics = scratch.tensor('metrics', [256, 4], 'f32');
    const b = new ProgramBuilder(gpu(), 'gradients');
    const pass = recordForward(b, model, network.parameters, input, { training: true, state });
    const gradOutput = recordLoss(b, {
      loss: crossEntropy(),
      logits: pass.output.tensor,
      targets: labels,
      state,
      metrics,
    });
    const gradients = new Map<string, ReturnType<typeof b.keep>>();
    pass.backward(gradOutput, ({ name }, gradient) => gradients.set(name, b.keep(gradient)));
    using program = await b.compile();
    program.run();
    const result = new Map<string, Float32Array>();
    for (const [name, tensor] of gradients) result.set(name, await gpu().readFloats(tensor));
    return result;
  }

  test('the gradient passes straight through: it is that of the rotated signs themselves', async () => {
    const rotation = { kernelRotation: { seed: 3 } };
    const chain = (rotated: boolean) => {
      const option = rotated ? rotation : {};
      const conv: QuantConv2dOptions = {
        name: 'conv',
        filters: 4,
        kernelSize: 3,
        padding: 'same',
        ...option,
      };
      const dense: QuantDenseOptions = { name: 'dense', units: 3, inputQuantizer: 'steSign', ...option };
      const layers: Layer[] = [quantConv2d(conv), batchNormalization(), flatten(), quantDense(dense)];
      return sequential(layers, { input: [6, 6, 2], name: 'chain' });
    };
    const values = initialValues(chain(true), 5);
    const used = new Map(values);
    for (const name of ['conv/kernel', 'dense/kernel']) {
      const latent = values.get(name);
      if (!(latent instanceof Float32Array)) throw new Error(`no ${name}`);
      const filters = name === 'conv/kernel' ? 4 : 3;
      const rotated = rowsOf(latent, filters).flatMap((w) =>
        reference.rotatedSigns(w, { seed: 3, rounds: 3 }),
      );
      used.set(name, Float32Array.from(rotated));
    }
    const x = noise(5 * 72, 2);
    const got = await gradientsOf(chain(true), values, x);
    const expected = await gradientsOf(chain(false), used, x);
    expect([...got.keys()].sort()).toEqual([...expected.keys()].sort());
    for (const [name, gradient] of expected) expectClose(got.get(name) ?? [], gradient, 1e-4, name);
    using network = await Network.create(gpu(), chain(true), { values });
    using plain = await Network.create(gpu(), chain(false), { values: used });
    expectClose(await network.predict(x), await plain.predict(x));
  });

  test('a network learns with a rotated first layer', async () => {
    const model = sequential(
      [
        flatten(),
        quantDense({ name: 'dense1', units: 32, kernelRotation: {} }),
        batchNormalization(),
        quantDense({ name: 'dense2', units: 4, kernelQuantizer: 'steSign', inputQuantizer: 'steSign' }),
        batchNormalization(),
      ],
      { input: [8, 8, 1], name: 'rotated' },
    );
    using trainer = await Trainer.create(gpu(), model, quadrants(800, 200), { batch: 50, epochs: 2 });
    const { epochs } = await trainer.fit();
    expect(epochs.at(-1)?.testAccuracy).toBeGreaterThan(0.9);
  });

  test('the rotation of a layer passes the gradient of its transpose', async () => {
    using scratch = new Scratch(gpu());
    const b = new ProgramBuilder(gpu(), 'rotate');
    const [x, g] = [noise(2 * 3 * 5, 4), noise(2 * 3 * 8, 5)];
    const forward = rotate({ seed: 6 }).forward(
      {
        ...{ builder: b, training: true, state: undefined, stream: 0, wantsInputGradient: [true] },
        parameter: () => {
          throw new Error('no parameters');
        },
      },
      [{ kind: 'real', tensor: scratch.tensor('x', [2, 3, 5], 'f32', x) }],
    );
    const y = b.keep(forward.output.tensor);
    const { inputs } = forward.backward(scratch.tensor('g', [2, 3, 8], 'f32', g));
    const gradient = inputs[0] && b.keep(inputs[0]);
    using program = await b.compile();
    program.run();
    const rotation = { seed: 6, rounds: 3 };
    expectClose(
      await gpu().readFloats(y),
      rowsOf(x, 6).flatMap((row) => reference.rotate(row, rotation)),
      2e-6,
    );
    expectClose(
      gradient === undefined ? [] : await gpu().readFloats(gradient),
      rowsOf(g, 6).flatMap((row) => reference.unrotate(row, 5, rotation)),
      2e-6,
    );
  });

  test('packed, the input is rotated once and the weights are signs: the same numbers, a bit a weight', async () => {
    const rotation = { seed: 11 };
    const source = sequential(
      [
        quantDense({ name: 'first', units: 33, kernelRotation: rotation, useBias: true }),
        batchNormalization({ name: 'norm' }),
        quantDense({ name: 'second', units: 5, inputQuantizer: 'steSign', kernelRotation: { rounds: 2 } }),
      ],
      { input: [100], name: 'packed' },
    );
    const values = trainedValues(source, 8);
    const { model, values: own, packed } = packRotations(source, values);
    expect(packed).toEqual(['first', 'second']);
    expect(model.layers.map(({ layer }) => layer.kind)).toEqual([
      ...['rotate', 'quantDense', 'batchNormalization', 'sign', 'rotate', 'quantDense'],
    ]);
    const x = noise(4 * 100, 3);
    using whole = await Network.create(gpu(), source, { values });
    using apart = await Network.create(gpu(), model, { values: own });
    const expected = await whole.predict(x);
    expectClose(await apart.predict(x), expected, 1e-4);
    const cpu = await CpuNetwork.create(model, own, { threads: 1 });
    expectClose(await cpu.predict(x), expected, 1e-4);
    cpu.dispose();

    // The first product by hand: s·(R x), with s = sign(R w).
    const kernel = values.get('first/kernel') as Float32Array;
    const bias = values.get('first/bias') as Float32Array;
    const options = { seed: 11, rounds: 3 };
    const rotated = reference.rotate(x.subarray(0, 100), options);
    const byHand = rowsOf(kernel, 33).map((w, unit) =>
      reference
        .rotate(w, options)
        .reduce((sum, v, i) => sum + (v < 0 ? -1 : 1) * (rotated[i] ?? 0), bias[unit] ?? 0),
    );
    const [first, second] = [source, model].map((network) =>
      sequential(
        network.layers.slice(0, network === source ? 1 : 2).map(({ layer }) => layer),
        { input: [100] },
      ),
    ) as [Model, Model];
    for (const [network, given] of [
      [first, values],
      [second, own],
    ] as const) {
      using run = await Network.create(gpu(), network, {
        values: new Map([...given].filter(([name]) => name.startsWith('first'))),
      });
      expectClose(await run.predict(x.slice(0, 100)), byHand, 1e-4);
    }

    // In a file, a bit a weight.
    const [large, small] = await Promise.all([
      saveModel('safetensors', source, values),
      saveModel('safetensors', model, own),
    ]);
    expect(large.length - small.length).toBeGreaterThan(4 * 33 * 100 - (33 * 128) / 8);
    const loaded = await loadModel(small);
    using again = await Network.create(gpu(), loaded.model, { values: loaded.values });
    expectSame(await again.predict(x), await apart.predict(x));
  });

  test('what makes no sense is refused', () => {
    const both = { units: 2, kernelQuantizer: 'steSign', kernelRotation: {} } as const;
    expect(() => quantDense(both)).toThrow(/rotated first/);
    expect(() => quantConv2d({ filters: 2, kernelSize: 1, kernelRotation: { rounds: 0 } })).toThrow(
      OptionError,
    );
    expect(() => quantDense({ units: 2, kernelRotation: { seed: -1 } })).toThrow(OptionError);
    expect(() => quantDense({ units: 2, kernelRotation: { seeed: 1 } as never })).toThrow(
      /did you mean seed/,
    );
    using scratch = new Scratch(gpu());
    const b = new ProgramBuilder(gpu(), 'refused');
    expect(() => unrotateFilters(b, { x: scratch.tensor('x', [2, 3], 'f32') })).toThrow(ShapeError);
    expect(() => unrotateFilters(b, { x: scratch.tensor('x', [2, 4], 'f32'), length: 5 })).toThrow(
      ShapeError,
    );
  });
});
