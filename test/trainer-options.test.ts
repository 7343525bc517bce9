/** What a trainer is handed: misuse is refused by name before anything is made, with a remedy that helps. */
import { describe, expect, test } from 'vitest';
import { samplesOf, type TrainingData } from '../src/data/index.ts';
import { FormatError, OptionError, ShapeError } from '../src/errors.ts';
import { Gpu } from '../src/gpu/index.ts';
import { type Model, sequential } from '../src/graph/index.ts';
import { batchNormalization, flatten, quantDense } from '../src/layers/index.ts';
import { requestGpu } from '../src/node/gpu.ts';
import { encodePixels } from '../src/run/pixels.ts';
import { type FitHooks, Trainer, type TrainerOptions } from '../src/train/index.ts';
import { quadrants } from './helpers/data.ts';
import { expectClose, requestNarrowGpu, useGpu } from './helpers/gpu.ts';

const gpu = useGpu();
const data = quadrants(60, 20);
const options: TrainerOptions = { batch: 10, epochs: 2, seed: 7 };
const model = (channels = 1, epsilon = 1e-4): Model =>
  sequential(
    [
      flatten(),
      quantDense({ units: 16, kernelQuantizer: 'steSign' }),
      batchNormalization({ epsilon }),
      quantDense({ units: 4, inputQuantizer: 'steSign', kernelQuantizer: 'steSign' }),
      batchNormalization(),
    ],
    { input: [8, 8, channels], name: 'small' },
  );
/** What a caller without types may hand in. */
const loose = <T>(value: unknown): T => value as T;

describe('misuse is a typed error', () => {
  test.each<[string, unknown, unknown, unknown, unknown, RegExp]>([
    ['the promise of a GPU', 'promise', model(), data, {}, /not the GPU[\s\S]*await this promise/],
    ['a device', 'device', model(), data, {}, /Gpu\.fromDevice/],
    ['no GPU', undefined, model(), data, {}, /nothing to be the GPU/],
    [
      'the promise of a data set',
      'gpu',
      model(),
      Promise.resolve(data),
      {},
      /not the data set[\s\S]*await this promise/,
    ],
    ['no model', 'gpu', undefined, data, {}, /nothing to be the model/],
    ['lr', 'gpu', model(), data, { lr: 1 }, /no option of this name[\s\S]*learningRate/],
    ['epoch', 'gpu', model(), data, { epoch: 1 }, /did you mean epochs/],
    ['an unknown loss', 'gpu', model(), data, { loss: 'crossentropy' }, /did you mean crossEntropy/],
    [
      'no list of augmentations',
      'gpu',
      model(),
      data,
      { augment: { pad: 4 } },
      /a list[\s\S]*'crop', 'flip'/,
    ],
    ['an unknown augmentation', 'gpu', model(), data, { augment: ['rotated'] }, /did you mean rotate/],
    [
      'an unknown part of an augmentation',
      'gpu',
      model(),
      data,
      { augment: [{ name: 'crop', padding: 4 }] },
      /did you mean pad/,
    ],
    [
      'an augmentation out of its bounds',
      'gpu',
      model(),
      data,
      { augment: [{ name: 'mixup', alpha: 3 }] },
      /out of its bounds[\s\S]*1 or less/,
    ],
    ['crops twice', 'gpu', model(), data, { augment: ['crop', 'crop'] }, /done once[\s\S]*crop, twice/],
    [
      'an unknown decay',
      'gpu',
      model(),
      data,
      { learningRate: { from: 1, to: 1, decay: 'cos' } },
      /did you mean cosine/,
    ],
    ['no decay', 'gpu', model(), data, { learningRate: { from: 1, to: 1 } }, /exponential, linear, cosine/],
    [
      'an exponential decay to zero',
      'gpu',
      model(),
      data,
      { learningRate: { from: 1, to: 0, decay: 'exponential' } },
      /'linear' or 'cosine'/,
    ],
    [
      'a label beyond the classes',
      'gpu',
      model(),
      { ...data, classes: ['a', 'b'] },
      {},
      /label[\s\S]*count labels from 0/,
    ],
    [
      'labels that are no integers',
      'gpu',
      model(),
      { ...data, train: { ...data.train, labels: Float32Array.from(data.train.labels) } },
      {},
      /Uint8Array\.from/,
    ],
    [
      'too few labels',
      'gpu',
      model(),
      { ...data, train: { ...data.train, labels: data.train.labels.subarray(1) } },
      {},
      /59 bytes[\s\S]*60/,
    ],
    ['a number of classes', 'gpu', model(), { ...data, classes: 10 }, {}, /list of names/],
    [
      'too many scales',
      'gpu',
      model(),
      { ...data, normalise: { scale: [1, 2] } },
      {},
      /scale = \[1, 2\], 1 channels/,
    ],
    [
      'a scale that is no number',
      'gpu',
      model(),
      { ...data, normalise: { scale: [Number.NaN] } },
      {},
      /finite/,
    ],
    [
      'an unknown part of normalise',
      'gpu',
      model(),
      { ...data, normalise: { mean: [1] } },
      {},
      /no option of this name/,
    ],
  ])('%s', async (_, on, network, set, given, message) => {
    const { bytes } = gpu().memory;
    const handed = { gpu: gpu(), device: gpu().device, promise: Promise.resolve(gpu()) }[String(on)];
    const made = Trainer.create(loose<Gpu>(handed), loose<Model>(network), loose<TrainingData>(set), {
      ...options,
      ...loose<TrainerOptions>(given),
    });
    await expect(made).rejects.toThrow(message);
    await expect(made).rejects.toSatisfy(
      (error) => error instanceof OptionError || error instanceof ShapeError,
    );
    expect(gpu().memory.bytes).toBe(bytes);
  });

  test.each<[string, unknown, RegExp]>([
    ['onEpochEnd', { onEpochEnd: () => undefined }, /did you mean onEpoch/],
    ...[-1, 0, 2.5, Number.NaN].map((everySteps): [string, unknown, RegExp] => [
      `checkpoints every ${everySteps} steps`,
      { checkpoint: { everySteps, save: async () => undefined } },
      /checkpoint comes every so many steps/,
    ]),
    [
      'an unknown part of checkpoint',
      { checkpoint: { every: 1, save: async () => undefined } },
      /everySteps/,
    ],
  ])('fit: %s', async (_, hooks, message) => {
    using trainer = await Trainer.create(gpu(), model(), data, options);
    await expect(trainer.fit(loose<FitHooks>(hooks))).rejects.toThrow(message);
    expect(trainer.progress.step).toBe(0);
  });

  test('runSteps runs as many steps as it says, over epochs, and whole ones only', async () => {
    using trainer = await Trainer.create(gpu(), model(), data, options);
    for (const count of [1.5, 0, -1, Number.NaN]) {
      await expect(trainer.runSteps(count)).rejects.toThrow(/positive integer/);
    }
    const metrics = await trainer.runSteps(200);
    expect(metrics.map(({ step }) => step)).toEqual(Array.from({ length: 200 }, (_, i) => i));
    expect(trainer.progress.step).toBe(200);
  });
});

describe('without', () => {
  test('a test split, nothing is evaluated, and that is said', async () => {
    const { test: _, ...rest } = data;
    for (const set of [
      rest,
      { ...data, test: { images: new Uint8Array(), labels: new Uint8Array(), count: 0 } },
    ]) {
      using trainer = await Trainer.create(gpu(), model(), set, options);
      const { epochs } = await trainer.fit();
      expect(epochs.map(({ testLoss, testAccuracy }) => [testLoss, testAccuracy])).toEqual([
        [undefined, undefined],
        [undefined, undefined],
      ]);
      await expect(trainer.evaluate()).rejects.toThrow(/no test split/);
      expect(gpu().memory.bytes).toBe(trainer.plan.peakBytes);
    }
  });

  test('normalise, a pixel is its byte', async () => {
    const { normalise: _, ...rest } = data;
    const hashes: string[] = [];
    for (const set of [rest, { ...data, normalise: { scale: [1], shift: [0] } }]) {
      using trainer = await Trainer.create(gpu(), model(), set, options);
      await trainer.runSteps(4);
      hashes.push(await trainer.network.hash());
    }
    expect(hashes[0]).toBe(hashes[1]);
  });
});

describe('normalisation has one reading', () => {
  test.each([1, 2, 3, 4, 5, 7])('of %d channels', async (channels) => {
    const base = quadrants(20, 10, 8, channels);
    const each = (start: number) => Array.from({ length: channels }, (_, c) => start + c / 10);
    for (const [scale, shift] of [
      [[0.01], [-0.5]],
      [each(0.01), each(-1)],
      [[0.01], each(-1)],
    ] as const) {
      const set = {
        ...base,
        name: 'quadrants',
        image: [8, 8, channels] as const,
        normalise: { scale, shift },
      };
      const reals = samplesOf({ ...set, test: base.test ?? base.train }, 'train');
      expect([...encodePixels(base.train.images, set.image, { scale, shift })]).toEqual([...reals]);
      // An evaluation on the GPU is that of the samples on the host.
      const own = { ...set, test: { ...base.train } };
      using trainer = await Trainer.create(gpu(), model(channels), own, { ...options, loss: 'crossEntropy' });
      await trainer.runSteps(2);
      const logits = await trainer.predict(reals);
      const classes = 4;
      let loss = 0;
      for (let row = 0; row < base.train.count; row++) {
        const scores = [...logits.subarray(row * classes, (row + 1) * classes)];
        const sum = scores.reduce((total, score) => total + Math.exp(score), 0);
        loss += Math.log(sum) - (scores[base.train.labels[row] ?? 0] ?? 0);
      }
      expectClose([(await trainer.evaluate()).loss], [loss / base.train.count], 1e-4, `${scale} ${shift}`);
    }
  });
});

describe('a checkpoint of another training is refused', () => {
  const other = (change: Partial<TrainingData>) => ({ ...data, ...change });
  const images = Uint8Array.from(data.train.images);
  images[1000] = (images[1000] ?? 0) ^ 1;
  test.each<[string, Model, TrainingData, TrainerOptions, RegExp]>([
    ['epsilon', model(1, 1e-3), data, options, /layers of the model/],
    ['pixels', model(), other({ train: { ...data.train, images } }), options, /data set/],
    ['normalisation', model(), other({ normalise: { scale: [1], shift: [0] } }), options, /data set/],
    ['schedule', model(), data, { ...options, learningRate: (step) => 0.01 / (step + 1) }, /schedules/],
    ['gamma', model(), data, { ...options, optimizer: { name: 'bop', gamma: 1e-3 } }, /optimizer/],
  ])('%s', async (_, network, set, given, message) => {
    const own: TrainerOptions =
      typeof given.learningRate === 'function' ? { ...options, learningRate: () => 0.01 } : options;
    using trainer = await Trainer.create(gpu(), model(), data, own);
    await trainer.runSteps(2);
    const checkpoint = await trainer.checkpoint();
    using another = await Trainer.create(gpu(), network, set, given);
    const before = await another.network.hash();
    await expect(another.restore(checkpoint)).rejects.toThrow(message);
    expect(await another.network.hash()).toBe(before);
    // The order in which options were written is no difference.
    using again = await Trainer.create(gpu(), model(), { ...data }, { ...own, seed: 7, epochs: 2 });
    await again.restore(checkpoint);
  });

  test('one of version 0.1 is restored with what it says', async () => {
    using trainer = await Trainer.create(gpu(), model(), data, options);
    await trainer.runSteps(3);
    const { tensors, progress } = await trainer.checkpoint();
    const { modelDigest: _, dataDigest: __, scheduleDigest: ___, ...fixed } = progress.fixed;
    await trainer.restore({ tensors, progress: { ...progress, fixed } });
    await expect(
      trainer.restore({ tensors, progress: { ...progress, fixed: { ...fixed, batch: 20 } } }),
    ).rejects.toThrow(/batch = 10/);
  });

  test.each<[string, Partial<Record<'step' | 'batch' | 'epoch' | 'count' | 'correct', number>>]>([
    ['more batches than an epoch has', { step: 9, batch: 9, count: 90 }],
    ['a step that epoch and batch do not give', { step: 5 }],
    ['half a step', { step: 2.5, batch: 2.5 }],
    ['more right than there were', { correct: 31 }],
    ['samples that no steps have', { count: 29 }],
  ])('progress with %s', async (_, change) => {
    using trainer = await Trainer.create(gpu(), model(), data, options);
    await trainer.runSteps(3);
    const { tensors, progress } = await trainer.checkpoint();
    await expect(trainer.restore({ tensors, progress: { ...progress, ...change } })).rejects.toThrow(
      FormatError,
    );
    expect((await trainer.runSteps(1))[0]?.step).toBe(3);
  });
});

test('images that no binding holds as a whole are held in part, and train the same', async () => {
  using narrow = await requestNarrowGpu({ maxStorageBufferBindingSize: 2 ** 16 });
  const many = quadrants(2000, 1500);
  const hashes: string[] = [];
  const accuracies: number[] = [];
  for (const device of [gpu(), narrow]) {
    using trainer = await Trainer.create(device, model(), many, { ...options, batch: 50, epochs: 1 });
    await trainer.fit();
    hashes.push(await trainer.network.hash());
    accuracies.push((await trainer.evaluate()).accuracy);
    if (device === narrow) expect(trainer.plan.data).toBeLessThan(2 ** 18);
  }
  expect(hashes[1]).toBe(hashes[0]);
  expect(accuracies[1]).toBe(accuracies[0]);
});

describe('hooks', () => {
  test('may evaluate and take checkpoints after an epoch, awaited or not', async () => {
    using trainer = await Trainer.create(gpu(), model(), data, options);
    const seen: [number, number | undefined][] = [];
    const { epochs } = await trainer.fit({
      onEpoch: async ({ testAccuracy }) => {
        const both = Promise.all([trainer.evaluate(), trainer.checkpoint()]);
        seen.push([(await both)[0].accuracy, testAccuracy]);
        void trainer.evaluate();
        await expect(trainer.runSteps(1)).rejects.toThrow(/evaluate and checkpoint may be called/);
      },
    });
    expect(seen).toHaveLength(2);
    for (const [own, reported] of seen) expect(own).toBe(reported);
    expect(epochs).toHaveLength(2);
  });
});

describe('on a device that others use, too', () => {
  test('their faults are none of a training, and neither stop it nor change it', async () => {
    using straight = await Trainer.create(gpu(), model(), data, options);
    await straight.fit();
    using own = await requestGpu();
    const { device } = own;
    const shared = Gpu.fromDevice(device);
    const trainer = await Trainer.create(shared, model(), data, options);
    const foreign = () => {
      for (let i = 0; i < 3; i++)
        device.queue.writeBuffer(device.createBuffer({ size: 4, usage: 8 }), 1, new Uint8Array(4));
    };
    await trainer.fit({
      onSteps: foreign,
      onEpoch: async () => {
        foreign();
        await new Promise((resolve) => setTimeout(resolve, 20));
      },
      checkpoint: { everySteps: 2, save: async () => foreign() },
    });
    await trainer.evaluate();
    expect(await trainer.network.hash()).toBe(await straight.network.hash());
    trainer.dispose();
    expect([shared.memory.bytes, shared.memory.buffers]).toEqual([0, 0]);
  });
});

test('a trainer is disposed after its network, too, and leaves nothing', async () => {
  using own = await requestGpu();
  const trainer = await Trainer.create(own, model(), data, options);
  trainer.network.dispose();
  trainer.dispose();
  expect([own.memory.bytes, own.memory.buffers]).toEqual([0, 0]);
});
