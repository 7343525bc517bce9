/** Layers whose weights and inputs have a scale for each group: a training pass against float64, files, and what is refused. */
import { describe, expect, test } from 'vitest';
import { floatTwin } from '../src/compare/network.ts';
import { CpuNetwork } from '../src/cpu/index.ts';
import { BnnError, OptionError, ShapeError } from '../src/errors.ts';
import { saveModel } from '../src/formats/index.ts';
import { decodeModel } from '../src/formats/model-file.ts';
import { saveTraining } from '../src/formats/save.ts';
import { ProgramBuilder, sizeOf } from '../src/gpu/index.ts';
import { foldForInference, Network, sequential } from '../src/graph/index.ts';
import {
  batchNormalization,
  flatten,
  type Layer,
  quantConv2d,
  quantDense,
  relu,
} from '../src/layers/index.ts';
import { QUANTIZERS, type QuantizerLike, statisticsOf } from '../src/methods/index.ts';
import { xnorNet } from '../src/methods/quantizers/xnor-net.ts';
import { normal } from '../src/numerics/random.ts';
import { type Conv2dOptions, resolveConv2d } from '../src/ops/conv.ts';
import { encodeTrainState, STATE_WORDS } from '../src/ops/data.ts';
import * as gradients from '../src/ops/gradients.ts';
import { rowGradient, statisticsFor } from '../src/ops/rows.ts';
import * as reference from '../src/reference/conv.ts';
import { Trainer, type TrainerOptions } from '../src/train/index.ts';
import { expectSameAfterTraining } from './helpers/after-training.ts';
import { quadrants } from './helpers/data.ts';
import { expectClose, expectSame, Scratch, useGpu } from './helpers/gpu.ts';

const gpu = useGpu();
const reals = (count: number, stream: number) =>
  Float32Array.from({ length: count }, (_, i) => 0.7 * normal(3, stream, i));

const kernelQuantizer = 'magnitudeAwareSign';

/** A layer, what it takes, and its product in float64: fully connected layers are convolutions of one pixel. */
interface Case {
  readonly layer: Layer;
  readonly input: readonly number[];
  readonly filters: readonly [number, number, number, number];
  readonly windows: Conv2dOptions;
  /** Weights that share a scale: all of a filter without the option. */
  readonly groupScale: number;
  readonly ofInput: OfInput;
}

/** What of the input is multiplied: its values without a quantizer. */
interface OfInput {
  readonly inputQuantizer?: QuantizerLike;
  readonly inputGroupScale?: number;
}

const denseOf = (groupScale?: number, ofInput: OfInput = {}): Case => ({
  layer: quantDense({
    ...{ name: 'g', units: 5, useBias: true, kernelQuantizer, ...ofInput },
    ...(groupScale !== undefined && { groupScale }),
  }),
  input: [96],
  filters: [5, 1, 1, 96],
  windows: {},
  groupScale: groupScale ?? 96,
  ofInput,
});

function convOf(
  groupScale: number | undefined,
  [height, width, channels]: readonly [number, number, number],
  windows: Conv2dOptions = {},
  ofInput: OfInput = {},
): Case {
  const kernelSize = [height, width] as const;
  const filters = [4, height, width, channels / (windows.groups ?? 1)] as const;
  return {
    layer: quantConv2d({
      ...{ name: 'g', filters: 4, kernelSize, useBias: true, kernelQuantizer },
      ...{ ...windows, ...ofInput },
      ...(groupScale !== undefined && { groupScale }),
    }),
    ...{ input: [4, 5, channels], filters, windows, ofInput },
    groupScale: groupScale ?? sizeOf(filters) / 4,
  };
}

const signs = { inputQuantizer: 'steSign' } as const;
/** HadaNets: α that passes no gradient, and α that does. */
const held = (inputGroupScale: number) =>
  ({ inputQuantizer: 'magnitudeAwareSign', inputGroupScale }) as const;
const through = (inputGroupScale: number) => ({ inputQuantizer: xnorNet(), inputGroupScale });

/** Products of packed bits where groups are multiples of 32 and rows are whole, of reals elsewhere. */
const CASES: Readonly<Record<string, Case>> = {
  'fully connected, packed groups': denseOf(32),
  'fully connected, small groups': denseOf(8),
  'fully connected, of signs': denseOf(32, signs),
  'a convolution': convOf(9, [3, 3, 2], { padding: 'same', strides: 2 }),
  'a convolution of signs, in groups of channels': convOf(
    6,
    [2, 3, 4],
    { groups: 2, dilations: 2, padding: 'same' },
    signs,
  ),
  'a convolution of pixels, packed groups': convOf(32, [1, 1, 64]),
  'groups of an input': denseOf(undefined, held(4)),
  'groups of weights and of an input': denseOf(32, through(16)),
  'groups of one': denseOf(8, held(1)),
  'a sample that is one group': denseOf(undefined, through(96)),
  'a convolution, groups of an input': convOf(undefined, [3, 3, 4], { padding: 'same', strides: 2 }, held(4)),
  'a convolution, groups of weights and of an input across pixels': convOf(
    6,
    [2, 3, 4],
    { groups: 2, dilations: 2, padding: 'same' },
    through(16),
  ),
};

/**
 * An input as it is multiplied, in float64.
 * @param options.of in place of the sign
 * @param options.at where scales are held, and signs are those that scales multiply; default: nothing is held
 */
function quantized(
  x: ArrayLike<number>,
  { inputQuantizer, inputGroupScale }: OfInput,
  { of, at = x }: { readonly of: (value: number) => number; readonly at?: ArrayLike<number> },
): Float64Array {
  if (inputQuantizer === undefined) return Float64Array.from(x);
  if (inputGroupScale === undefined) return Float64Array.from(x, of);
  const scales = (values: ArrayLike<number>) => {
    const result = new Float64Array(values.length);
    for (let first = 0; first < values.length; first += inputGroupScale) {
      let sum = 0;
      for (let i = 0; i < inputGroupScale; i++) sum += Math.abs(values[first + i] ?? 0);
      result.fill(sum / inputGroupScale, first, first + inputGroupScale);
    }
    return result;
  };
  const [kept, moved] = [scales(at), scales(x)];
  return Float64Array.from(x, (value, i) => {
    const sign = (at[i] ?? 0) < 0 ? -1 : 1;
    const change = typeof inputQuantizer === 'object' ? (moved[i] ?? 0) - (kept[i] ?? 0) : 0;
    return (kept[i] ?? 0) * of(value) + change * sign;
  });
}

describe.each(Object.entries(CASES))('%s', (_, one) => {
  const { layer, input, filters, windows, groupScale, ofInput } = one;
  const batch = 3;
  const image = input.length === 1 ? [1, 1, ...input] : input;

  /** The product and the bias in float64. */
  function product(x: ArrayLike<number>, w: ArrayLike<number>, bias: ArrayLike<number>): Float64Array {
    const sums = reference.conv2d(x, w, resolveConv2d([batch, ...image], filters, windows, 'test'));
    return Float64Array.from(sums, (sum, i) => sum + (bias[i % bias.length] ?? 0));
  }

  test('gives the products of float64, and the gradients of a smooth surrogate', async () => {
    const model = sequential([layer], { input });
    const weightCount = sizeOf(filters);
    const [x, kernel, bias] = [reals(batch * sizeOf(input), 1), reals(weightCount, 2), reals(filters[0], 3)];
    const scaleAt = Array.from(
      { length: weightCount / groupScale },
      (_, i) => statisticsOf(kernel.subarray(i * groupScale, (i + 1) * groupScale)).meanMagnitude,
    );
    const scaled = (of: (w: number) => number, w: ArrayLike<number>) =>
      Float64Array.from(w, (value, i) => (scaleAt[Math.floor(i / groupScale)] ?? 0) * of(value));
    const signOf = (value: number) => (value < 0 ? -1 : 1);
    const weights = scaled(signOf, kernel);
    const multiplied = quantized(x, ofInput, { of: signOf });
    const expected = product(multiplied, weights, bias);
    const g = reals(expected.length, 4);

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
    // The gradient of an input is one that nobody asks of a network: the layer is asked itself.
    const parameter = (name: string) => {
      const found = network.parameters.get(`g/${name}`);
      if (found === undefined) throw new Error(name);
      return found;
    };
    const { output, backward } = layer.forward(
      { builder: b, parameter, wantsInputGradient: [true], gradients, training: true, state } as never,
      [{ kind: 'real', tensor: scratch.tensor('x', [batch, ...input], 'f32', x) }],
    );
    const { inputs: gradInputs, parameters = {} } = backward?.(
      scratch.tensor('g', output.tensor.shape, 'f32', g),
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

    expectClose(y ?? [], expected, 1e-5, 'output');
    /** Σ g·y with clip(w) in place of sign(w), and of x where signs of it are multiplied; scales are held, unless they pass gradients. */
    const clip = (value: number) => Math.max(-1, Math.min(1, value));
    const loss = (ofX: ArrayLike<number>, w: ArrayLike<number>, ofBias: ArrayLike<number>) =>
      product(ofX, w, ofBias).reduce((sum, value, i) => sum + value * (g[i] ?? 0), 0);
    const differences = (at: ArrayLike<number>, of: (moved: Float64Array) => number) =>
      Float64Array.from(at, (value, i) => {
        const [up, down] = [Float64Array.from(at), Float64Array.from(at)];
        up[i] = value + 1e-6;
        down[i] = value - 1e-6;
        return (of(up) - of(down)) / 2e-6;
      });
    expectClose(
      gradX ?? [],
      differences(x, (moved) => loss(quantized(moved, ofInput, { of: clip, at: x }), weights, bias)),
      1e-4,
      'of the input',
    );
    expectClose(
      gradBias ?? [],
      differences(bias, (moved) => loss(multiplied, weights, moved)),
      1e-4,
      'of the bias',
    );
    expectClose(
      gradKernel ?? [],
      differences(kernel, (moved) => loss(multiplied, scaled(clip, moved), bias)),
      1e-4,
      'of the latent weights',
    );
    expectClose(await gpu().readFloats(parameter('kernelScale').value), scaleAt, 1e-6, 'scales');
  });
});

describe('groupScale', () => {
  test('trains, goes on from a checkpoint to the same bits, is saved, loaded, and kept by folding', async () => {
    const model = sequential(
      [
        quantConv2d({
          name: 'first',
          filters: 32,
          kernelSize: 4,
          strides: 4,
          kernelQuantizer,
          groupScale: 8,
        }),
        batchNormalization(),
        relu(),
        quantConv2d({ name: 'pixels', filters: 16, kernelSize: 1, kernelQuantizer, groupScale: 32 }),
        batchNormalization(),
        flatten(),
        quantDense({ name: 'last', units: 8, inputQuantizer: 'steSign', kernelQuantizer, groupScale: 16 }),
        batchNormalization(),
        quantDense({ name: 'input', units: 4, kernelQuantizer, ...held(4) }),
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
    const kept = folded.model.layers.filter(({ layer }) => layer.config.groupScale !== undefined);
    expect(kept).toHaveLength(3);
    expect(folded.model.layers.some(({ layer }) => layer.config.inputGroupScale === 4)).toBe(true);
    using run = await Network.create(gpu(), folded.model, { values: folded.values, forInference: true });
    expectClose(await run.predict(samples), expected, 1e-4, 'folded');
  });
});

describe('groupScale is refused', () => {
  const dense = (groupScale: number, options = {}) =>
    sequential([quantDense({ units: 2, kernelQuantizer, groupScale, ...options })], { input: [64] });

  test('where groups do not divide a filter', () => {
    expect(() => dense(48)).toThrow(ShapeError);
    const convolution = { filters: 2, kernelSize: 3, kernelQuantizer, groupScale: 32 } as const;
    expect(() => sequential([quantConv2d(convolution)], { input: [8, 8, 3] })).toThrow(ShapeError);
    for (const groupScale of [0, 1.5, -32]) expect(() => dense(groupScale)).toThrow(OptionError);
  });

  test('with a quantizer without a scale, with offsets or planes, and without one', () => {
    for (const other of ['steSign', 'adaBin', 'doReFa', undefined]) {
      expect(() => dense(32, { kernelQuantizer: other })).toThrow(OptionError);
    }
    expect(() => dense(32, { kernelQuantizer: undefined, kernelRotation: {} })).toThrow(OptionError);
  });

  test('of an input: without a quantizer that gives signs times one scale, and where groups do not divide a sample', async () => {
    const ofInput = (options: object, input: readonly number[] = [64]) =>
      sequential([quantDense({ units: 2, kernelQuantizer, ...options })], { input });
    for (const inputQuantizer of ['steSign', 'adaBinInput', 'doReFa', undefined] as const) {
      expect(() => ofInput({ inputQuantizer, inputGroupScale: 8 })).toThrow(OptionError);
    }
    for (const inputGroupScale of [0, 1.5, -32]) {
      expect(() => ofInput(held(inputGroupScale))).toThrow(OptionError);
    }
    expect(() => ofInput(held(48))).toThrow(/inputGroupScale that divides 64/);
    const convolution = { filters: 2, kernelSize: 3, kernelQuantizer } as const;
    expect(() => quantConv2d({ ...convolution, ...held(8), padValue: 1 })).toThrow(OptionError);
    expect(() => quantConv2d({ ...convolution, ...held(8), inputIntegers: 'uint8' })).toThrow(OptionError);
    expect(() => sequential([quantConv2d({ ...convolution, ...held(8) })], { input: [5, 5, 3] })).toThrow(
      ShapeError,
    );
    // Formats and the WebAssembly engine have no values of this kind.
    const model = ofInput(held(8));
    using network = await Network.create(gpu(), model);
    const values = await network.packedValues();
    for (const format of ['tflite', 'onnx'] as const) {
      await expect(saveModel(format, model, values)).rejects.toThrow(/magnitudeAwareSign, of an input/);
    }
    await expect(CpuNetwork.create(model, values, { threads: 1 })).rejects.toThrow(
      /magnitudeAwareSign, of an input/,
    );
  });

  test('by no float twin, which has neither', async () => {
    const twin = await floatTwin(dense(32, through(4)));
    expect(twin.layers.map(({ layer }) => layer.kind)).toEqual(['relu', 'quantDense']);
  });

  test('by TensorFlow Lite, which has no such scales', async () => {
    for (const inputQuantizer of [undefined, 'steSign']) {
      const model = dense(32, { ...(inputQuantizer && { inputQuantizer }) });
      using network = await Network.create(gpu(), model);
      const values = await network.packedValues();
      await expect(saveModel('tflite', model, values)).rejects.toThrow(BnnError);
    }
  });
});
