/** Training as people expect it: validation, scores, early stopping, the best, warm-up, restarts, clipping; all resumable. */
import { describe, expect, test } from 'vitest';
import { withValidation } from '../src/data/index.ts';
import { OptionError } from '../src/errors.ts';
import { defineOptimizer } from '../src/methods/index.ts';
import { scheduledAt } from '../src/methods/schedules.ts';
import {
  bestEpoch,
  type Checkpoint,
  type EpochInfo,
  earlyStopping,
  keepBest,
  Trainer,
  type TrainerOptions,
} from '../src/train/index.ts';
import { mlp } from '../src/zoo/index.ts';
import { quadrants } from './helpers/data.ts';
import { useGpu } from './helpers/gpu.ts';

const gpu = useGpu();
const data = quadrants(600, 200);
const small = () => mlp({ input: [8, 8, 1], classes: 4, units: 64 });
const options: TrainerOptions = { batch: 50, epochs: 6, seed: 7 };
const make = (own: TrainerOptions = {}, from = data) =>
  Trainer.create(gpu(), small(), from, { ...options, ...own });

/** Epochs whose loss on the test split is this. */
const epochs = (...losses: readonly number[]) =>
  losses.map((testLoss, i) => ({ epoch: i + 1, testLoss, testAccuracy: 1 - testLoss }) as EpochInfo);

describe('validation', () => {
  test('takes a share of each class from what trains, by its seed', () => {
    const { train, validation, test: kept } = withValidation(data, 0.25, 3);
    expect([train.count, validation.count, kept]).toEqual([449, 151, data.test]);
    const perClass = (labels: ArrayLike<number>) =>
      [0, 1, 2, 3].map((c) => Array.from(labels).filter((l) => l === c).length);
    if (!('labels' in train)) throw new Error('a stream');
    const all = perClass(data.train.labels);
    expect(perClass(validation.labels)).toEqual(all.map((n) => Math.round(n / 4)));
    expect(perClass(train.labels)).toEqual(all.map((n) => n - Math.round(n / 4)));
    expect(withValidation(data, 0.25, 3).validation.labels).toEqual(validation.labels);
    expect(withValidation(data, 0.25, 4).validation.labels).not.toEqual(validation.labels);
    expect(() => withValidation(data, 1, 3)).toThrow(OptionError);
  });

  test('is evaluated after every epoch, beside the test split', async () => {
    const parted = withValidation(data, 0.25, 3);
    using trainer = await make({ epochs: 2 }, parted);
    const { epochs: all } = await trainer.fit();
    const last = all.at(-1);
    const { loss, accuracy, count } = await trainer.evaluate('validation');
    expect({ loss, accuracy, count }).toEqual({
      loss: last?.validationLoss,
      accuracy: last?.validationAccuracy,
      count: 151,
    });
    expect((await trainer.evaluate()).count).toBe(200);
    using without = await make({ epochs: 1 });
    await expect(without.evaluate('validation')).rejects.toThrow(
      /no validation split[\s\S]*data\.validation/,
    );
    expect((await without.fit()).epochs[0]).not.toHaveProperty('validationLoss');
  });
});

test('scores are what predictions say: the matrix, the classes, their F1', async () => {
  using trainer = await make({ epochs: 2 });
  await trainer.fit();
  const { scores, accuracy } = await trainer.evaluate();
  if (scores.targets !== 'classes') throw new Error(scores.targets);
  const { images, labels } = data.test;
  const outputs = await trainer.predict(
    Float32Array.from(
      images,
      (byte) => byte * (data.normalise?.scale?.[0] ?? 1) + (data.normalise?.shift?.[0] ?? 0),
    ),
  );
  const confusion = Array.from({ length: 4 }, () => [0, 0, 0, 0]);
  for (const [i, label] of Array.from(labels).entries()) {
    const own = [...outputs.subarray(4 * i, 4 * i + 4)];
    const row = confusion[label];
    const answer = own.indexOf(Math.max(...own));
    if (row !== undefined) row[answer] = (row[answer] ?? 0) + 1;
  }
  expect(scores.confusion).toEqual(confusion);
  expect(scores.top5).toBe(1);
  expect(scores.classes.reduce((sum, { recall, count }) => sum + recall * count, 0) / 200).toBeCloseTo(
    accuracy,
    12,
  );
});

test('statistics are refitted at the end: those of the final weights over all samples', async () => {
  const { train, normalise } = data;
  const whole = { ...options, batch: train.count, epochs: 3, learningRate: 0.05 };
  const trained = async (refitStatistics: boolean) => {
    const trainer = await make({ ...whole, refitStatistics });
    const { epochs: all } = await trainer.fit();
    return {
      trainer,
      last: all.at(-1),
      values: await trainer.network.values(),
    };
  };
  const [plain, refitted] = [await trained(false), await trained(true)];
  using _ = plain.trainer;
  using judged = refitted.trainer;
  for (const name of ['dense1/kernel', 'dense3/kernel', 'norm3/gamma']) {
    expect(refitted.values.get(name)?.length, name).toBeGreaterThan(0);
    expect(refitted.values.get(name), name).toEqual(plain.values.get(name));
  }
  expect((await judged.evaluate()).loss).toBe(refitted.last?.testLoss);

  // The twin: sums of pixels times signs, of every unit and sample.
  const signs = Float64Array.from(refitted.values.get('dense1/kernel') as Float32Array, (w) =>
    w < 0 ? -1 : 1,
  );
  const [scale = 1, shift = 0] = [normalise?.scale?.[0], normalise?.shift?.[0]];
  const [features, units] = [64, 64];
  const means = Array.from({ length: units }, (_, unit) => {
    let sum = 0;
    for (let at = 0; at < train.count * features; at++) {
      const pixel = (train.images[at] ?? 0) * scale + shift;
      sum += pixel * (signs[unit * features + (at % features)] ?? 0);
    }
    return sum / train.count;
  });
  const kept = (of: typeof plain) => [...(of.values.get('norm1/runningMean') as Float32Array)];
  const distance = (a: readonly number[]) =>
    Math.max(...a.map((mean, i) => Math.abs(mean - (means[i] ?? 0))));
  // After a hundred averages at 0.9, what was there before counts 0.9^100.
  expect(distance(kept(refitted))).toBeLessThan(1e-3);
  expect(distance(kept(plain))).toBeGreaterThan(0.1);
});

test('statistics are those of the network that is run, whatever values its optimizer trained', async () => {
  const ending = (level: number) =>
    defineOptimizer({
      name: 'ending',
      formula: 'w - rate g; at the end level · sign(w)',
      source: 'this test',
      wgsl: `struct Scalars { rate: f32 }
        fn update(w: Lane, g: Lane, slots: ptr<function, Slots>, scalars: Scalars) -> Lane { return w - scalars.rate * g; }`,
      twin: ({ w, g, scalars: { rate = 0 } }) => w - rate * g,
      gradient: 'plain',
      forward: 'value',
      finish: ({ weights }) => weights.map((w) => (w < 0 ? -level : level)),
    })();
  const statistics = async (level: number) => {
    using trainer = await make({ ...options, epochs: 1, optimizer: ending(level) });
    await trainer.fit();
    const values = await trainer.network.values();
    return [...values].filter(([name]) => /running/.test(name));
  };
  expect(await statistics(0.25)).toEqual(await statistics(1));
});

describe('early stopping and the best', () => {
  test('what is judged, and when it is better', () => {
    const all = epochs(0.5, 0.3, 0.31, 0.3, 0.29);
    expect(bestEpoch(all, undefined).epoch).toBe(5);
    expect(bestEpoch(all.slice(0, 4), 'testLoss').epoch).toBe(2);
    expect(bestEpoch(all, 'testAccuracy').epoch).toBe(5);
    expect(bestEpoch(all, 'testLoss', 0.05).epoch).toBe(2);
    expect(() => bestEpoch(all, 'validationLoss')).toThrow(/not judged by that[\s\S]*--validation/);
  });

  test.each([
    [{ patience: 0 }, /some epochs/],
    [{ patience: 2, minDelta: -1 }, /some epochs/],
    [{ patience: 2, monitor: 'loss' as never }, /validationLoss/],
    [{ patiense: 2 } as never, /patience/],
  ])('%j is refused', (given, words) => {
    expect(() => earlyStopping(given)).toThrow(words);
  });

  test('a training stops where nothing gets better, whole or resumed, and the best is kept', async () => {
    // A rate that falls to nothing: nothing changes then, and so nothing gets better.
    const own: TrainerOptions = { epochs: 20, learningRate: (step) => (step < 24 ? 0.01 : 0) };
    const saved: number[] = [];
    let best: Checkpoint | undefined;
    const hooksOf = (trainer: Trainer) => [
      earlyStopping({ patience: 2, monitor: 'trainLoss' as const, minDelta: 10 }),
      keepBest({
        monitor: 'testLoss',
        save: async ({ epoch }) => {
          saved.push(epoch);
          best = await trainer.checkpoint();
        },
      }),
    ];
    using trainer = await make(own);
    const result = await trainer.fit({ hooks: hooksOf(trainer) });
    expect(result.outcome).toBe('stopped');
    expect(result.epochs.length).toBe(3);
    expect(saved.at(-1)).toBe(bestEpoch(result.epochs, 'testLoss').epoch);

    using resumed = await make(own);
    if (best === undefined) throw new Error('nothing was kept');
    await resumed.restore(best);
    expect((await resumed.evaluate()).loss).toBe(bestEpoch(result.epochs, 'testLoss').testLoss);
    const again = await resumed.fit({ hooks: hooksOf(resumed) });
    expect(again.epochs.length).toBe(3);
    expect(await resumed.network.hash()).toBe(await trainer.network.hash());
  });
});

describe('schedules', () => {
  const at = (schedule: Parameters<typeof scheduledAt>[0], step: number) =>
    scheduledAt(schedule, { step, steps: 100, epochSteps: 10 });

  test('warm up in a line to where they begin', () => {
    const rate = { from: 0.1, to: 0, decay: 'linear', warmupEpochs: 2 } as const;
    expect([0, 10, 19].map((step) => at(rate, step))).toEqual([0.1 / 21, 1.1 / 21, 2 / 21]);
    expect([at(rate, 20), at(rate, 99)]).toEqual([0.1, 0]);
    const halved = { from: 0.1, decay: 'halving', everyEpochs: 4, warmupEpochs: 0.5 } as const;
    expect([at(halved, 4), at(halved, 5), at(halved, 39), at(halved, 40)]).toEqual([0.5 / 6, 0.1, 0.1, 0.05]);
  });

  test('restart as often as they say', () => {
    const rate = { from: 1, to: 0.5, decay: 'cosine', cycles: 4 } as const;
    for (const cycle of [0, 1, 2, 3])
      expect([at(rate, 25 * cycle), at(rate, 25 * cycle + 24)]).toEqual([1, 0.5]);
    const once = { from: 1, to: 0.5, decay: 'cosine' } as const;
    for (const step of [0, 13, 99])
      expect(at({ ...once, cycles: 1, warmupEpochs: 0 }, step)).toBe(at(once, step));
  });

  test.each([
    [{ from: 1, to: 0.5, decay: 'cosine', cycles: 0 }, /whole number of times/],
    [{ from: 1, to: 0.5, decay: 'cosine', warmupEpochs: -1 }, /warms up/],
    [{ from: 1, decay: 'halving', everyEpochs: 2, warmupEpochs: Number.NaN }, /warms up/],
  ] as const)('%j is refused', async (learningRate, words) => {
    await expect(make({ learningRate })).rejects.toThrow(words);
  });
});

describe('clipping', () => {
  test.each([{ norm: 0.05 }, { value: 0.001 }])('%j trains otherwise, and resumes exactly', async (clip) => {
    const own: TrainerOptions = { epochs: 1, optimizer: 'sgd', learningRate: 0.1, clip };
    using trainer = await make(own);
    await trainer.runSteps(3);
    const checkpoint = await trainer.checkpoint();
    await trainer.runSteps(3);
    const { clip: _, ...without } = own;
    using other = await make(without);
    await other.runSteps(6);
    expect(await other.network.hash()).not.toBe(await trainer.network.hash());
    using resumed = await make(own);
    await resumed.restore(checkpoint);
    await resumed.runSteps(3);
    expect(await resumed.network.hash()).toBe(await trainer.network.hash());
    await expect(other.restore(checkpoint)).rejects.toThrow(OptionError);
  });

  test('to what no gradient reaches changes nothing', async () => {
    using clipped = await make({ epochs: 1, clip: { norm: 1e6 } });
    using plain = await make({ epochs: 1 });
    await clipped.runSteps(5);
    await plain.runSteps(5);
    expect(await clipped.network.hash()).toBe(await plain.network.hash());
  });

  test.each([{ norm: 0 }, { norm: 1, value: 1 }, {}, { length: 1 }] as never[])(
    '%j is refused',
    async (clip) => {
      await expect(make({ clip })).rejects.toThrow(OptionError);
    },
  );
});
