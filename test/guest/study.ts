/** What an outsider does with methods of their own: train, stop, go on, save, load, fold, measure. It runs anywhere. */
import {
  batchNormalization,
  type Checkpoint,
  decodeCheckpoint,
  dense,
  encodeCheckpoint,
  flatten,
  GeometryTap,
  type Gpu,
  loadModel,
  type Model,
  measureGeometry,
  quantConv2d,
  quantDense,
  relu,
  saveTraining,
  sequential,
  Trainer,
  type TrainerOptions,
  type TrainingData,
} from 'webgpu-bnn';
import { quadrants } from './data.ts';
import { decide } from './hook.ts';
import { Clip, shiftedSign } from './layers.ts';
import { amsGrad, bump, pull, schooled } from './methods.ts';
import { packed, recordSource } from './source.ts';

const resident = quadrants(600, 200);
const RECORD = 1 + 64 / 2;
const records = packed(resident);
/** What trains is streamed; what is evaluated is in memory. */
const data: TrainingData = {
  ...resident,
  train: recordSource(600, 64, async (sample) => records.subarray(RECORD * sample, RECORD * (sample + 1))),
};

/** The guest's quantizer everywhere, the guest's layers at two places. */
function network(): Model {
  return sequential(
    [
      quantConv2d({ name: 'conv', filters: 16, kernelSize: 3, kernelQuantizer: bump({ width: 1.5 }) }),
      batchNormalization(),
      shiftedSign({ name: 'threshold', start: 0.1, quantizer: bump() }),
      flatten(),
      // Signs flow in: no quantizer is needed for them.
      quantDense({ name: 'hidden', units: 32, kernelQuantizer: bump() }),
      batchNormalization({ name: 'before sign' }),
      quantDense({ name: 'last', units: 4, inputQuantizer: bump(), kernelQuantizer: bump() }),
      batchNormalization(),
      new Clip({ limit: 3 }),
    ],
    { input: [8, 8, 1], name: 'guest' },
  );
}

/** Layers of the library with the guest's quantizer: what other formats can say, too. */
function plainNetwork(): Model {
  const binary = { inputQuantizer: bump(), kernelQuantizer: bump({ width: 1.25 }) };
  return sequential(
    [
      flatten(),
      quantDense({ name: 'hidden', units: 32, ...binary }),
      batchNormalization(),
      quantDense({ name: 'last', units: 4, ...binary }),
      batchNormalization(),
    ],
    { input: [8, 8, 1], name: 'plain guest' },
  );
}

const guests = [bump, shiftedSign, Clip] as const;
const images = resident.test.images.slice(0, 20 * 64);
const METHODS: TrainerOptions = {
  batch: 50,
  epochs: 4,
  seed: 3,
  optimizer: amsGrad(),
  penalty: pull(),
  loss: schooled(),
};
/** After two of the four epochs the hook stops; the first layer is frozen from step 12 on. */
const DECIDE = {
  parameter: 'hidden/kernel',
  everySteps: 4,
  distance: 0.01,
  freeze: { from: 12, match: /^conv\// },
  epochs: 2,
};

export type Study = Awaited<ReturnType<typeof study>>;

export async function study(gpu: Gpu) {
  const float = sequential([flatten(), dense({ units: 16, useBias: true }), relu(), dense({ units: 4 })], {
    input: [8, 8, 1],
    name: 'teacher',
  });
  const teaching = await Trainer.create(gpu, float, data, {
    ...{ epochs: 3, batch: 50, loss: 'crossEntropy', learningRate: 0.005 },
  });
  await teaching.fit();
  const options: TrainerOptions = { ...METHODS, teacher: teaching.network };

  const whole = await Trainer.create(gpu, network(), data, options);
  const decided = decide(DECIDE);
  const samples: number[] = [];
  const tap = await GeometryTap.create(whole.network, { onSample: ({ step }) => samples.push(step) });
  const fitted = await whole.fit({ hooks: [decided.hook], tap: tap.every(6) });
  const hash = await whole.network.hash();
  const angles = (await measureGeometry(whole.network)).map(({ name, meanAngle }) => ({ name, meanAngle }));

  const resumed = await resume(gpu, options);
  const own = await whole.predict(prepared(images));
  const file = await saveTraining(whole, 'safetensors');
  const loaded = await Promise.all(
    [true, false].map(async (fold) => {
      const model = await loadModel(file, { with: guests, fold });
      const classifier = await model.createClassifier(gpu);
      const { scores } = await classifier.classify(images);
      classifier.dispose();
      return { folded: model.folded, fused: model.fused.map(({ name }) => name), same: isSame(scores, own) };
    }),
  );
  const plain = await otherFormats(gpu, options);
  const evaluation = await whole.evaluate();
  for (const owner of [tap, whole, teaching]) owner.dispose();
  return {
    outcome: fitted.outcome,
    steps: fitted.step,
    accuracy: evaluation.accuracy,
    pushed: decided.pushed(),
    ...{ hash, resumed, samples, angles, loaded, plain },
  };
}

/** The same training, aborted after the layer was frozen; what goes on knows only the bytes of a checkpoint. */
async function resume(gpu: Gpu, options: TrainerOptions) {
  const first = await Trainer.create(gpu, network(), data, options);
  const before = decide(DECIDE);
  let bytes: Uint8Array | undefined;
  const stop = new AbortController();
  const { outcome, step } = await first.fit({
    hooks: [before.hook],
    signal: stop.signal,
    onSteps: (info) => info.step >= 14 && stop.abort(),
    checkpoint: {
      save: async (checkpoint) => {
        bytes = encodeCheckpoint(checkpoint);
      },
    },
  });
  first.dispose();
  if (bytes === undefined) throw new Error('no checkpoint');
  const { checkpoint } = decodeCheckpoint(bytes, 'checkpoint');
  const second = await Trainer.create(gpu, network(), data, options);
  await second.restore(checkpoint);
  const conv = await kernelOf(second);
  const after = decide({ ...DECIDE, resume: checkpoint as Checkpoint });
  await second.fit({ hooks: [after.hook] });
  const kept = isSame(await kernelOf(second), conv);
  const hash = await second.network.hash();
  second.dispose();
  return { outcome, step, frozen: checkpoint.progress.frozen ?? [], kept, hash, pushed: after.pushed() };
}

/** A training with the guest's quantizer in layers of the library, in every format that can say it. */
async function otherFormats(gpu: Gpu, options: TrainerOptions) {
  const trainer = await Trainer.create(gpu, plainNetwork(), data, { ...options, epochs: 1 });
  await trainer.fit();
  const own = await trainer.predict(prepared(images));
  const results: Record<string, boolean> = {};
  for (const format of ['safetensors', 'onnx', 'tflite'] as const) {
    const loaded = await loadModel(await saveTraining(trainer, format), { with: [bump] });
    const classifier = await loaded.createClassifier(gpu);
    const { scores } = await classifier.classify(images);
    results[format] = scores.every((score, i) => Math.abs(score - (own[i] ?? 0)) < 1e-4);
    classifier.dispose();
  }
  trainer.dispose();
  return results;
}

async function kernelOf(trainer: Trainer): Promise<Float32Array> {
  return (await trainer.network.values()).get('conv/kernel') ?? new Float32Array();
}

function prepared(bytes: Uint8Array): Float32Array {
  return Float32Array.from(bytes, (byte) => (byte * 2) / 255 - 1);
}

function isSame(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  return a.length === b.length && Array.from(a).every((value, i) => value === b[i]);
}
