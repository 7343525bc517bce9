/** The training step of a model, as a trainer runs it. */
import type { Gpu } from '../gpu/index.ts';
import { type ModelName, modelByName, Trainer, type TrainingData } from '../train/index.ts';
import { type Timing, timing } from './measure.ts';

export interface TrainingResult {
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

export async function benchTraining(gpu: Gpu, name: ModelName, quick: boolean): Promise<TrainingResult> {
  const { software } = gpu.adapter;
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
