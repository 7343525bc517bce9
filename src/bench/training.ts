/** The training step of a model, as a trainer runs it. */
import type { Gpu } from '../gpu/index.ts';
import { Trainer } from '../train/index.ts';
import { type ModelName, modelByName } from '../zoo/index.ts';
import { sumOf, type Timing, timeOnGpu, timing } from './measure.ts';
import { imageOf, noise } from './noise.ts';

export interface TrainingResult {
  readonly model: ModelName;
  readonly batch: number;
  readonly imagesPerSecond: number;
  /** From the call to the loss of the step: each sample is a submit and a readback. */
  readonly step: Timing;
  /** The dispatches of a step by the timestamps of the GPU, where there are any. */
  readonly onGpu?: Timing | undefined;
  readonly dispatches: number;
  readonly submitsPerStep: number;
  readonly readbacksPerStep: number;
  /** Milliseconds of JavaScript to encode and submit one step and to ask for its loss, between waits for the GPU. */
  readonly javascript: Timing;
  /** Milliseconds of JavaScript to encode one step of many: what a step costs in a group of steps. */
  readonly encoding: Timing;
  /** Milliseconds from the call that creates the training to the end of its first step. */
  readonly firstStep: number;
  readonly plannedBytes: number;
  readonly activationBytes: number;
  /** Of the steps, from the first. */
  readonly losses: readonly number[];
}

export interface TrainingOptions {
  readonly batch: number;
  /** Timed steps; the first apart. */
  readonly steps: number;
  readonly seed?: number;
  readonly learningRate?: number;
  /** The same samples in every step, so that losses can be compared with a peer's. */
  readonly sameBatch?: boolean;
}

/** What is measured when nothing else is asked for: software takes long over a step. */
export function trainingOptions(name: ModelName, software: boolean, quick: boolean): TrainingOptions {
  const batch =
    name === 'binarynet'
      ? software
        ? quick
          ? 2
          : 10
        : 50
      : software && quick && name === 'cnn'
        ? 20
        : 100;
  const steps = software ? (name === 'mlp' ? 20 : name === 'cnn' ? 6 : 3) : quick ? 20 : 100;
  return { batch, steps };
}

/** Encodings of a sample: enough for the coarse clock of a browser. */
const ENCODINGS = 16;

export async function benchTraining(
  gpu: Gpu,
  name: ModelName,
  { batch, steps, seed = 1, learningRate = 0.001, sameBatch = false }: TrainingOptions,
): Promise<TrainingResult> {
  const profiled = sameBatch ? 0 : gpu.adapter.software ? 1 : 3;
  const data = noise(name, batch, sameBatch ? 1 : 1 + steps + profiled);
  const model = modelByName(name, { input: imageOf(name), classes: data.classes.length });

  const start = performance.now();
  const epochs = sameBatch ? steps + 1 : 1;
  using trainer = await Trainer.create(gpu, model, data, { batch, epochs, learningRate, seed });
  const losses = [lossOf(await trainer.runSteps(1))];
  const firstStep = performance.now() - start;

  const before = { ...gpu.counters };
  const times: number[] = [];
  const javascript: number[] = [];
  for (let i = 0; i < steps; i++) {
    const begun = performance.now();
    const done = trainer.runSteps(1);
    javascript.push(performance.now() - begun);
    losses.push(lossOf(await done));
    times.push(performance.now() - begun);
  }
  const after = { ...gpu.counters };
  const step = timing(times);
  const sum = async () => sumOf(await trainer.profile());
  const onGpu = profiled === 0 ? undefined : await timeOnGpu({ onGpu: sum }, profiled);
  // The first ones are interpreted yet.
  trainer.timeEncoding(ENCODINGS);
  const encoding = timing(Array.from({ length: 7 }, () => trainer.timeEncoding(ENCODINGS)));
  return {
    model: name,
    batch,
    imagesPerSecond: (1000 * batch) / step.median,
    step,
    onGpu,
    dispatches: trainer.dispatches,
    submitsPerStep: (after.submits - before.submits) / steps,
    readbacksPerStep: (after.readbacks - before.readbacks) / steps,
    javascript: timing(javascript),
    encoding,
    firstStep,
    plannedBytes: trainer.plan.peakBytes,
    activationBytes: trainer.plan.activations,
    losses,
  };
}

function lossOf(metrics: readonly { readonly loss: number }[]): number {
  return metrics[0]?.loss ?? Number.NaN;
}
