/** Layers whose weights have a scale for each group: a training pass against float64, files, and what is refused. */
import { describe, expect, test } from 'vitest';
import { BnnError, OptionError, ShapeError } from '../src/errors.ts';
import { saveModel } from '../src/formats/index.ts';
import { decodeModel } from '../src/formats/model-file.ts';
import { saveTraining } from '../src/formats/save.ts';
import { ProgramBuilder } from '../src/gpu/index.ts';
import { foldForInference, Network, sequential } from '../src/graph/index.ts';
import { batchNormalization, flatten, groupedDense, relu } from '../src/layers/index.ts';
import { QUANTIZERS, statisticsOf } from '../src/methods/index.ts';
import { normal } from '../src/numerics/random.ts';
import { encodeTrainState, STATE_WORDS } from '../src/ops/data.ts';
import * as gradients from '../src/ops/gradients.ts';
import { rowGradient, statisticsFor } from '../src/ops/rows.ts';
import { Trainer, type TrainerOptions } from '../src/train/index.ts';
import { expectSameAfterTraining } from './helpers/after-training.ts';
import { quadrants } from './helpers/data.ts';
import { expectClose, expectSame, Scratch, useGpu } from './helpers/gpu.ts';

const gpu = useGpu();
const reals = (count: number, stream: number) =>
  Float32Array.from({ length: count }, (_, i) => 0.7 * normal(3, stream, i));

/** y = x · wᵀ + b in float64. */
function product(x: ArrayLike<number>, w: ArrayLike<number>, bias: ArrayLike<number>, inputs: number) {
  const units = bias.length;
  return Float64Array.from({ length: (x.length / inputs) * units }, (_, index) => {
    const [row, unit] = [Math.floor(index / units), index % units];
    let sum = bias[unit] ?? 0;
    for (let i = 0; i < inputs; i++) sum += (x[row * inputs + i] ?? 0) * (w[unit * inputs + i] ?? 0);
    return sum;
  });
}

describe.each([32, 8])('groupedDense with groups of %d', (groupScale) => {
  const [batch, inputs, units] = [3, 96, 5];

  test('gives the products of float64, and the gradients of a smooth surrogate', async () => {
    const model = sequential([groupedDense({ name: 'g', units, groupScale, useBias: true })], {
      input: [inputs],
    });
    const [x, kernel, bias, g] = [
      reals(batch * inputs, 1),
      reals(units * inputs, 2),
      reals(units, 3),
      reals(batch * units, 4),
    ];
    const scaleAt = Array.from(
      { length: kernel.length / groupScale },
      (_, i) => statisticsOf(kernel.subarray(i * groupScale, (i + 1) * groupScale)).meanMagnitude,
    );
    const scaled = (of: (w: number) => number, w: ArrayLike<number>) =>
      Float64Array.from(w, (value, i) => (scaleAt[Math.floor(i / groupScale)] ?? 0) * of(value));
    const weights = scaled((w) => (w < 0 ? -1 : 1), kernel);

    using scratch = new Scratch(gpu());
    const values = new Map([
      ['g/kernel', kernel],
      // It follows the kernel.
      ['g/kernelScale', new Float32Array(scaleAt.length)],
      ['g/bias', bias],
    ]);
    using network = await Network.create(gpu(), model, { values });
    const b = new ProgramBuilder(gpu(), 'pass');
    const state = scratch.tensor('state', [STATE_WORDS], 'u32', encodeTrainState({ seed: 1 }));
    const input = scratch.tensor('x', [batch, inputs], 'f32', x);
    // The gradient of an input is one that nobody asks of a network: the layer is asked itself.
    const [{ layer }] = model.layers as unknown as [{ layer: ReturnType<typeof groupedDense> }];
    const parameter = (name: string) => {
      const found = network.parameters.get(`g/${name}`);
      if (found === undefined) throw new Error(name);
      return found;
    };
    const { output, backward } = layer.forward(
      { builder: b, parameter, wantsInputGradient: [true], gradients, training: true, state } as never,
      [{ kind: 'real', tensor: input }],
    );
    const { inputs: gradInputs, parameters = {} } = backward?.(
      scratch.tensor('g', [batch, units], 'f32', g),
    ) ?? { inputs: [] };
    const quantizer = QUANTIZERS.magnitudeAwareSign();
    const latent = parameter('kernel').value;
    const passed = rowGradient(b, parameters.kernel as never, {
      ...{ x: latent, rule: quantizer.row, passing: quantizer.passing },
      statistics: statisticsFor(b, latent, quantizer.row),
    });
    const kept = [output.tensor, gradInputs[0], passed, parameters.bias].map((tensor) =>
      b.keep(tensor as never),
    );
    using program = await b.compile();
    await gpu().scoped('pass', () => program.run());
    const [y, gradX, gradKernel, gradBias] = await Promise.all(
      kept.map((tensor) => gpu().readFloats(tensor)),
    );

    expectClose(y ?? [], product(x, weights, bias, inputs), 1e-5, 'output');
    /** Σ g·y with clip(w) in place of sign(w), scales held. */
    const clip = (w: number) => Math.max(-1, Math.min(1, w));
    const loss = (ofX: ArrayLike<number>, w: ArrayLike<number>, ofBias: ArrayLike<number>) =>
      product(ofX, w, ofBias, inputs).reduce((sum, value, i) => sum + value * (g[i] ?? 0), 0);
    const differences = (at: ArrayLike<number>, of: (moved: Float64Array) => number) =>
      Float64Array.from(at, (value, i) => {
        const [up, down] = [Float64Array.from(at), Float64Array.from(at)];
        up[i] = value + 1e-6;
        down[i] = value - 1e-6;
        return (of(up) - of(down)) / 2e-6;
      });
    expectClose(
      gradX ?? [],
      differences(x, (moved) => loss(moved, weights, bias)),
      1e-4,
      'of the input',
    );
    expectClose(
      gradBias ?? [],
      differences(bias, (moved) => loss(x, weights, moved)),
      1e-4,
      'of the bias',
    );
    expectClose(
      gradKernel ?? [],
      differences(kernel, (moved) => loss(x, scaled(clip, moved), bias)),
      1e-4,
      'of the latent weights',
    );
    expectClose(await gpu().readFloats(parameter('kernelScale').value), scaleAt, 1e-6, 'scales');
  });
});

describe('groupedDense', () => {
  test('trains, goes on from a checkpoint to the same bits, is saved, loaded, and kept by folding', async () => {
    const model = sequential(
      [
        flatten(),
        groupedDense({ name: 'first', units: 32, groupScale: 32 }),
        batchNormalization(),
        relu(),
        groupedDense({ name: 'last', units: 4, groupScale: 8 }),
        batchNormalization(),
      ],
      { input: [8, 8, 1], name: 'grouped' },
    );
    const data = quadrants(300, 100);
    const options: TrainerOptions = { batch: 50, epochs: 3, seed: 4 };
    using whole = await Trainer.create(gpu(), model, data, options);
    const { epochs } = await whole.fit();
    expect(epochs.at(-1)?.testAccuracy).toBeGreaterThan(0.6);
    const samples = Float32Array.from({ length: 64 * 5 }, (_, i) => Math.sin(i * 3.7));
    const { expected } = await expectSameAfterTraining(whole, data, options, 8, samples);
    const bytes = (await saveTraining(whole, 'safetensors')) as Uint8Array;
    const { model: read, values } = decodeModel(bytes);
    using loaded = await Network.create(gpu(), read, { values, forInference: true });
    expectSame(await loaded.predict(samples), expected, 'file');
    const folded = foldForInference(read, values, { reals: true });
    expect(folded.model.layers.map(({ layer }) => layer.kind)).toContain('groupedDense');
    using run = await Network.create(gpu(), folded.model, { values: folded.values, forInference: true });
    expectClose(await run.predict(samples), expected, 1e-4, 'folded');
  });
});

describe('groupedDense refuses', () => {
  const build = (groupScale: number, options = {}) =>
    sequential([groupedDense({ units: 2, groupScale, ...options })], { input: [64] });

  test('groups that do not divide the inputs, and quantizers without a scale, with offsets or with planes', () => {
    expect(() => build(48)).toThrow(ShapeError);
    for (const groupScale of [0, 1.5, -32]) expect(() => build(groupScale)).toThrow(OptionError);
    for (const kernelQuantizer of ['steSign', 'adaBin', 'doReFa']) {
      expect(() => build(32, { kernelQuantizer })).toThrow(OptionError);
    }
    expect(() => sequential([groupedDense({ units: 2, groupScale: 32 })], { input: [8, 8] })).toThrow(
      ShapeError,
    );
  });

  test('to be written to TensorFlow Lite, which has no such scales', async () => {
    const model = build(32);
    using network = await Network.create(gpu(), model);
    const values = await network.packedValues();
    await expect(saveModel('tflite', model, values)).rejects.toThrow(BnnError);
  });
});
