/** Layers whose weights are signs of a product of two learned matrices: the product, gradients, and a network that learns with them and folds. */
import { describe, expect, test } from 'vitest';
import { floatTwin } from '../src/compare/network.ts';
import { CpuNetwork } from '../src/cpu/index.ts';
import { OptionError } from '../src/errors.ts';
import { decodeModel } from '../src/formats/model-file.ts';
import { saveTraining } from '../src/formats/save.ts';
import { ProgramBuilder, sizeOf } from '../src/gpu/index.ts';
import { foldForInference, initialValues, Network, sequential } from '../src/graph/index.ts';
import {
  batchNormalization,
  flatten,
  type Layer,
  quantConv2d,
  quantDense,
  quantProxyConv2d,
  quantProxyDense,
} from '../src/layers/index.ts';
import { uniform01 } from '../src/numerics/random.ts';
import { type Conv2dOptions, resolveConv2d } from '../src/ops/conv.ts';
import { encodeTrainState, STATE_WORDS } from '../src/ops/data.ts';
import * as gradients from '../src/ops/gradients.ts';
import * as reference from '../src/reference/conv.ts';
import { Trainer, type TrainerOptions } from '../src/train/index.ts';
import { expectSameAfterTraining } from './helpers/after-training.ts';
import { quadrants } from './helpers/data.ts';
import { expectClose, expectSame, Scratch, useGpu } from './helpers/gpu.ts';

const gpu = useGpu();
const SIGNS = { inputQuantizer: 'steSign', kernelQuantizer: 'steSign' } as const;
/** Eighths, whose products add up exactly. */
const draw = (count: number, seed: number) =>
  Float32Array.from({ length: count }, (_, i) => Math.round(16 * uniform01(seed, 7, i) - 8) / 8);
const signOf = (value: number) => (value < 0 ? -1 : 1);
const clip = (value: number) => Math.max(-1, Math.min(1, value));

/** C·B in float64. */
function productOf(c: ArrayLike<number>, b: ArrayLike<number>, width: number): Float64Array {
  return Float64Array.from(c, (_, at) => {
    let sum = 0;
    for (let i = 0; i < width; i++) {
      sum += (c[at - (at % width) + i] ?? 0) * (b[i * width + (at % width)] ?? 0);
    }
    return sum;
  });
}

/** A layer, the same without a basis, what they take and their filters: fully connected layers are convolutions of one pixel. */
interface Case {
  readonly layer: Layer;
  readonly plain: Layer;
  readonly input: readonly number[];
  readonly filters: readonly number[];
  readonly windows: Conv2dOptions;
}

type Quantizers = Partial<typeof SIGNS>;

const denseOf = (units: number, features: number, quantizers: Quantizers = SIGNS): Case => ({
  layer: quantProxyDense({ name: 'p', units, ...quantizers }),
  plain: quantDense({ name: 'p', units, ...quantizers }),
  input: [features],
  filters: [units, 1, 1, features],
  windows: {},
});

function convOf(kernelSize: readonly [number, number], channels: number, windows: Conv2dOptions = {}): Case {
  const options = { name: 'p', filters: 4, kernelSize, ...windows, ...SIGNS };
  return {
    layer: quantProxyConv2d(options),
    plain: quantConv2d(options),
    input: [5, 4, channels],
    filters: [4, ...kernelSize, channels / (windows.groups ?? 1)],
    windows,
  };
}

const CASES: Readonly<Record<string, Case>> = {
  'one weight': denseOf(1, 1),
  'fully connected': denseOf(5, 40),
  'fully connected, of reals': denseOf(5, 33, { kernelQuantizer: 'steSign' }),
  'a convolution': convOf([3, 3], 7, { padding: 'same', strides: 2 }),
  'a convolution in groups of channels': convOf([2, 3], 4, { groups: 2, dilations: 2, padding: 'same' }),
};

describe.each(Object.entries(CASES))('%s', (_, { layer, plain, input, filters, windows }) => {
  const batch = 2;
  const image = input.length === 1 ? [1, 1, ...input] : input;
  const width = filters.at(-1) ?? 1;
  const isSigns = layer.config.inputQuantizer !== undefined;
  const [x, kernel, basis] = [
    draw(batch * sizeOf(input), 1),
    draw(sizeOf(filters), 2),
    draw(width * width, 3),
  ];
  const product = (of: ArrayLike<number>, w: ArrayLike<number>) =>
    reference.conv2d(of, w, resolveConv2d([batch, ...image], filters, windows, 'test'));

  test('begins as the plain layer, and multiplies with the signs of the product, as what it folds to', async () => {
    const model = sequential([layer], { input });
    const begun = initialValues(model, 3);
    using first = await Network.create(gpu(), model, { values: begun });
    using same = await Network.create(gpu(), sequential([plain], { input }), {
      values: new Map([['p/kernel', begun.get('p/kernel') as Float32Array]]),
    });
    expectSame(await first.predict(x), await same.predict(x), 'at first');

    const values = new Map([
      ['p/kernel', kernel],
      ['p/basis', basis],
    ]);
    const weights = productOf(kernel, basis, width).map(signOf);
    const expected = product(isSigns ? x.map(signOf) : x, weights);
    using network = await Network.create(gpu(), model, { values });
    const got = await network.predict(x);
    expectClose(got, expected, 1e-5);
    const folded = foldForInference(model, values);
    expect(folded.model.layers.map((own) => own.layer.kind)).not.toContain(layer.kind);
    using compiled = await Network.create(gpu(), folded.model, { values: folded.values });
    expectClose(await compiled.predict(x), expected, 1e-5, 'folded');
    const cpu = await CpuNetwork.create(model, values, { threads: 1 });
    expectClose(await cpu.predict(x), expected, 1e-5, 'WebAssembly');
    cpu.dispose();
  });

  test('has the gradients of a smooth surrogate', async () => {
    // Smaller, so that some weights are within the window and some are not.
    const [c, b] = [kernel.map((value) => value / 4), basis];
    using scratch = new Scratch(gpu());
    using network = await Network.create(gpu(), sequential([layer], { input }), {
      values: new Map([
        ['p/kernel', c],
        ['p/basis', b],
      ]),
    });
    const builder = new ProgramBuilder(gpu(), 'pass');
    const state = scratch.tensor('state', [STATE_WORDS], 'u32', encodeTrainState({ seed: 1 }));
    const { output, backward } = layer.forward(
      {
        ...{ builder, wantsInputGradient: [true], gradients, training: true, state },
        parameter: (name: string) => network.parameters.get(`p/${name}`),
      } as never,
      [{ kind: 'real', tensor: scratch.tensor('x', [batch, ...input], 'f32', x) }],
    );
    const g = draw(output.tensor.size, 4);
    const { inputs, parameters = {} } = backward(scratch.tensor('g', output.tensor.shape, 'f32', g));
    const kept = [inputs[0], parameters.kernel, parameters.basis].map((tensor) =>
      builder.keep(tensor as never),
    );
    using program = await builder.compile();
    await gpu().scoped('pass', () => program.run());
    const [ofX, ofC, ofB] = await Promise.all(kept.map((tensor) => gpu().readFloats(tensor)));
    const weights = productOf(c, b, width);
    const multiplied = isSigns ? x.map(signOf) : x;
    const differences = (at: ArrayLike<number>, of: (moved: Float64Array) => ArrayLike<number>) =>
      Float64Array.from(at, (value, i) => {
        const [up, down] = [Float64Array.from(at), Float64Array.from(at)];
        up[i] = value + 1e-6;
        down[i] = value - 1e-6;
        const [above, below] = [of(up), of(down)];
        return g.reduce((sum, own, j) => sum + own * ((above[j] ?? 0) - (below[j] ?? 0)), 0) / 2e-6;
      });
    /** Ends of the window count as within it, where differences see half. */
    const inside = (value: number) => clip(0.999 * value) / 0.999;
    expectClose(
      ofX ?? [],
      differences(x, (moved) => product(isSigns ? moved.map(inside) : moved, weights.map(signOf))),
      1e-4,
      'of the input',
    );
    expectClose(
      ofC ?? [],
      differences(c, (moved) => product(multiplied, productOf(moved, b, width).map(inside))),
      1e-4,
      'of the coefficients',
    );
    expectClose(
      ofB ?? [],
      differences(b, (moved) => product(multiplied, productOf(c, moved, width).map(inside))),
      1e-4,
      'of the basis',
    );
  });
});

test('a network learns with them, goes on from a checkpoint, is saved and loaded, and folds to the same bits', async () => {
  const model = sequential(
    [
      quantConv2d({ name: 'first', filters: 16, kernelSize: 3, strides: 2, kernelQuantizer: 'steSign' }),
      batchNormalization(),
      quantProxyConv2d({ name: 'second', filters: 8, kernelSize: 2, ...SIGNS }),
      batchNormalization({ name: 'norm' }),
      flatten(),
      quantProxyDense({ name: 'scores', units: 4, ...SIGNS }),
      batchNormalization(),
    ],
    { input: [8, 8, 1], name: 'proxies' },
  );
  const data = quadrants(300, 100);
  const options: TrainerOptions = { batch: 50, epochs: 3, seed: 4 };
  using whole = await Trainer.create(gpu(), model, data, options);
  const { epochs } = await whole.fit();
  expect(epochs.at(-1)?.testAccuracy).toBeGreaterThan(0.7);
  const learned = await whole.network.values();
  const width = 32;
  expect(
    (learned.get('scores/basis') as Float32Array).filter((_, at) => at % (width + 1) > 0).some(Math.abs),
  ).toBe(true);
  const samples = Float32Array.from({ length: 64 * 5 }, (_, i) => Math.sin(i * 3.7));
  const { expected } = await expectSameAfterTraining(whole, data, options, 8, samples);
  const { model: read, values } = decodeModel((await saveTraining(whole, 'safetensors')) as Uint8Array);
  using loaded = await Network.create(gpu(), read, { values, forInference: true });
  expectSame(await loaded.predict(samples), expected, 'file');
  const folded = foldForInference(read, values);
  expect(folded.folded).toContain('norm');
  using run = await Network.create(gpu(), folded.model, { values: folded.values, forInference: true });
  expectSame(await run.predict(samples), expected, 'folded');
});

test('what makes no sense is refused, and a float twin multiplies with the product', async () => {
  expect(() => quantProxyDense({ units: 0 })).toThrow(OptionError);
  for (const kernelQuantizer of ['magnitudeAwareSign', 'adaBin', 'siMan'] as const) {
    expect(() => quantProxyDense({ units: 4, kernelQuantizer })).toThrow(/signs alone/);
  }
  expect(() => quantProxyDense({ units: 4, groupScale: 4 } as never)).toThrow(/groupScale/);
  const input = [6];
  const twin = await floatTwin(sequential([quantProxyDense({ name: 'p', units: 3, ...SIGNS })], { input }));
  const [c, b, x] = [draw(18, 1), draw(36, 2), draw(6, 3)];
  using network = await Network.create(gpu(), twin, {
    values: new Map([
      ['p/kernel', c],
      ['p/basis', b],
    ]),
  });
  const windows = resolveConv2d([1, 1, 1, 6], [3, 1, 1, 6], {}, 'test');
  expectClose(
    await network.predict(x),
    reference.conv2d(
      x.map((value) => Math.max(0, value)),
      productOf(c, b, 6),
      windows,
    ),
    1e-5,
  );
});
