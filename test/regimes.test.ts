/** Training regimes: what defines each, held against numbers found by hand, and small trainings of them. */
import { describe, expect, test } from 'vitest';
import { samplesOf } from '../src/data/index.ts';
import { sequential } from '../src/graph/index.ts';
import { batchNormalization, flatten, quantDense } from '../src/layers/index.ts';
import { checkMethod } from '../src/methods/check.ts';
import { greedyBits } from '../src/methods/quantizers/greedy-bits.ts';
import {
  boost,
  bootstrap,
  createMany,
  cyclicBits,
  keepSigns,
  lateClip,
  majoritySigns,
  maskedShare,
  maskSigns,
  progressiveSigns,
  spela,
  spelaLoss,
  stableSigns,
  trainByVotes,
  trainCyclic,
  trainEnsemble,
  trainMany,
  voted,
} from '../src/regimes/index.ts';
import { type Checkpoint, type Hook, Trainer } from '../src/train/index.ts';
import { mlp } from '../src/zoo/index.ts';
import { quadrants } from './helpers/data.ts';
import { expectSame, useGpu } from './helpers/gpu.ts';

const gpu = useGpu();
const data = quadrants(400, 100);
const model = () => mlp({ input: data.image, classes: 4, units: 32 });
const small = { batch: 50, epochs: 2, seed: 3 };

describe('ensembles', () => {
  /** Five samples of which the first was missed: e = 1/5, ln((1 - e) / e) = ln 4. */
  const missed = [true, false, false, false, false];
  const even = (w: number) => [w, w, w, w, w];

  test('A: α = ln 2; the missed sample weighs twice as much, the others half', () => {
    const { error, alpha, weights } = boost('A', even(1), missed);
    expect(error).toBeCloseTo(0.2, 12);
    expect(alpha).toBeCloseTo(Math.LN2, 12);
    expect(weights.map((w) => Number(w.toFixed(12)))).toEqual([2, 0.5, 0.5, 0.5, 0.5]);
    // The errors of the next member are of these weights: it is half wrong if it misses the same one.
    expect(boost('A', [2, 0.5, 0.5, 0.5, 0.5], missed)).toMatchObject({ error: 0.5, alpha: 0 });
  });

  test('B: α = ln 36 / 10; of weights of a half, a logistic function of ±α', () => {
    const { alpha, weights } = boost('B', even(0.5), missed);
    expect(alpha).toBeCloseTo(0.358351893845611, 12);
    expect(weights[0]).toBeCloseTo(0.5886414, 6);
    expect(weights[1]).toBeCloseTo(0.4113586, 6);
  });

  test('C: 1 - (n / 10) times the normalised part of (1 - w) exp(-±α)', () => {
    const { alpha, weights } = boost('C', even(0.9), missed);
    expect(alpha).toBeCloseTo(0.358351893845611, 12);
    // 0.1 exp(-α) = 0.0698827, 0.1 exp(α) = 0.1430969, their sum 0.6422703.
    expect(weights[0]).toBeCloseTo(1 - (0.5 * 0.0698827) / 0.6422703, 6);
    expect(weights[1]).toBeCloseTo(1 - (0.5 * 0.1430969) / 0.6422703, 6);
  });

  test("D: B's α, A's update", () => {
    const { alpha, weights } = boost('D', even(1), missed);
    expect(alpha).toBeCloseTo(0.358351893845611, 12);
    expect(weights[0]).toBeCloseTo(1.430969, 6);
    expect(weights[1]).toBeCloseTo(1 / 1.430969, 6);
  });

  test('of a member that is right about everything there is no α', () => {
    expect(() => boost('A', even(1), [false, false, false, false, false])).toThrow(/wrong about some/);
    expect(() => boost('A', even(1), [true])).toThrow(/wrong about some/);
  });

  test('votes: hard ones count members, soft ones how sure they are', () => {
    // Two members say 0 by a little, one says 1 by a lot; logits whose softmax is 0.6/0.4 and 0.1/0.9.
    const outputs = [
      [Math.log(6), Math.log(4)],
      [Math.log(6), Math.log(4)],
      [0, Math.log(9)],
    ];
    expect([...voted(outputs, [1, 1, 1], 1, 'hard')]).toEqual([2, 1]);
    const soft = [...voted(outputs, [1, 1, 1], 1, 'soft')];
    expect(soft[0]).toBeCloseTo(1.3, 12);
    expect(soft[1]).toBeCloseTo(1.7, 12);
    expect([...voted(outputs, [1, 1, 3], 1, 'hard')]).toEqual([2, 3]);
  });

  test('bootstrap samples follow from the seed and the member, and leave out about 1/e', () => {
    expect(bootstrap(1000, 1, 2)).toEqual(bootstrap(1000, 1, 2));
    expect(bootstrap(1000, 1, 3)).not.toEqual(bootstrap(1000, 1, 2));
    expect(1 - new Set(bootstrap(10_000, 1, 0)).size / 10_000).toBeCloseTo(1 / Math.E, 1);
  });

  test('members differ, and vote together; the first of boosting is the training as it is', async () => {
    const boosted = await trainEnsemble(gpu(), model, data, { members: 2, rule: 'A', training: small });
    const trainer = await Trainer.create(gpu(), model(), data, small);
    await trainer.fit();
    expectSame(
      boosted.outputs[0] ?? [],
      await trainer.predict(samplesOf(data, 'test', { first: 0, count: 100 })),
    );
    trainer.dispose();
    expect(boosted.outputs[1]).not.toEqual(boosted.outputs[0]);
    expect(boosted.alphas[0]).toBeGreaterThan(0);
    for (const vote of ['soft', 'hard'] as const) {
      expect(boosted.accuracy(vote)).toBeGreaterThanOrEqual(Math.min(...boosted.alone));
    }
    const bagged = await trainEnsemble(gpu(), model, data, { members: 2, rule: 'bagging', training: small });
    expect(bagged.alphas).toEqual([1, 1]);
    expect(bagged.outputs[0]).not.toEqual(boosted.outputs[0]);
  });
});

describe('several networks on one data set', () => {
  test('samples are on the GPU once, each learns what it learns alone, and the last takes the samples along', async () => {
    const before = gpu().memory.bytes;
    const weights = Float32Array.from({ length: data.train.count }, (_, i) => i % 3);
    const wide = mlp({ input: data.image, classes: 4, units: 48 });
    const trainers = await trainMany(
      gpu(),
      [{ model: model() }, { model: wide, weights }, { model: model(), training: { seed: 3 } }],
      data,
      small,
    );
    const hashes = await Promise.all(trainers.map(({ network }) => network.hash()));
    const held = gpu().memory.bytes - before;
    const alone: string[] = [];
    let apart = 0;
    for (const [own, part, seed] of [
      [model(), data.train, 3],
      [wide, { ...data.train, weights }, 4],
      [model(), data.train, 3],
    ] as const) {
      const start = gpu().memory.bytes;
      using trainer = await Trainer.create(gpu(), own, { ...data, train: part }, { ...small, seed });
      await trainer.fit();
      alone.push(await trainer.network.hash());
      apart += gpu().memory.bytes - start;
    }
    expect(hashes).toEqual(alone);
    expect(hashes[2]).toBe(hashes[0]);
    const images = 64 * (data.train.count + (data.test?.count ?? 0));
    expect(apart - held).toBeGreaterThanOrEqual(2 * images);
    // The first lent the samples, and goes first.
    const [first, second, third] = trainers;
    first?.dispose();
    expect((await second?.evaluate())?.accuracy).toBeGreaterThan(0.5);
    third?.dispose();
    expect((await second?.evaluate())?.accuracy).toBeGreaterThan(0.5);
    second?.dispose();
    expect(gpu().memory.bytes).toBe(before);

    await expect(
      createMany(gpu(), [{ model: wide }, { model: wide, weights: [1, 2] }], data),
    ).rejects.toThrow(/weights of a data set are not as many/);
    await expect(createMany(gpu(), [], data)).rejects.toThrow(/nothing to train/);
    expect(gpu().memory.bytes).toBe(before);
  });
});

describe('progressive signs', () => {
  test('layers take turns, and a mask takes its share of the weights and keeps them', () => {
    const between = { start: 0.2, end: 0.8 };
    const shares = (progress: number) =>
      [0, 1, 2].map((layer) => Number(maskedShare(progress, layer, 3, between).toFixed(9)));
    expect(shares(0.1)).toEqual([0, 0, 0]);
    expect(shares(0.3)).toEqual([0.5, 0, 0]);
    expect(shares(0.45)).toEqual([1, 0.25, 0]);
    expect(shares(0.8)).toEqual([1, 1, 1]);
    const weights = Float32Array.from({ length: 20_000 }, (_, i) => (i % 2 === 0 ? 0.3 : -0.3));
    const taken = maskSigns(weights, 0.3, 5, 1);
    // Four standard errors.
    expect(Math.abs(taken / 20_000 - 0.3)).toBeLessThan(4 * Math.sqrt((0.3 * 0.7) / 20_000));
    const first = weights.slice();
    expect(maskSigns(weights, 0.3, 5, 1)).toBe(0);
    expect(maskSigns(weights, 1, 5, 1)).toBe(20_000 - taken);
    for (const [i, w] of weights.entries()) {
      expect(Math.abs(first[i] ?? 0) === 1 ? first[i] : w).toBe(i % 2 === 0 ? 1 : -1);
    }
    expect(() => progressiveSigns({ everySteps: 1, start: 0.5, end: 0.5 })).toThrow(/two shares/);
  });

  test('signs rest while reals learn, all are signs at the end, and a resumed training has the same bits', async () => {
    const options = { everySteps: 2, end: 0.9, seed: 7 };
    const { optimizer, hook } = progressiveSigns(options);
    await checkMethod(gpu(), optimizer);
    const shares: number[][] = [];
    const moved: string[] = [];
    const kept = new Map<string, Float32Array>();
    const watch: Hook = {
      everySteps: 2,
      async onSteps({ read, step, epochs, batches }) {
        const row: number[] = [];
        for (const [layer, name] of ['dense1/kernel', 'dense2/kernel', 'dense3/kernel'].entries()) {
          const weights = await read(name);
          const before = kept.get(name);
          for (const [i, w] of weights.entries()) {
            if (before !== undefined && Math.abs(before[i] ?? 0) === 1 && before[i] !== w)
              moved.push(`${name} ${i}`);
          }
          kept.set(name, weights.slice());
          const share = weights.filter((w) => Math.abs(w) === 1).length / weights.length;
          const wanted = maskedShare(step / (epochs * batches), layer, 3, { start: 0, end: 0.9 });
          expect(Math.abs(share - wanted)).toBeLessThan(0.12);
          row.push(share);
        }
        shares.push(row);
      },
    };
    let middle: Checkpoint | undefined;
    const long = { ...small, epochs: 3, optimizer };
    using trainer = await Trainer.create(gpu(), model(), data, long);
    await trainer.fit({
      hooks: [hook, watch],
      checkpoint: {
        everySteps: 6,
        save: async (saved) => {
          if (saved.progress.step === 14) middle = saved;
        },
      },
    });
    expect(moved).toEqual([]);
    expect(shares[2]?.[2]).toBe(0);
    expect(shares.at(-1)).toEqual([1, 1, 1]);
    expect((await trainer.evaluate()).accuracy).toBeGreaterThan(0.6);
    using again = await Trainer.create(gpu(), model(), data, long);
    await again.restore(middle as Checkpoint);
    await again.fit({ hooks: [progressiveSigns(options).hook] });
    expect(await again.network.hash()).toBe(await trainer.network.hash());
  });
});

describe('cyclic precision', () => {
  test('goes up and back by a cosine, and ends with the fewest bits', () => {
    expect(cyclicBits({ from: 1, to: 3, cycles: 2, epochs: 12 })).toEqual([
      1, 2, 3, 3, 2, 1, 1, 2, 3, 3, 2, 1,
    ]);
    expect(cyclicBits({ from: 1, to: 2, cycles: 1, epochs: 2 })).toEqual([2, 1]);
    expect(cyclicBits({ from: 1, to: 1, cycles: 1, epochs: 2 })).toEqual([1, 1]);
    expect(() => cyclicBits({ from: 2, to: 1, cycles: 1, epochs: 4 })).toThrow(/whole bits/);
    expect(() => cyclicBits({ from: 1, to: 2, cycles: 3, epochs: 4 })).toThrow(/two epochs a cycle/);
  });

  test('parameters go on from one precision to the next; of one precision it is a plain training', async () => {
    const before = gpu().memory.bytes;
    const ofBits = (bits: number) =>
      sequential(
        [
          flatten(),
          quantDense({ name: 'dense1', units: 32, kernelQuantizer: 'steSign' }),
          batchNormalization({ name: 'norm1' }),
          quantDense({
            ...{ name: 'dense2', units: 4, inputQuantizer: 'steSign' },
            kernelQuantizer: bits === 1 ? 'steSign' : greedyBits({ bits }),
          }),
          batchNormalization({ name: 'norm2' }),
        ],
        { input: data.image, name: 'bits' },
      );
    const told: string[] = [];
    const trainer = await trainCyclic(gpu(), ofBits, data, {
      bits: [2, 2, 1],
      training: { batch: 50, seed: 3 },
      onEpoch: (epoch, bits, { learningRate }) =>
        told.push(`${epoch} ${bits} ${learningRate.toPrecision(3)}`),
    });
    // The rate goes on over all epochs: 24 steps from 0.02 to 0.001.
    const rate = (step: number) => (0.02 * 0.05 ** (step / 23)).toPrecision(3);
    expect(told).toEqual([`1 2 ${rate(7)}`, `2 2 ${rate(15)}`, `3 1 ${rate(23)}`]);
    expect((await trainer.evaluate()).accuracy).toBeGreaterThan(0.6);

    // By hand.
    const two = await Trainer.create(gpu(), ofBits(2), data, {
      ...{ batch: 50, seed: 3, epochs: 2 },
      learningRate: (step) => 0.02 * 0.05 ** (step / 23),
    });
    await two.fit();
    const one = await Trainer.create(gpu(), ofBits(1), data, {
      ...{ batch: 50, seed: 5, epochs: 1 },
      learningRate: (step) => 0.02 * 0.05 ** ((step + 16) / 23),
    });
    const [own, theirs] = [await one.network.values(), await two.network.values()];
    await one.network.load(new Map([...own].map(([name, value]) => [name, theirs.get(name) ?? value])));
    await one.fit();
    expect(await trainer.network.hash()).toBe(await one.network.hash());
    trainer.dispose();
    one.dispose();
    two.dispose();
    expect(gpu().memory.bytes).toBe(before);
    await expect(trainCyclic(gpu(), ofBits, data, { bits: [] })).rejects.toThrow(/has epochs/);
  });
});

describe('stable signs', () => {
  test('a sign is kept once it was seen more often than its age, and comes back where it went', () => {
    const ages = new Float32Array(3);
    const look = (...values: number[]) => {
      const weights = Float32Array.from(values);
      const changed = keepSigns(weights, ages, 2);
      return { changed, weights: [...weights], ages: [...ages] };
    };
    expect(look(0.5, -0.5, 0)).toEqual({ changed: 0, weights: [0.5, -0.5, 0], ages: [1, -1, 1] });
    expect(look(0.5, 0.25, 0)).toMatchObject({ changed: 0, ages: [2, 1, 2] });
    expect(look(0.5, 0.25, -0.5)).toMatchObject({ changed: 0, ages: [3, 2, -1] });
    // The first is kept now: it was +1 three times.
    expect(look(-0.25, 0.25, -0.5)).toEqual({ changed: 1, weights: [0.25, 0.25, -0.5], ages: [3, 3, -2] });
    expect(look(-0.25, -0.5, 0.5)).toMatchObject({ changed: 2, weights: [0.25, 0.5, 0.5], ages: [3, 3, 1] });
  });

  test('kept bits never flip again in a training, which resumes to the same bits', async () => {
    const name = 'dense2/kernel';
    const options = { everySteps: 2, age: 2 };
    const kept = new Map<number, number>();
    const flipped: number[] = [];
    const { hook, shares } = stableSigns(options);
    const ages = () => hook.state?.().then((state) => state.get(`stableSigns/${name}`)?.data ?? []);
    const watch = {
      everySteps: 2,
      async onSteps({ read }: { read(name: string): Promise<Float32Array> }) {
        const [weights, own] = [await read(name), (await ages()) ?? []];
        for (const [i, w] of weights.entries()) {
          const side = w < 0 ? -1 : 1;
          if (kept.has(i) && kept.get(i) !== side) flipped.push(i);
          if (Math.abs(own[i] ?? 0) > options.age) kept.set(i, side);
        }
      },
    };
    const saved: Checkpoint[] = [];
    const whole = await Trainer.create(gpu(), model(), data, small);
    await whole.fit({
      hooks: [hook, watch],
      checkpoint: { everySteps: 6, save: async (checkpoint) => void saved.push(checkpoint) },
    });
    expect(kept.size).toBeGreaterThan(100);
    expect(flipped).toEqual([]);
    expect(shares().get(name)).toBeGreaterThan(0.1);
    // Without the hook, weights are others.
    const plain = await Trainer.create(gpu(), model(), data, small);
    await plain.fit();
    expect(await plain.network.hash()).not.toBe(await whole.network.hash());
    plain.dispose();

    const [half] = saved;
    expect(half?.progress.step).toBe(6);
    const resumed = await Trainer.create(gpu(), model(), data, small);
    await resumed.restore(half as Checkpoint);
    await resumed.fit({ hooks: [stableSigns({ ...options, resume: half }).hook] });
    expect(await resumed.network.hash()).toBe(await whole.network.hash());
    for (const trainer of [whole, resumed]) trainer.dispose();
  });

  test('an age that is none is refused', () => {
    expect(() => stableSigns({ everySteps: 1, age: 0 })).toThrow(/so many looks/);
  });
});

describe('votes', () => {
  test('the majority of bits; a tie is +1', () => {
    const votes = [
      [1, -1, -1, 0.5],
      [-2, -0.1, 3, -1],
      [-1, -5, 2, -0],
    ].map((own) => Float32Array.from(own));
    expect([...majoritySigns(votes)]).toEqual([-1, -1, 1, 1]);
    expect([...majoritySigns(votes.slice(0, 2))]).toEqual([1, -1, 1, 1]);
    expect(() => majoritySigns([])).toThrow(/same weights/);
  });

  test('after a round all networks have the signs of most, and their own magnitudes', async () => {
    const trainers = await Promise.all(
      [3, 4, 5].map((seed) => Trainer.create(gpu(), model(), data, { ...small, seed })),
    );
    const agreed: number[] = [];
    await trainByVotes(trainers, { rounds: 2, steps: 2, onRound: (_, share) => void agreed.push(share) });
    const values = await Promise.all(trainers.map(({ network }) => network.values()));
    const [first, ...others] = values.map((own) => own.get('dense2/kernel') ?? new Float32Array());
    for (const other of others) {
      expectSame(
        other.map((w) => (w < 0 ? -1 : 1)),
        (first ?? other).map((w) => (w < 0 ? -1 : 1)),
      );
      expect(other).not.toEqual(first);
    }
    expect(agreed).toHaveLength(2);
    // They started apart, and vote more alike when they started alike.
    expect(agreed[1]).toBeGreaterThan(agreed[0] ?? 1);
    for (const trainer of trainers) trainer.dispose();
  });
});

describe('SPELA', () => {
  test("its loss is its twin's, and its gradients those of finite differences", async () => {
    // `checkMethod` has rows of seven outputs.
    const { compared } = await checkMethod(gpu(), spelaLoss([4, 3], 3));
    expect(compared).toBeGreaterThan(100);
  });

  test('the loss is least, -1 for each layer, where outputs are the vectors of the class', () => {
    const vector = (count: number, label: number) =>
      Array.from({ length: count }, (_, j) => (j % 3 === label ? 1 : 0) - 1 / 3);
    const loss = spelaLoss([6, 3], 3);
    const wanted = [0, 1, 0, 0, 0, 0, 0, 0, 0];
    const row = (outputs: number[]) => loss.twin({ outputs, wanted, taught: wanted }).loss;
    expect(row([...vector(6, 1), ...vector(3, 1)])).toBeCloseTo(-2, 12);
    // Corners of a regular simplex: the cosine of two is -1/2 for three classes.
    expect(row([...vector(6, 0), ...vector(3, 2)])).toBeCloseTo(1, 12);
    expect(row(new Array<number>(9).fill(0))).toBe(0);
  });

  test('a layer learns from its own loss alone: the first is as if there were no other', async () => {
    const train = async (units: number[]) => {
      const { model: network, loss, accuracy } = spela({ input: data.image, units, classes: 4 });
      const options = { ...small, epochs: 4, loss, optimizer: 'adam', learningRate: 0.01 } as const;
      const trainer = await Trainer.create(gpu(), network, data, options);
      await trainer.fit();
      const first = (await trainer.network.values()).get('dense1/kernel') ?? new Float32Array();
      const outputs = await trainer.predict(samplesOf(data, 'test', { first: 0, count: 100 }));
      trainer.dispose();
      return { first, right: accuracy(outputs, residentLabels()) };
    };
    const residentLabels = () => ('labels' in data.test ? data.test.labels : []);
    const [two, one] = [await train([32, 12]), await train([32])];
    expectSame(two.first, one.first);
    expect(two.right).toBeGreaterThan(0.5);
    expect(() => spela({ input: [4], units: [3], classes: 4 })).toThrow(/unit for each class/);
  });
});

describe('late clip', () => {
  const free = sequential(
    [
      flatten(),
      quantDense({ units: 16, kernelQuantizer: 'steSign', kernelConstraint: 'none' }),
      batchNormalization(),
      quantDense({ units: 4, inputQuantizer: 'steSign', kernelQuantizer: 'steSign' }),
    ],
    { input: data.image },
  );

  test('leaves latent weights beyond 1 until its epoch, and none from then on', async () => {
    const most: number[] = [];
    const look: Hook = {
      async onEpoch(context) {
        const [name = ''] = context.parameters.filter((one) => one.endsWith('/kernel'));
        most.push(Math.max(...(await context.read(name)).map(Math.abs)));
      },
    };
    using trainer = await Trainer.create(gpu(), free, data, { ...small, epochs: 3, learningRate: 0.2 });
    await trainer.fit({ hooks: [lateClip({ from: 2 }), look] });
    expect(most).toHaveLength(3);
    expect(most[0]).toBeGreaterThan(1);
    expect(most.slice(1)).toEqual([1, 1]);
    expect(() => lateClip({ from: 0 })).toThrow(/starts after an epoch/);
  });
});
