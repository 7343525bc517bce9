/** Passes over what a training step records: fewer dispatches, less memory, and the same bits as without them. */
import { describe, expect, test } from 'vitest';
import {
  defineKernel,
  linearWorkgroups,
  type MemoryPlan,
  ProgramBuilder,
  sizeOf,
  type Tensor,
} from '../src/gpu/index.ts';
import {
  apply,
  foldForInference,
  initialValues,
  input,
  type Model,
  model,
  Network,
  recordForward,
  sequential,
} from '../src/graph/index.ts';
import {
  add,
  batchNormalization,
  flatten,
  type Layer,
  maxPool2d,
  quantConv2d,
  quantDense,
  relu,
} from '../src/layers/index.ts';
import { uniform01 } from '../src/numerics/random.ts';
import { encodeTrainState, STATE_WORDS } from '../src/ops/data.ts';
import { TRAINING_PASSES } from '../src/ops/passes/index.ts';
import { expectSame, Scratch, useGpu } from './helpers/gpu.ts';

const gpu = useGpu();
const binary = { inputQuantizer: 'steSign', kernelQuantizer: 'steSign' } as const;
const BATCH = 4;

interface Step {
  readonly kernels: readonly string[];
  readonly plan: MemoryPlan;
  readonly gradients: ReadonlyMap<string, number[]>;
}

/** A pass forth and back, with the passes or without them. */
async function step(source: Model, hasPasses: boolean): Promise<Step> {
  using scratch = new Scratch(gpu());
  using network = await Network.create(gpu(), source, { seed: 2 });
  const b = new ProgramBuilder(gpu(), 'step');
  if (!hasPasses) b.rewrite = () => undefined;
  const draw = (shape: readonly number[], seed: number) =>
    Float32Array.from({ length: sizeOf(shape) }, (_, i) => 2 * uniform01(seed, 3, i) - 1);
  const [inputs, outputs] = [
    [BATCH, ...source.inputShape],
    [BATCH, ...source.outputShape],
  ];
  const state = scratch.tensor('state', [STATE_WORDS], 'u32', encodeTrainState({}));
  const x = scratch.tensor('x', inputs, 'f32', draw(inputs, 1));
  const pass = recordForward(b, source, network.parameters, x, { training: true, state });
  const kept = new Map<string, Tensor>([['output', b.keep(pass.output.tensor)]]);
  pass.backward(scratch.tensor('g', outputs, 'f32', draw(outputs, 2)), ({ name }, gradient) => {
    kept.set(name, b.keep(gradient));
  });
  using program = await b.compile();
  program.run();
  const gradients = new Map<string, number[]>();
  for (const [name, tensor] of kept) gradients.set(name, [...(await gpu().readFloats(tensor))]);
  return { kernels: program.kernels, plan: program.plan, gradients };
}

/** Both ways, found to give the same bits. */
async function both(source: Model): Promise<{ with: Step; without: Step }> {
  const [made, plain] = [await step(source, true), await step(source, false)];
  expect(made.gradients).toEqual(plain.gradients);
  expect(plain.gradients.size).toBeGreaterThan(2);
  return { with: made, without: plain };
}

const count = ({ kernels }: Step, kernel: RegExp) => kernels.filter((name) => kernel.test(name)).length;
const convolution = (filters = 8): Layer =>
  quantConv2d({ filters, kernelSize: 3, padding: 'same', ...binary });
/** A first layer of reals, a product of signs with what follows it, and scores. */
const between = (...layers: readonly Layer[]) =>
  sequential(
    [
      quantConv2d({ filters: 8, kernelSize: 3, kernelQuantizer: 'steSign' }),
      batchNormalization(),
      ...layers,
      flatten(),
      quantDense({ units: 3, ...binary }),
    ],
    { input: [10, 10, 3] },
  );

describe('values that are only binarized', () => {
  test('are not written: their signs are, also behind flatten', async () => {
    const made = await both(between(convolution(32), batchNormalization()));
    expect([count(made.without, /norm\/apply/), count(made.without, /binarize/)]).toEqual([2, 2]);
    expect([count(made.with, /norm\/apply/), count(made.with, /norm\/signs/)]).toEqual([0, 2]);
  });

  test('are written where their channels do not fill words behind flatten, or another layer reads them', async () => {
    const odd = await both(between(convolution(8), batchNormalization()));
    expect([count(odd.with, /norm\/apply/), count(odd.with, /norm\/signs/)]).toEqual([1, 1]);
    const shared = await both(between(convolution(32), batchNormalization(), relu()));
    expect(count(shared.with, /norm\/apply/)).toBe(1);
  });

  test('are written where they are kept', async () => {
    using scratch = new Scratch(gpu());
    const source = between(convolution(32), batchNormalization());
    using network = await Network.create(gpu(), source, { seed: 2 });
    const b = new ProgramBuilder(gpu(), 'kept');
    const state = scratch.tensor('state', [STATE_WORDS], 'u32', encodeTrainState({}));
    const x = scratch.tensor('x', [BATCH, 10, 10, 3], 'f32');
    const pass = recordForward(b, source, network.parameters, x, { training: true, state });
    const kernels = () => b.plan().tensors.filter(({ label }) => label.endsWith('normalised')).length;
    expect(kernels()).toBe(0);
    const [, norm] = pass.activations;
    if (norm !== undefined) b.keep(norm.tensor);
    expect(kernels()).toBe(1);
  });
});

describe('products of signs', () => {
  test('are made anew on the way back, and not kept', async () => {
    const made = await both(
      between(convolution(), batchNormalization(), convolution(), batchNormalization()),
    );
    expect(count(made.without, /binary_forward/)).toBe(2);
    expect(count(made.with, /binary_forward/)).toBe(4);
    const keptBytes = ({ plan }: Step) =>
      plan.tensors.reduce((sum, { byteLength, label }, i) => {
        const { first = 0, last = 0 } = plan.lifetimes[i] ?? {};
        return /binaryConv2d/.test(label) && first < plan.turn && last >= plan.turn ? sum + byteLength : sum;
      }, 0);
    expect(keptBytes(made.with)).toBe(0);
    expect(keptBytes(made.without)).toBe(2 * 4 * BATCH * 8 * 8 * 8);
  });

  test('with what is pooled of them, where windows overlap', async () => {
    const layers = [convolution(), maxPool2d({ poolSize: 3, strides: 2 }), batchNormalization()];
    const made = await both(between(...layers));
    expect([count(made.without, /pool\/max$/), count(made.with, /pool\/max$/)]).toEqual([1, 2]);
    expect(count(made.with, /binary_forward/)).toBe(2);
  });

  test('are kept where something is added to them, or their operands change meanwhile', async () => {
    const biased = quantConv2d({ filters: 8, kernelSize: 3, useBias: true, ...binary });
    expect(count((await both(between(biased, batchNormalization()))).with, /binary_forward/)).toBe(1);
  });
});

describe('scales of filters', () => {
  const scaled = (kernelQuantizer: 'magnitudeAwareSign' | 'adaBin', filters = 8) =>
    quantConv2d({ filters, kernelSize: 3, padding: 'same', inputQuantizer: 'steSign', kernelQuantizer });

  test('are multiplied with in the kernel of the product', async () => {
    const made = await both(between(scaled('magnitudeAwareSign'), batchNormalization()));
    expect([count(made.without, /conv\/binary_forward/), count(made.without, /fused_real/)]).toEqual([1, 0]);
    expect([count(made.with, /conv\/binary_forward/), count(made.with, /fused_real/)]).toEqual([0, 1]);
    expect(count(made.with, /rows\/columns/)).toBe(count(made.without, /rows\/columns/) - 1);
  });

  test('stay apart with offsets, and where no such kernel takes the windows', async () => {
    for (const layer of [scaled('adaBin'), scaled('magnitudeAwareSign', 7)]) {
      const made = await both(between(layer, batchNormalization()));
      expect(count(made.with, /fused_real/)).toBe(0);
    }
  });
});

describe('gradients through pooling', () => {
  const pool = () => maxPool2d({ poolSize: 2 });

  test('are made in one kernel where windows lie side by side', async () => {
    const made = await both(between(convolution(), pool(), batchNormalization()));
    expect(count(made.without, /max_grad/)).toBe(1);
    expect([count(made.with, /max_grad/), count(made.with, /pooled/)]).toEqual([0, 2]);
    expect(count(made.with, /pool\/max$/)).toBe(1);
  });

  test('are added up first where another layer reads what was pooled', async () => {
    const x = input([10, 10, 3]);
    const first = apply(quantConv2d({ filters: 8, kernelSize: 3, kernelQuantizer: 'steSign' }), x);
    const pooled = apply(pool(), first);
    const sum = apply(add(), apply(batchNormalization(), pooled), apply(relu(), pooled));
    const scores = apply(quantDense({ units: 3, ...binary }), apply(flatten(), sum));
    const made = await both(model({ input: x, output: scores }));
    expect([count(made.with, /max_grad/), count(made.with, /grad_apply_pooled/)]).toEqual([1, 0]);
    expect(count(made.with, /grad_sums_pooled/)).toBe(1);
  });
});

describe('what depends on parameters alone', () => {
  const trained = between(convolution(32), batchNormalization(), convolution(), batchNormalization());
  const { model: source } = foldForInference(trained, initialValues(trained, 1));
  const layOut = /transpose|channel_words|edge|tap_sums|patches/;

  test('is recorded into no predictor, of whatever batch, and is there once', async () => {
    using network = await Network.create(gpu(), source, { seed: 3 });
    const before = gpu().memory.buffers;
    const first = await network.predictor(BATCH);
    const afterFirst = gpu().memory.buffers;
    const second = await network.predictor(BATCH + 1);
    for (const { program } of [first, second]) {
      expect(program.kernels.filter((kernel) => layOut.test(kernel))).toEqual([]);
      expect(program.kernels.length).toBeGreaterThan(3);
    }
    expect(afterFirst).toBeGreaterThan(before);
    // Activations move into larger buffers; filters are those of the first.
    expect(gpu().memory.buffers).toBe(afterFirst);
  });

  test('is made anew when parameters are loaded', async () => {
    const samples = Float32Array.from({ length: BATCH * 300 }, (_, i) => 2 * uniform01(1, 5, i) - 1);
    using network = await Network.create(gpu(), source, { seed: 3 });
    const scores = await network.predict(samples);
    for (const seed of [4, 3]) {
      const values = initialValues(source, seed);
      await network.load(values);
      using fresh = await Network.create(gpu(), source, { values });
      expectSame(await network.predict(samples), await fresh.predict(samples));
    }
    expectSame(await network.predict(samples), scores);
  });
});

const increment = defineKernel({
  name: 'test/increment',
  source: `
    override COUNT: u32;
    @group(0) @binding(0) var<storage, read> x: array<u32>;
    @group(0) @binding(1) var<storage, read_write> y: array<u32>;
    @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
      if (id.x < COUNT) { y[id.x] = x[id.x] + 1u; }
    }`,
  bindings: { x: 'read', y: 'write' },
  constants: ['COUNT'],
  workgroups: ({ COUNT }) => linearWorkgroups(COUNT, 64),
});
const cheap = { ...increment, repeats: true };

test.each([
  ['is made anew where its operands are what they were', false, 4],
  ['is kept where an operand has changed', true, 3],
])('what costs little %s', async (_, changes, tensors) => {
  using scratch = new Scratch(gpu());
  const x = scratch.tensor('x', [4], 'u32', Uint32Array.of(1, 2, 3, 4));
  const b = new ProgramBuilder(gpu(), 'changed');
  for (const pass of TRAINING_PASSES) b.rewrite(pass);
  const made = (name: string) => b.transient(name, [4], 'u32');
  const [y, z, out] = [made('y'), made('z'), b.keep(made('out'))];
  b.dispatch(cheap, { x, y }, { COUNT: 4 });
  b.dispatch(increment, { x: y, y: z }, { COUNT: 4 });
  b.backwards(() => {
    if (changes) b.dispatch(increment, { x: z, y: x }, { COUNT: 4 });
    b.dispatch(increment, { x: y, y: out }, { COUNT: 4 });
  });
  using program = await b.compile();
  program.run();
  expect([...(await gpu().readWords(out))]).toEqual([3, 4, 5, 6]);
  expect(program.plan.tensors.length).toBe(tensors);
});
