/** Sources: what is streamed trains the same bits as what is in memory, whatever its samples and targets are. */
import { describe, expect, test } from 'vitest';
import {
  defineSource,
  type ResidentSource,
  type SampleBatch,
  type StreamedSource,
  streamed,
  type TrainingData,
} from '../src/data/index.ts';
import { DataUnavailableError, NonFiniteError, OptionError, ShapeError } from '../src/errors.ts';
import { type Model, sequential } from '../src/graph/index.ts';
import { batchNormalization, dense, flatten, quantDense } from '../src/layers/index.ts';
import { pcg4d } from '../src/numerics/random.ts';
import { type FitHooks, Trainer, type TrainerOptions } from '../src/train/index.ts';
import { quadrants } from './helpers/data.ts';
import { useGpu } from './helpers/gpu.ts';

const gpu = useGpu();

const model = (input: readonly number[], outputs: number): Model =>
  sequential(
    [
      flatten(),
      quantDense({ units: 16, kernelQuantizer: 'steSign' }),
      batchNormalization(),
      quantDense({ units: 16, inputQuantizer: 'steSign', kernelQuantizer: 'steSign' }),
      batchNormalization(),
      dense({ units: outputs, useBias: true }),
    ],
    { input, name: 'small' },
  );

const random = (stream: number, i: number) => pcg4d(11, stream, i, 0)[0] / 2 ** 32;
const reals = (length: number, stream: number) =>
  Float32Array.from({ length }, (_, i) => random(stream, i) * 2 - 1);

/** A made set of some shape and kind of targets. */
function made(image: readonly number[], kind: 'classes' | 'bits' | 'reals', isReal: boolean): TrainingData {
  const size = image.reduce((product, extent) => product * extent, 1);
  const outputs = 3;
  const split = (count: number, stream: number): ResidentSource => {
    const values = reals(count * size, stream);
    const mean = (sample: number, from: number) => values[sample * size + from] ?? 0;
    const targets = Array.from({ length: count * outputs }, (_, i) =>
      mean(Math.floor(i / outputs), i % outputs),
    );
    return {
      count,
      images: isReal ? values : Uint8Array.from(values, (value) => (value + 1) * 127),
      labels:
        kind === 'classes'
          ? Uint16Array.from({ length: count }, (_, i) => (mean(i, 0) > 0 ? 2 : mean(i, 1) > 0 ? 1 : 0))
          : kind === 'bits'
            ? Uint8Array.from(targets, (value) => (value > 0 ? 1 : 0))
            : Float32Array.from(targets),
      weights: Float32Array.from({ length: count }, (_, i) => 0.5 + random(stream + 9, i)),
    };
  };
  return {
    ...{ name: 'made', classes: ['a', 'b', 'c'], image, targets: kind },
    ...{ train: split(205, 1), test: split(43, 2) },
    ...(isReal ? {} : { normalise: { scale: [2 / 255], shift: [-1] } }),
  };
}

const asStreams = (data: TrainingData): TrainingData => ({
  ...data,
  train: streamed(data.train as ResidentSource),
  test: streamed(data.test as ResidentSource),
});

const OPTIONS: TrainerOptions = { batch: 10, epochs: 2, seed: 5, loss: 'meanSquare', learningRate: 0.01 };

async function trained(data: TrainingData, network: Model, options = OPTIONS, hooks: FitHooks = {}) {
  using trainer = await Trainer.create(gpu(), network, data, options);
  const { epochs } = await trainer.fit(hooks);
  return {
    hash: await trainer.network.hash(),
    epochs: epochs.map(({ trainLoss, trainAccuracy, testLoss, testAccuracy }) => ({
      ...{ trainLoss, trainAccuracy, testLoss, testAccuracy },
    })),
    plan: trainer.plan,
  };
}

describe('streamed and resident trainings end with the same bits', () => {
  const wide = quadrants(200, 90, 8, 3);
  const cases: readonly (readonly [string, TrainingData, Model, TrainerOptions])[] = [
    ['images of bytes', wide, model([8, 8, 3], 4), { ...OPTIONS, loss: 'squaredHinge' }],
    [
      'augmented images, classes weighed',
      quadrants(200, 90),
      model([8, 8, 1], 4),
      {
        ...OPTIONS,
        augment: [{ name: 'crop', pad: 2 }, 'flip'],
        loss: 'crossEntropy',
        classWeights: [1, 2, 0.5, 1],
      },
    ],
    [
      'rows of reals, classes',
      made([5], 'classes', true),
      model([5], 3),
      { ...OPTIONS, batch: 7, loss: 'crossEntropy' },
    ],
    [
      'bytes of odd sizes, bits',
      made([3, 3], 'bits', false),
      model([3, 3], 3),
      { ...OPTIONS, loss: 'binaryCrossEntropy' },
    ],
    ['reals of three axes, reals', made([3, 2, 2], 'reals', true), model([3, 2, 2], 3), OPTIONS],
  ];
  for (const [title, data, network, options] of cases) {
    test(title, async () => {
      const resident = await trained(data, network, options);
      const stream = await trained(asStreams(data), network, options);
      expect(stream.hash).toBe(resident.hash);
      expect(stream.epochs).toEqual(resident.epochs);
      expect(Object.values(resident.epochs[1] ?? {}).every((value) => Number.isFinite(value))).toBe(true);
    });
  }

  test('what is learnt is right: a loss of each kind of targets falls', async () => {
    for (const [data, loss] of [
      [made([5], 'classes', true), 'crossEntropy'],
      [made([5], 'bits', true), 'binaryCrossEntropy'],
      [made([5], 'reals', true), 'meanSquare'],
    ] as const) {
      const { epochs } = await trained(data, model([5], 3), { ...OPTIONS, epochs: 12, loss });
      expect(epochs.at(-1)?.trainLoss).toBeLessThan(0.75 * (epochs[0]?.trainLoss ?? 0));
    }
  });

  test('a stream is held as a window, and a limit that the whole set breaks is kept', async () => {
    const data = quadrants(20_000, 0, 32);
    const network = model([32, 32, 1], 4);
    const options = { ...OPTIONS, batch: 500, epochs: 1, loss: 'squaredHinge' } as const;
    const limit = { ...options, maxBytes: 2 ** 24 + 2 ** 22 };
    await expect(Trainer.create(gpu(), network, data, limit)).rejects.toThrow(/streamed\(data\.train\)/);
    const { test: _, ...set } = data;
    const own = { ...set, train: streamed(data.train) };
    const stream = await trained(own, network, limit);
    expect(stream.plan.data).toBeLessThan(2 ** 23 + 2 ** 16);
    expect(stream.hash).toBe((await trained(set, network, options)).hash);
  });

  test('goes on from a checkpoint in the middle of an epoch, streamed or not', async () => {
    const data = made([5], 'classes', true);
    const network = model([5], 3);
    const whole = await trained(data, network, { ...OPTIONS, loss: 'crossEntropy' });
    for (const [first, second] of [
      [asStreams(data), data],
      [data, asStreams(data)],
      [asStreams(data), asStreams(data)],
    ] as const) {
      const options = { ...OPTIONS, loss: 'crossEntropy' } as const;
      using before = await Trainer.create(gpu(), network, first, options);
      await before.runSteps(13);
      using after = await Trainer.create(gpu(), network, second, options);
      await after.restore(await before.checkpoint());
      await after.fit();
      expect(await after.network.hash()).toBe(whole.hash);
    }
  });
});

describe('a stream', () => {
  const data = quadrants(200, 50);
  const network = model([8, 8, 1], 4);
  const { read } = streamed(data.train);

  /** The training images, with something done at every read. */
  const watched = (own: (samples: Uint32Array, into: SampleBatch) => void | Promise<void>): TrainingData => ({
    ...data,
    train: defineSource({
      ...streamed(data.train),
      async read(samples, into) {
        await read(samples, into);
        await own(samples, into);
      },
    }),
  });

  test('is read in order, one call at a time, ahead, and every sample once an epoch', async () => {
    let running = 0;
    const seen: number[] = [];
    const source = watched(async (samples) => {
      running += 1;
      expect(running).toBe(1);
      await new Promise((resolve) => setTimeout(resolve, 1));
      seen.push(...samples);
      running -= 1;
    });
    using trainer = await Trainer.create(gpu(), network, source, { batch: 10, epochs: 2 });
    await trainer.runSteps(1);
    expect(seen.length).toBeGreaterThanOrEqual(10);
    await trainer.fit();
    expect(seen.length).toBe(400);
    expect(new Set(seen.slice(0, 200)).size).toBe(200);
    expect(new Set(seen.slice(200)).size).toBe(200);
    // What was read ahead while it was stopped is not read again.
    expect(seen.slice(0, 10)).not.toEqual(seen.slice(200, 210));
  });

  test('no step reads anything back but its numbers', async () => {
    using resident = await Trainer.create(gpu(), network, data, { batch: 10 });
    using stream = await Trainer.create(gpu(), network, asStreams(data), { batch: 10 });
    const submits = async (trainer: Trainer) => {
      const { submits: before } = gpu().counters;
      await trainer.runSteps(20);
      return gpu().counters.submits - before;
    };
    expect(await submits(stream)).toBe(await submits(resident));
  });

  test('that fails says so; the training goes on where it was to the same bits', async () => {
    const whole = await trained(data, network, { batch: 10, epochs: 2 });
    let reads = 0;
    let fails = true;
    const source = watched(() => {
      reads += 1;
      if (fails && reads >= 9) throw new Error('the disk is gone');
    });
    using trainer = await Trainer.create(gpu(), network, source, { batch: 10, epochs: 2 });
    const error = await trainer.fit().catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(DataUnavailableError);
    expect(String(error)).toMatch(/quadrants, train[\s\S]*the disk is gone/);
    expect(trainer.progress.step).toBeLessThan(9);
    fails = false;
    await trainer.fit();
    expect(await trainer.network.hash()).toBe(whole.hash);
  });

  test('whose content is impossible is refused with the sample', async () => {
    const sample = 77;
    const changed = (into: (batch: SampleBatch, row: number) => void) =>
      watched((samples, batch) => {
        const row = samples.indexOf(sample);
        if (row >= 0) into(batch, row);
      });
    const label = changed(({ labels }, row) => {
      labels[row] = 9;
    });
    const weight = changed(({ weights }, row) => {
      weights[row] = Number.NaN;
    });
    for (const [set, words] of [
      [label, /no class[\s\S]*9 for sample 77/],
      [weight, /not finite[\s\S]*NaN in the weight of sample 77/],
    ] as const) {
      using trainer = await Trainer.create(gpu(), network, set, { batch: 10 });
      await expect(trainer.fit()).rejects.toThrow(words);
    }
  });

  test('of a loss that is not finite, the diagnosis looks at the batch that made it so', async () => {
    const set = made([5], 'reals', true);
    const { train } = set;
    const source = streamed(train as ResidentSource);
    const overflowing: StreamedSource = {
      ...source,
      async read(samples, into) {
        await source.read(samples, into);
        // Differences from the mean are too large for floats.
        if (samples.includes(77)) into.images.fill(3e38).fill(-3e38, 5, 10);
      },
    };
    const network = sequential([batchNormalization({ name: 'first' }), dense({ units: 3 })], { input: [5] });
    using trainer = await Trainer.create(gpu(), network, { ...set, train: overflowing }, OPTIONS);
    const error = await trainer.fit().catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(NonFiniteError);
    expect((error as NonFiniteError).given).toMatch(/step \d+, first in layer first/);
  });

  test.each([
    [{ count: 0 }, /count: 0/],
    [{ dtype: 'i8' }, /dtype: i8/],
    [{ identity: '' }, /identity/],
    [{ read: 'file' }, /read: file/],
    [{ weighted: 1 }, /weighted/],
  ])('with %o is refused', (change, words) => {
    const definition = { ...streamed(data.train), ...change } as StreamedSource;
    expect(() => defineSource(definition)).toThrow(words);
    expect(() => defineSource(definition)).toThrow(OptionError);
  });
});

describe('targets', () => {
  test('one output tells two classes apart', async () => {
    const set = quadrants(300, 100);
    const halves = (labels: Uint8Array) => labels.map((label) => (label < 2 ? 0 : 1));
    const data = {
      ...set,
      classes: ['top', 'bottom'],
      train: { ...set.train, labels: halves(set.train.labels) },
      test: { ...set.test, labels: halves(set.test.labels) },
    };
    using trainer = await Trainer.create(gpu(), model([8, 8, 1], 1), data, {
      ...{ batch: 25, epochs: 6, loss: 'binaryCrossEntropy', classWeights: 'balanced' },
    });
    await trainer.fit();
    const { accuracy } = await trainer.evaluate();
    expect(accuracy).toBeGreaterThan(0.8);
    const scores = await trainer.predict(Float32Array.from(set.test.images, (byte) => (byte * 2) / 255 - 1));
    const right = scores.filter((score, i) => score > 0 === (data.test.labels[i] === 1)).length;
    expect(right / 100).toBe(accuracy);
  });

  test('weights of samples: a sample that weighs nothing teaches nothing', async () => {
    const set = quadrants(200, 50);
    const wrong = set.train.labels.map((label, i) => (i % 2 === 0 ? (label + 1) % 4 : label));
    const weights = Float32Array.from({ length: 200 }, (_, i) => i % 2);
    const network = model([8, 8, 1], 4);
    const options = { batch: 20, epochs: 2 };
    const data = { ...set, train: { ...set.train, weights } };
    const other = { ...set, train: { ...set.train, labels: wrong, weights } };
    expect((await trained(other, network, options)).hash).toBe((await trained(data, network, options)).hash);
    expect((await trained(data, network, options)).hash).not.toBe(
      (await trained(set, network, options)).hash,
    );
  });

  test('more than 256 classes', async () => {
    const labels = Uint32Array.from({ length: 900 }, (_, i) => i % 300);
    const images = Float32Array.from({ length: 900 * 9 }, (_, i) =>
      ((i % 9 === 0 ? 1 : Math.floor(i / 9) % 300) >> (i % 9)) & 1 ? 1 : -1,
    );
    const data = {
      name: 'many',
      classes: Array.from({ length: 300 }, (_, i) => `class ${i}`),
      image: [9],
      train: { count: 900, images, labels },
      test: { count: 900, images, labels },
    };
    const network = sequential([dense({ units: 300, useBias: true })], { input: [9] });
    using trainer = await Trainer.create(gpu(), network, data, {
      batch: 100,
      epochs: 3,
      loss: 'crossEntropy',
      learningRate: 0.1,
    });
    await trainer.fit();
    const scores = await trainer.predict(images.subarray(0, 300 * 9));
    const right = [...labels.subarray(0, 300)].filter((label, i) => {
      const row = scores.subarray(300 * i, 300 * (i + 1));
      return row.indexOf(Math.max(...row)) === label;
    }).length;
    expect((await trainer.evaluate()).correct).toBe(3 * right);
    expect(right).toBeGreaterThan(30);
  });

  const base = made([5], 'reals', true);
  const own = base.train as ResidentSource;
  const bits = made([5], 'bits', true);
  test.each<[string, TrainingData, Model, TrainerOptions, RegExp]>([
    [
      'NaN among the reals',
      { ...base, train: { ...own, images: own.images.with(5 * 31 + 2, Number.NaN) } as ResidentSource },
      model([5], 3),
      OPTIONS,
      /NaN in the image of sample 31, place 2/,
    ],
    [
      'NaN among the targets',
      { ...base, train: { ...own, labels: own.labels.with(3 * 8 + 1, Number.NaN) } as ResidentSource },
      model([5], 3),
      OPTIONS,
      /NaN in the target of sample 8, place 1/,
    ],
    [
      'unknown targets',
      { ...base, targets: 'words' as 'bits' },
      model([5], 3),
      OPTIONS,
      /classes, bits, reals/,
    ],
    ['targets that are no reals', { ...bits, targets: 'reals' }, model([5], 3), OPTIONS, /Float32Array/],
    ['another number of outputs', base, model([5], 4), OPTIONS, /\[3\]/],
    [
      'two is no bit',
      { ...bits, train: { ...(bits.train as ResidentSource), labels: new Uint8Array(615).fill(2) } },
      model([5], 3),
      OPTIONS,
      /2 for sample 0[\s\S]*0 or 1/,
    ],
    [
      'class weights of reals',
      base,
      model([5], 3),
      { ...OPTIONS, classWeights: [1, 1, 1] },
      /weights of samples/,
    ],
    [
      'too few class weights',
      made([5], 'classes', true),
      model([5], 3),
      { ...OPTIONS, classWeights: [1] },
      /3 numbers/,
    ],
    [
      'augmented rows',
      base,
      model([5], 3),
      { ...OPTIONS, augment: [{ name: 'crop', pad: 1 }, 'flip'] },
      /height, width, channels/,
    ],
  ])('%s are refused', async (_, data, network, options, words) => {
    const error = await Trainer.create(gpu(), network, data, options).catch((cause: unknown) => cause);
    expect(error instanceof OptionError || error instanceof ShapeError).toBe(true);
    expect(String(error)).toMatch(words);
  });
});
