/**
 * Networks on the processor: this library's WebAssembly engine beside ONNX Runtime Web's (f32), and beside this library's own
 * kernels on the adapter at hand. All of a row are timed in turns, so that what else the machine does falls on all of them, and
 * what they compute is compared first.
 */
import { CpuNetwork } from '../cpu/index.ts';
import { measureLoops } from '../cpu/loops.ts';
import { GpuValidationError } from '../errors.ts';
import { saveModel } from '../formats/save.ts';
import { type Gpu, ProgramBuilder, sizeOf } from '../gpu/index.ts';
import { foldForInference, initialValues, Network, sequential } from '../graph/index.ts';
import { binaryConv2d, sign } from '../layers/index.ts';
import { fusedBinaryConv2d } from '../ops/fused.ts';
import { cnv, floatCnv, PIXELS, planes } from './cnv.ts';
import { elapsed, type Timing, timing } from './measure.ts';
import { oneNodeModel } from './peers/onnx-model.ts';
import { transposed } from './peers/peer.ts';
import { quickNet } from './quicknet.ts';

/** A job in several ways; absent where a way can't be had. */
export interface CpuRow {
  readonly name: string;
  /** The engine in one thread. */
  readonly one: Timing;
  /** ONNX Runtime Web WASM in one thread. */
  readonly float: Timing | undefined;
  /** The engine in two threads. */
  readonly two: Timing | undefined;
  /** This library's kernels on the adapter. */
  readonly gpu: Timing | undefined;
}

export interface CpuFigures {
  readonly peer: string | undefined;
  /** What took the time of `one` and of `float`: the processor's, or the clock on the wall, where a page has no other. */
  readonly clock: 'processor' | 'wall';
  readonly rows: readonly CpuRow[];
  /** Milliseconds from a model in memory to its first scores: CNV, one image, nothing compiled before. */
  readonly first: number;
  readonly memory: {
    /** Of CNV: its weights at one bit, and all of the engine's memory. */
    readonly weights: number;
    readonly all: number;
    readonly calls: number;
    /** Bytes by which the engine's memory grew over the calls. */
    readonly grown: number;
  };
}

export interface CpuBenchOptions {
  readonly quick: boolean;
  readonly measuring: (what: string) => void;
}

interface Session {
  run(
    feeds: Readonly<Record<string, unknown>>,
  ): Promise<Readonly<Record<string, { readonly data: Float32Array }>>>;
  release(): Promise<void>;
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
}

/** The parts of ONNX Runtime Web that are used here. */
export interface OrtWasm {
  readonly env: { readonly versions: { readonly web?: string }; readonly wasm: { numThreads?: number } };
  readonly InferenceSession: {
    create(model: Uint8Array, options: Readonly<Record<string, unknown>>): Promise<Session>;
  };
  readonly Tensor: new (type: 'float32', values: Float32Array, dims: readonly number[]) => unknown;
}

/** Names of what was timed in turns, with the median and the spread of each. */
type Ways = Readonly<Record<'one' | 'two' | 'float' | 'gpu', (() => Promise<unknown>) | undefined>>;

/**
 * Milliseconds that this process has computed. What else a loaded machine does is not in them, but all threads of the process
 * are: they are for what runs in one thread.
 */
const computed: (() => number) | undefined =
  globalThis.process?.cpuUsage &&
  (() => {
    const { user, system } = globalThis.process.cpuUsage();
    return (user + system) / 1000;
  });

/** Runs every way in turns. */
async function inTurns(name: string, ways: Ways, rounds: number): Promise<CpuRow> {
  const times: Record<keyof Ways, number[]> = { one: [], float: [], two: [], gpu: [] };
  const keys = (Object.keys(times) as (keyof Ways)[]).filter((key) => ways[key] !== undefined);
  const wall = () => performance.now();
  // What is compiled when it is first run is compiled before.
  for (let warm = 0; warm < 5; warm++) for (const key of keys) await ways[key]?.();
  for (let round = 0; round < rounds; round++) {
    for (const key of keys) {
      const clock = key === 'one' || key === 'float' ? (computed ?? wall) : wall;
      const start = clock();
      await ways[key]?.();
      times[key].push(clock() - start);
    }
  }
  const of = (key: keyof Ways) => (times[key].length === 0 ? undefined : timing(times[key]));
  return { name, one: timing(times.one), two: of('two'), float: of('float'), gpu: of('gpu') };
}

/**
 * @param gpu whose kernels are timed beside it; left out where there is none
 * @param ort left out where the package is missing
 * @throws GpuValidationError where results differ
 */
export async function benchCpu(
  gpu: Gpu | undefined,
  ort: OrtWasm | undefined,
  { quick, measuring }: CpuBenchOptions,
): Promise<CpuFigures> {
  if (ort !== undefined) ort.env.wasm.numThreads = 1;
  measuring('CNV on the processor, the first classification');
  const first = await firstScores();
  // Twice: what was measured while the kernels were being optimised doesn't count.
  await measureLoops();
  await measureLoops();
  const rounds = quick ? 9 : 31;
  const rows: CpuRow[] = [];
  for (const [size, channels] of [
    [56, 64],
    [28, 128],
    [14, 256],
    [7, 512],
  ] as const) {
    const name = `conv 3x3 ${size} x ${size} x ${channels}, batch 1`;
    measuring(`${name}, on the processor`);
    rows.push(await benchConvolution(gpu, ort, name, [size, channels], rounds));
  }
  for (const batch of [1, 16]) {
    measuring(`CNV, batch ${batch}, on the processor`);
    rows.push(await benchCnvOn(gpu, ort, batch, quick ? 5 : 21));
  }
  measuring('QuickNet, on the processor');
  rows.push(await benchQuickNet(gpu, ort, quick ? 3 : 9));
  measuring('memory over many calls, on the processor');
  const memory = await benchMemory(quick ? 1000 : 10_000);
  const peer = ort === undefined ? undefined : `ONNX Runtime Web WASM ${ort.env.versions.web ?? ''}`.trim();
  return { peer, clock: computed === undefined ? 'wall' : 'processor', rows, first, memory };
}

function foldedCnv() {
  const model = cnv('int8');
  const values = initialValues(model, 1);
  return { ...foldForInference(model, values), source: model, latents: values };
}

const images = (count: number) =>
  Float32Array.from({ length: count * PIXELS }, (_, i) => ((i * 89) % 256) - 128);

async function firstScores(): Promise<number> {
  const folded = foldedCnv();
  const samples = images(1);
  const start = performance.now();
  const network = await CpuNetwork.create(folded.model, folded.values);
  await network.predict(samples);
  const first = performance.now() - start;
  network.dispose();
  return first;
}

/** A convolution from packed bits to packed bits; ONNX Runtime's from floats to floats. */
async function benchConvolution(
  gpu: Gpu | undefined,
  ort: OrtWasm | undefined,
  name: string,
  [size, channels]: readonly [number, number],
  rounds: number,
): Promise<CpuRow> {
  const shape = [size, size, channels] as const;
  const options = { filters: channels, kernelSize: 3, padding: 'same', output: 'signs' } as const;
  const model = sequential([sign({ name: 'signs' }), binaryConv2d({ name: 'conv', ...options })], {
    input: shape,
  });
  const values = initialValues(model, 3);
  values.set(
    'conv/direction',
    Float32Array.from({ length: channels }, (_, c) => (c % 3 === 0 ? -1 : 1)),
  );
  values.set(
    'conv/threshold',
    Float32Array.from({ length: channels }, (_, c) => (c % 17) - 8),
  );
  const samples = Float32Array.from({ length: sizeOf(shape) }, (_, i) =>
    Math.imul(i, 0x9e3779b1) < 0 ? -1 : 1,
  );
  const one = await CpuNetwork.create(model, values, { threads: 1 });
  const two = await CpuNetwork.create(model, values, { threads: 2 });
  const expected = await one.predict(samples);
  assertEqual(name, expected, await two.predict(samples), 'two threads');

  const kernel = values.get('conv/kernel') ?? new Float32Array();
  const float = ort && (await openConvolution(ort, kernel, samples, [size, channels]));
  if (float !== undefined) {
    const sums = transposed((await float.run()).data, channels, size * size);
    const [direction, threshold] = ['direction', 'threshold'].map((own) => values.get(`conv/${own}`));
    const signs = sums.map((sum, i) =>
      (direction?.[i % channels] ?? 0) * sum >= (threshold?.[i % channels] ?? 0) ? 1 : -1,
    );
    assertEqual(name, expected, signs, 'ONNX Runtime Web');
  }
  const job = gpu && (await openOnGpu(gpu, model, values, samples, shape));
  if (job !== undefined) assertEqual(name, expected, await job.result(), 'the kernels of the GPU');
  const row = await inTurns(
    name,
    {
      one: () => one.again('conv'),
      two: two.threads === 2 ? () => two.again('conv') : undefined,
      float: float && (() => float.run()),
      gpu: job && (() => job.run()),
    },
    rounds,
  );
  one.dispose();
  two.dispose();
  job?.dispose();
  await float?.release();
  return row;
}

async function openConvolution(
  ort: OrtWasm,
  kernel: Float32Array,
  samples: Float32Array,
  [size, channels]: readonly [number, number],
) {
  const signs = kernel.map((weight) => (weight < 0 ? -1 : 1));
  const weights = new Float32Array(kernel.length);
  const each = 9 * channels;
  for (let filter = 0; filter < channels; filter++) {
    weights.set(transposed(signs.subarray(filter * each, (filter + 1) * each), 9, channels), filter * each);
  }
  const dims = [1, channels, size, size];
  const model = oneNodeModel({
    operator: 'Conv',
    attributes: { kernel_shape: [3, 3], pads: [1, 1, 1, 1] },
    x: dims,
    constants: { w: { shape: [channels, channels, 3, 3], values: weights } },
    y: dims,
  });
  const session = await ort.InferenceSession.create(model, { executionProviders: ['wasm'] });
  const x = new ort.Tensor('float32', transposed(samples, size * size, channels), dims);
  return {
    run: async () => (await session.run({ x })).y ?? { data: new Float32Array() },
    release: () => session.release(),
  };
}

/** The convolution alone on the GPU, from bits to bits. */
async function openOnGpu(
  gpu: Gpu,
  model: ReturnType<typeof sequential>,
  values: ReadonlyMap<string, Float32Array<ArrayBuffer>>,
  samples: Float32Array<ArrayBuffer>,
  shape: readonly number[],
) {
  const { packSigns } = await import('../numerics/pack.ts');
  const channels = shape.at(-1) ?? 1;
  const pack = (floats: Float32Array) => packSigns(floats, floats.length / channels, channels);
  const network = new Network(gpu, model, { forInference: true });
  const a = gpu.tensor('a', [1, ...shape], 'bits', pack(samples));
  const w = gpu.tensor('w', [channels, 3, 3, channels], 'bits', pack(values.get('conv/kernel') ?? samples));
  const [direction, threshold] = ['direction', 'threshold'].map((name) =>
    gpu.tensor(name, [channels], 'f32', values.get(`conv/${name}`) ?? new Float32Array(channels)),
  );
  if (direction === undefined || threshold === undefined) return undefined;
  const builder = new ProgramBuilder(gpu, 'convolution');
  const out = builder.keep(
    fusedBinaryConv2d(builder, a, w, {
      padding: 'same',
      epilogue: { output: 'signs', direction, threshold },
    }),
  );
  const program = await builder.compile();
  return {
    run: () => elapsed(gpu, () => program.run()),
    async result() {
      await gpu.scoped('convolution', () => program.run());
      const { unpackSigns } = await import('../numerics/pack.ts');
      return unpackSigns(await gpu.readWords(out), sizeOf(shape) / channels, channels);
    },
    dispose() {
      program.dispose();
      network.dispose();
      for (const tensor of [a, w, direction, threshold]) tensor.dispose();
    },
  };
}

/** CNV from host to host. */
async function benchCnvOn(
  gpu: Gpu | undefined,
  ort: OrtWasm | undefined,
  batch: number,
  rounds: number,
): Promise<CpuRow> {
  const folded = foldedCnv();
  const samples = images(batch);
  const one = await CpuNetwork.create(folded.model, folded.values, { threads: 1 });
  const two = await CpuNetwork.create(folded.model, folded.values, { threads: 2 });
  const onGpu =
    gpu && (await Network.create(gpu, folded.model, { values: folded.values, forInference: true }));
  const expected = await one.predict(samples);
  assertEqual('CNV', expected, await two.predict(samples), 'two threads');
  if (onGpu !== undefined) assertEqual('CNV', expected, await onGpu.predict(samples), 'the GPU');
  let session: Session | undefined;
  let x: unknown;
  if (ort !== undefined) {
    const { BinaryWriter } = await import('@bufbuild/protobuf/wire');
    const open = (activation: 'Sign' | 'Relu') =>
      ort.InferenceSession.create(floatCnv(BinaryWriter, folded.source, folded.latents, batch, activation), {
        executionProviders: ['wasm'],
      });
    x = new ort.Tensor('float32', planes(samples), [batch, 3, 32, 32]);
    const signed = await open('Sign');
    assertEqual('CNV', expected, (await signed.run({ x })).y?.data ?? [], 'ONNX Runtime Web');
    await signed.release();
    session = await open('Relu');
  }
  const row = await inTurns(
    `CNV, host to host, batch ${batch}`,
    {
      one: () => one.predict(samples),
      two: two.threads === 2 ? () => two.predict(samples) : undefined,
      float: session && (() => (session as Session).run({ x })),
      gpu: onGpu && (() => onGpu.predict(samples)),
    },
    rounds,
  );
  one.dispose();
  two.dispose();
  onGpu?.dispose();
  await session?.release();
  return row;
}

/** A network of 224×224 with residual binary convolutions, host to host, and its float twin. */
async function benchQuickNet(
  gpu: Gpu | undefined,
  ort: OrtWasm | undefined,
  rounds: number,
): Promise<CpuRow> {
  const model = quickNet('binary');
  const folded = foldForInference(model, initialValues(model, 5), { reals: true });
  const samples = Float32Array.from(
    { length: sizeOf(model.inputShape) },
    (_, i) => ((i * 89) % 255) / 127 - 1,
  );
  const one = await CpuNetwork.create(folded.model, folded.values, { threads: 1 });
  const two = await CpuNetwork.create(folded.model, folded.values, { threads: 2 });
  const onGpu =
    gpu && (await Network.create(gpu, folded.model, { values: folded.values, forInference: true }));
  const expected = await one.predict(samples);
  assertEqual('QuickNet', expected, await two.predict(samples), 'two threads');
  let session: Session | undefined;
  let feeds: Readonly<Record<string, unknown>> = {};
  if (ort !== undefined) {
    const twin = quickNet('float');
    const file = await saveModel('onnx', twin, initialValues(twin, 5));
    session = await ort.InferenceSession.create(file, { executionProviders: ['wasm'] });
    const [height = 1, width = 1, channels = 1] = model.inputShape;
    const x = new ort.Tensor('float32', transposed(samples, height * width, channels), [
      ...[1, channels, height, width],
    ]);
    feeds = { [session.inputNames[0] ?? 'input']: x };
  }
  const row = await inTurns(
    'QuickNet 224 x 224, host to host, batch 1',
    {
      one: () => one.predict(samples),
      two: two.threads === 2 ? () => two.predict(samples) : undefined,
      float: session && (() => (session as Session).run(feeds)),
      gpu: onGpu && (() => onGpu.predict(samples)),
    },
    rounds,
  );
  one.dispose();
  two.dispose();
  onGpu?.dispose();
  await session?.release();
  return row;
}

async function benchMemory(calls: number): Promise<CpuFigures['memory']> {
  const folded = foldedCnv();
  const network = await CpuNetwork.create(folded.model, folded.values);
  const samples = images(1);
  await network.predict(samples);
  const all = network.bytes;
  for (let call = 0; call < calls; call++) await network.predict(samples);
  const grown = network.bytes - all;
  network.dispose();
  const weights = folded.model.layers
    .flatMap(({ parameters }) => parameters)
    .filter(({ role }) => role === 'binary')
    .reduce((sum, { shape }) => sum + sizeOf(shape) / 8, 0);
  return { weights, all, calls, grown };
}

function assertEqual(
  what: string,
  expected: ArrayLike<number>,
  found: ArrayLike<number>,
  whose: string,
): void {
  for (let i = 0; i < expected.length; i++) {
    if (expected[i] === found[i] && expected.length === found.length) continue;
    throw new GpuValidationError('The engine and another way give different results.', {
      given: `${expected[i]} at ${i}`,
      expected: `${found[i]}, by ${whose}`,
      where: what,
    });
  }
}
