/**
 * `webgpu-bnn bench`: this library's binary kernels against its own f32 kernels on the same shapes, and the training
 * step of each model, on the adapter at hand. Every timed output is checked in the same run.
 */
import Table from 'cli-table3';
import { Command, InvalidArgumentError, Option } from 'commander';
import { GpuValidationError } from '../errors.ts';
import {
  type Gpu,
  MODEL_NAMES,
  type ModelName,
  modelByName,
  ops,
  ProgramBuilder,
  type Tensor,
  Trainer,
  type TrainingData,
} from '../index.ts';
import { writeFileAtomic } from '../node/index.ts';
import { type AdapterOptions, acquire, describeAdapter, withAdapter } from './options.ts';

const SUITES = ['kernels', 'training'] as const;
type Suite = (typeof SUITES)[number];

interface Flags extends AdapterOptions {
  readonly suite: Suite | 'all';
  readonly models: readonly ModelName[];
  readonly quick: boolean;
  readonly json?: string;
}

/** Milliseconds of repeated runs. */
interface Timing {
  readonly median: number;
  readonly fastest: number;
  readonly slowest: number;
  readonly runs: number;
}

interface KernelResult {
  readonly name: string;
  /** Multiply-accumulates of one run. */
  readonly macs: number;
  readonly binary: Timing;
  readonly float: Timing;
  /** Median f32 time over median binary time. */
  readonly ratio: number;
}

interface TrainingResult {
  readonly model: ModelName;
  readonly batch: number;
  readonly imagesPerSecond: number;
  readonly step: Timing;
  readonly dispatches: number;
  readonly submitsPerStep: number;
  readonly readbacksPerStep: number;
  /** Milliseconds of JavaScript to encode and submit one step. */
  readonly javascript: number;
  /** Milliseconds from the call that creates the training to the end of its first step. */
  readonly firstStep: number;
  readonly plannedBytes: number;
  readonly activationBytes: number;
}

export function benchCommand(): Command {
  return withAdapter(new Command('bench'))
    .description('measure the kernels and the training steps on this machine')
    .addOption(new Option('--suite <name>', 'what to measure').choices([...SUITES, 'all']).default('all'))
    .addOption(
      new Option('--models <list>', 'whose training step to measure, separated by commas')
        .argParser(modelList)
        .default([...MODEL_NAMES], MODEL_NAMES.join(',')),
    )
    .option('--quick', 'fewer repetitions', false)
    .option('--json <file>', "write the figures here as well ('-' for standard output)")
    .addHelpText(
      'after',
      `
Examples:
  $ webgpu-bnn bench
  $ webgpu-bnn bench --suite kernels --toggles disable_robustness
  $ webgpu-bnn bench --suite training --models mlp --json figures.json`,
    )
    .action(bench);
}

async function bench(flags: Flags): Promise<void> {
  const gpu = await acquire(flags);
  const quiet = flags.json === '-';
  const say = (text: string) => {
    if (!quiet) console.log(text);
  };
  say(`adapter  ${describeAdapter(gpu)}`);
  say(`toggles  ${flags.toggles ?? 'none (the defaults, as in a browser)'}\n`);
  const runs = flags.quick ? 3 : 7;

  const kernels: KernelResult[] = [];
  if (flags.suite !== 'training') {
    for (const problem of PROBLEMS) kernels.push(await benchKernel(gpu, problem, runs));
    say(kernelTable(kernels));
  }
  const training: TrainingResult[] = [];
  if (flags.suite !== 'kernels') {
    for (const model of flags.models) training.push(await benchTraining(gpu, model, flags.quick));
    say(trainingTable(training));
  }
  const figures = {
    adapter: { name: describeAdapter(gpu), ...gpu.adapter },
    toggles: flags.toggles?.split(',') ?? [],
    date: new Date().toISOString(),
    kernels,
    training,
  };
  const json = `${JSON.stringify(figures, null, 2)}\n`;
  if (flags.json === '-') process.stdout.write(json);
  else if (flags.json !== undefined) await writeFileAtomic(flags.json, json);
  gpu.dispose();
}

/** A product in two forms, binary and f32, on the same ±1 values. */
interface Problem {
  readonly name: string;
  readonly macs: number;
  readonly a: readonly number[];
  readonly w: readonly number[];
  binary(builder: ProgramBuilder, a: Tensor, w: Tensor): Tensor;
  float(builder: ProgramBuilder, a: Tensor, w: Tensor): Tensor;
}

function matMulProblem(m: number, k: number, n: number): Problem {
  return {
    name: `matmul ${m} x ${k} x ${n}`,
    macs: m * k * n,
    a: [m, k],
    w: [n, k],
    binary: (builder, a, w) => ops.binaryMatMul(builder, a, w),
    float: (builder, a, w) => ops.matMul(builder, a, w, { transposeB: true }),
  };
}

function convProblem(size: number, channels: number): Problem {
  const options = { padding: 'same' } as const;
  return {
    name: `conv 3x3 ${size} x ${size} x ${channels}`,
    macs: size * size * channels * channels * 9,
    a: [1, size, size, channels],
    w: [channels, 3, 3, channels],
    binary: (builder, a, w) => ops.binaryConv2d(builder, a, w, options),
    float: (builder, a, w) => ops.conv2d(builder, a, w, options),
  };
}

const PROBLEMS: readonly Problem[] = [
  matMulProblem(100, 512, 512),
  matMulProblem(512, 1024, 512),
  matMulProblem(1024, 1024, 1024),
  convProblem(56, 64),
  convProblem(28, 128),
  convProblem(14, 256),
  convProblem(7, 512),
];

async function benchKernel(gpu: Gpu, problem: Problem, runs: number): Promise<KernelResult> {
  const values = (shape: readonly number[], salt: number) =>
    Float32Array.from({ length: shape.reduce((x, y) => x * y, 1) }, (_, i) =>
      Math.imul(i + salt, 2654435761) & 0x10000 ? 1 : -1,
    );
  using a = gpu.tensor('a', problem.a, 'f32', values(problem.a, 1));
  using w = gpu.tensor('w', problem.w, 'f32', values(problem.w, 7));
  using aBits = gpu.tensor('a', problem.a, 'bits');
  using wBits = gpu.tensor('w', problem.w, 'bits');
  const pack = new ProgramBuilder(gpu, 'pack');
  ops.packSigns(pack, a, { out: aBits });
  ops.packSigns(pack, w, { out: wBits });
  using packing = await pack.compile();
  packing.run();

  const binaryBuilder = new ProgramBuilder(gpu, `binary ${problem.name}`);
  const binaryOut = binaryBuilder.keep(problem.binary(binaryBuilder, aBits, wBits));
  const floatBuilder = new ProgramBuilder(gpu, `float ${problem.name}`);
  const floatOut = floatBuilder.keep(problem.float(floatBuilder, a, w));
  using binaryProgram = await binaryBuilder.compile();
  using floatProgram = await floatBuilder.compile();
  const binary = await time(gpu, runs, () => binaryProgram.run());
  const float = await time(gpu, runs, () => floatProgram.run());

  // Sums of ±1 are exact in f32, so both forms must agree to the bit.
  const got = await gpu.readFloats(binaryOut);
  const expected = await gpu.readFloats(floatOut);
  const wrong = got.findIndex((value, i) => value !== expected[i]);
  if (wrong >= 0) {
    throw new GpuValidationError('A kernel computed something else than its f32 counterpart.', {
      given: String(got[wrong]),
      expected: String(expected[wrong]),
      where: `${problem.name}, element ${wrong}`,
      remedy: 'run webgpu-bnn doctor; if it finds nothing, report this as a bug',
    });
  }
  return { name: problem.name, macs: problem.macs, binary, float, ratio: float.median / binary.median };
}

async function time(gpu: Gpu, runs: number, body: () => void): Promise<Timing> {
  body();
  await gpu.finished();
  const times: number[] = [];
  for (let i = 0; i < runs; i++) {
    const start = performance.now();
    body();
    await gpu.finished();
    times.push(performance.now() - start);
  }
  return timing(times);
}

function timing(times: readonly number[]): Timing {
  const sorted = [...times].sort((a, b) => a - b);
  return {
    median: sorted[sorted.length >> 1] ?? 0,
    fastest: sorted[0] ?? 0,
    slowest: sorted.at(-1) ?? 0,
    runs: sorted.length,
  };
}

/** Data sets of noise with the shapes of the real ones: a step's speed doesn't depend on the pixels. */
function noise(model: ModelName, batch: number, steps: number): TrainingData {
  const image = model === 'binarynet' ? [32, 32, 3] : [28, 28, 1];
  const split = (count: number) => ({
    images: Uint8Array.from(
      { length: count * image.reduce((x, y) => x * y, 1) },
      (_, i) => Math.imul(i, 2654435761) >>> 24,
    ),
    labels: Uint8Array.from({ length: count }, (_, i) => i % 10),
    count,
  });
  const channels = image[2] ?? 1;
  return {
    name: 'noise',
    classes: '0123456789'.split(''),
    image,
    train: split(batch * steps),
    test: split(batch),
    normalise: {
      scale: new Array<number>(channels).fill(2 / 255),
      shift: new Array<number>(channels).fill(-1),
    },
  };
}

async function benchTraining(gpu: Gpu, name: ModelName, quick: boolean): Promise<TrainingResult> {
  const software = gpu.adapter.software;
  const batch = name === 'binarynet' ? (software ? 10 : 50) : 100;
  const steps = software ? (name === 'mlp' ? 20 : name === 'cnn' ? 6 : 2) : quick ? 20 : 100;
  const data = noise(name, batch, steps);
  const model = modelByName(name, { input: data.image, classes: 10 });

  const start = performance.now();
  using trainer = await Trainer.create(gpu, model, data, { batch, epochs: 2, learningRate: 0.001 });
  await trainer.runSteps(1);
  const firstStep = performance.now() - start;

  const before = { ...gpu.counters };
  const times: number[] = [];
  let javascript = 0;
  for (let i = 0; i < steps; i++) {
    const begun = performance.now();
    const done = trainer.runSteps(1);
    javascript += performance.now() - begun;
    await done;
    times.push(performance.now() - begun);
  }
  const step = timing(times);
  return {
    model: name,
    batch,
    imagesPerSecond: (1000 * batch) / step.median,
    step,
    dispatches: trainer.dispatches,
    submitsPerStep: (gpu.counters.submits - before.submits) / steps,
    readbacksPerStep: (gpu.counters.readbacks - before.readbacks) / steps,
    javascript: javascript / steps,
    firstStep,
    plannedBytes: trainer.plan.peakBytes,
    activationBytes: trainer.plan.activations,
  };
}

function kernelTable(results: readonly KernelResult[]): string {
  const table = new Table({
    head: ['kernel', 'binary', 'spread', 'binary GOPS', 'f32', 'f32 GFLOPS', 'ratio'],
    colAligns: ['left', 'right', 'right', 'right', 'right', 'right', 'right'],
    style: { head: [], border: [] },
  });
  const rate = (macs: number, milliseconds: number) => ((2 * macs) / milliseconds / 1e6).toFixed(1);
  for (const { name, macs, binary, float, ratio } of results) {
    table.push([
      name,
      milliseconds(binary.median),
      spread(binary),
      rate(macs, binary.median),
      milliseconds(float.median),
      rate(macs, float.median),
      `${ratio.toFixed(1)}x`,
    ]);
  }
  return `${table.toString()}\nAll outputs agree to the bit.\n`;
}

function trainingTable(results: readonly TrainingResult[]): string {
  const table = new Table({
    head: [
      'training step',
      'batch',
      'images/s',
      'step',
      'spread',
      'dispatches',
      'submits',
      'readbacks',
      'JavaScript',
      'first step',
      'GPU memory',
    ],
    style: { head: [], border: [] },
  });
  for (const result of results) {
    table.push([
      result.model,
      result.batch,
      result.imagesPerSecond.toFixed(0),
      milliseconds(result.step.median),
      spread(result.step),
      result.dispatches,
      result.submitsPerStep.toFixed(2),
      result.readbacksPerStep.toFixed(2),
      milliseconds(result.javascript),
      milliseconds(result.firstStep),
      `${(result.plannedBytes / 2 ** 20).toFixed(1)} MB`,
    ]);
  }
  return table.toString();
}

function milliseconds(value: number): string {
  return value < 10 ? `${value.toFixed(2)} ms` : `${value.toFixed(0)} ms`;
}

function spread({ fastest, slowest }: Timing): string {
  return `${milliseconds(fastest)} to ${milliseconds(slowest)}`;
}

function modelList(text: string): ModelName[] {
  return text.split(',').map((name) => {
    const known = MODEL_NAMES.find((model) => model === name);
    if (known === undefined)
      throw new InvalidArgumentError(`There is no model "${name}"; there are ${MODEL_NAMES.join(', ')}.`);
    return known;
  });
}
