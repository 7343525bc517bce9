/** Trainings whose gradients are reduced to signs, alone and by majority. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { contentDigest } from '../src/numerics/digest.ts';
import { pcg4d } from '../src/numerics/random.ts';
import { majorityWords } from '../src/numerics/votes.ts';
import { Poll, type Round, shareOf } from '../src/regimes/index.ts';
import { type Checkpoint, Trainer, type TrainerOptions } from '../src/train/index.ts';
import { mlp } from '../src/zoo/index.ts';
import { quadrants } from './helpers/data.ts';
import { useGpu } from './helpers/gpu.ts';

const gpu = useGpu();
const data = quadrants(400, 100);
const model = () => mlp({ input: data.image, classes: 4, units: 32 });
const options = { batch: 48, epochs: 2, seed: 3 } satisfies TrainerOptions;
const hashOf = ({ network }: Trainer) => network.hash();

describe('majorities', () => {
  test('of packed signs are those of counting', () => {
    const lots = (word: number) => pcg4d(1, 2, word, 3)[0];
    const words = fc.array(fc.integer({ min: 0, max: 2 ** 32 - 1 }), { minLength: 3, maxLength: 3 });
    fc.assert(
      fc.property(fc.array(words, { minLength: 1, maxLength: 9 }), (voters) => {
        const won = majorityWords(
          voters.map((one) => Uint32Array.from(one)),
          lots,
        );
        for (let place = 0; place < 96; place++) {
          const bit = (word: number) => (word >>> (place % 32)) & 1;
          const word = place >> 5;
          const more = 2 * voters.reduce((sum, one) => sum + bit(one[word] ?? 0), 0) - voters.length;
          expect(bit(won[word] ?? 0)).toBe(more === 0 ? bit(lots(word)) : Number(more > 0));
        }
      }),
    );
  });
});

describe('a training of signs', () => {
  test('moves every weight by the rate, whatever its gradient', async () => {
    const trainer = await Trainer.create(gpu(), model(), data, {
      ...options,
      ...{ optimizer: 'sgd', learningRate: 0.01, votes: 'alone' },
    });
    const before = await trainer.network.values();
    await trainer.runSteps(1);
    const after = await trainer.network.values();
    let moved = 0;
    for (const { parameter } of [...trainer.network.parameters.values()].map((parameter) => ({
      parameter,
    }))) {
      if (parameter.spec.role === 'statistic') continue;
      const [was, now] = [before, after].map((values) => values.get(parameter.name) ?? new Float32Array());
      for (const [i, value] of (now ?? []).entries()) {
        const step = Math.abs(value - (was?.[i] ?? 0));
        // A latent weight at the end of its range stays there.
        if (Math.abs(value) === 1) continue;
        expect(step).toBeCloseTo(0.01, 5);
        moved += 1;
      }
    }
    expect(moved).toBeGreaterThan(1000);
    trainer.dispose();
  });

  test('alone, voted on by one, and gone on with elsewhere: the same bits', async () => {
    const alone = await Trainer.create(gpu(), model(), data, { ...options, votes: 'alone' });
    const { epochs } = await alone.fit();
    const hash = await hashOf(alone);
    const plain = await Trainer.create(gpu(), model(), data, options);
    await plain.fit();
    expect(await hashOf(plain)).not.toBe(hash);

    const poll = new Poll({ voters: 1, seed: 1 });
    const voted = await Trainer.create(gpu(), model(), shareOf(data, 0, 1), {
      ...options,
      votes: poll.voter(0),
    });
    const saved: Checkpoint[] = [];
    const result = await voted.fit({
      checkpoint: { everySteps: 5, save: async (checkpoint) => void saved.push(checkpoint) },
    });
    expect(await hashOf(voted)).toBe(hash);
    expect(result.epochs.map(({ testAccuracy, trainLoss }) => [testAccuracy, trainLoss])).toEqual(
      epochs.map(({ testAccuracy, trainLoss }) => [testAccuracy, trainLoss]),
    );
    const [, middle] = saved;
    expect(middle?.progress.step).toBeGreaterThan(0);
    await alone.restore(middle as Checkpoint);
    await alone.fit();
    expect(await hashOf(alone)).toBe(hash);
    await expect(plain.restore(middle as Checkpoint)).rejects.toThrow(/votes/);
    for (const trainer of [alone, plain, voted]) trainer.dispose();
  });

  test('a vote that fails, and one that decides about something else, ends the training with an error', async () => {
    for (const [votes, error] of [
      [async () => Promise.reject(new Error('away')), /away/],
      [(ballot: Uint32Array) => new Uint32Array(ballot.length + 1), /decides about every weight/],
    ] as const) {
      const trainer = await Trainer.create(gpu(), model(), data, { ...options, votes });
      const start = await trainer.checkpoint();
      await expect(trainer.fit()).rejects.toThrow(error);
      // The statistics of half a step are in it.
      await expect(trainer.fit()).rejects.toThrow(/half a step/);
      await trainer.restore(start);
      trainer.dispose();
    }
    const clipped = { ...options, votes: 'alone', clip: { norm: 1 } } as const;
    await expect(Trainer.create(gpu(), model(), data, clipped)).rejects.toThrow(/no size/);
  });
});

describe('a poll', () => {
  async function together(voters: number, more: Partial<ConstructorParameters<typeof Poll>[0]> = {}) {
    const rounds: Round[] = [];
    const poll = new Poll({ voters, seed: 3, onRound: (round) => void rounds.push(round), ...more });
    const trainers = await Promise.all(
      Array.from({ length: voters }, (_, rank) =>
        Trainer.create(gpu(), model(), shareOf(data, rank, voters), {
          ...options,
          batch: options.batch / voters,
          votes: poll.voter(rank),
        }),
      ),
    );
    const [first] = trainers;
    const start = await (first as Trainer).checkpoint();
    const results = await Promise.all(trainers.map((trainer) => trainer.fit()));
    expect(rounds.map(({ step }) => step)).toEqual(Array.from({ length: rounds.length }, (_, i) => i));
    // Statistics of batches stay with each trainer.
    const trained = await Promise.all(
      trainers.map(async ({ network }) => {
        const values = await network.values();
        const trained = [...network.parameters.values()].filter(({ spec }) => spec.role !== 'statistic');
        return trained.map(({ name }) => contentDigest(values.get(name) ?? new Float32Array())).join();
      }),
    );
    for (const trainer of trainers) trainer.dispose();
    return { rounds, trained, start, accuracy: results[0]?.epochs.at(-1)?.testAccuracy ?? 0 };
  }

  test.each([2, 4])('of %i: all have the same weights, and have them again', async (voters) => {
    const first = await together(voters);
    expect(new Set(first.trained).size).toBe(1);
    expect(first.rounds.every(({ leftOut }) => leftOut.length === 0)).toBe(true);
    const again = await together(voters);
    expect(again.trained).toEqual(first.trained);
    expect(again.accuracy).toBe(first.accuracy);
    expect(first.accuracy).toBeGreaterThan(0.5);
  });

  test('leaves out who says nothing, and waits again for who comes back', async () => {
    const rounds: Round[] = [];
    const poll = new Poll({ voters: 3, seed: 1, deadline: 50, onRound: (round) => void rounds.push(round) });
    const [yes, no] = [new Uint32Array([~0]), new Uint32Array([0])];
    // Nobody is late before the first has voted.
    poll.cast(2, 0, no);
    poll.cast(1, 0, yes);
    expect(rounds).toEqual([]);
    expect(await poll.voter(0)(yes, 0)).toEqual(yes);
    expect(rounds[0]).toMatchObject({ ranks: [0, 1, 2], leftOut: [] });

    poll.cast(1, 1, no);
    expect(await poll.voter(0)(no, 1)).toEqual(no);
    expect(rounds[1]).toMatchObject({ ranks: [0, 1], leftOut: [2] });
    // It isn't waited for now.
    poll.cast(1, 2, no);
    const third = poll.voter(0)(no, 2);
    expect(rounds).toHaveLength(3);
    await third;

    poll.cast(2, 1, yes);
    expect(poll.decided(1)).toEqual(no);
    poll.cast(1, 3, yes);
    const fourth = poll.voter(0)(no, 3);
    poll.cast(2, 3, yes);
    expect(await fourth).toEqual(yes);
    expect(rounds[3]).toMatchObject({ ranks: [0, 1, 2], leftOut: [] });

    const pending = poll.voter(0)(yes, 4);
    poll.close(new Error('over'));
    await expect(pending).rejects.toThrow('over');
    await expect(poll.voter(0)(yes, 5)).rejects.toThrow('over');
  });

  test('leaves nobody out while the way to the others is broken, and forgets old steps', async () => {
    const rounds: Round[] = [];
    const poll = new Poll({ voters: 2, seed: 1, deadline: 20, onRound: (round) => void rounds.push(round) });
    const yes = new Uint32Array([~0]);
    poll.pause();
    const pending = poll.voter(0)(yes, 0);
    await new Promise((done) => setTimeout(done, 250));
    expect(rounds).toEqual([]);
    poll.cast(1, 0, yes);
    expect(await pending).toEqual(yes);
    expect(rounds[0]).toMatchObject({ ranks: [0, 1], leftOut: [] });
    poll.resume();
    expect(await poll.voter(0)(yes, 1)).toEqual(yes);
    expect(rounds[1]).toMatchObject({ ranks: [0], leftOut: [1] });
    for (let step = 2; step < 300; step++) await poll.voter(0)(yes, step);
    await expect(poll.voter(1)(yes, 1)).rejects.toThrow(/long ago/);
    expect(await poll.voter(1)(yes, 299)).toEqual(yes);
  });

  test('refuses what is no poll, no voter, no ballot', () => {
    expect(() => new Poll({ voters: 0, seed: 1 })).toThrow(/has voters/);
    expect(() => new Poll({ voters: 2, seed: 1, deadline: 0 })).toThrow(/has voters/);
    const poll = new Poll({ voters: 2, seed: 1 });
    expect(() => poll.voter(2)(new Uint32Array(1), 0)).toThrow(/no such voter/);
    poll.cast(0, 0, new Uint32Array(1));
    expect(() => poll.cast(1, 0, new Uint32Array(2))).toThrow(/one model/);
    expect(() => shareOf(quadrants(3, 1), 0, 4)).toThrow(/shared/);
  });

  test('shares have every sample once, and only the first evaluates', () => {
    const shares = [0, 1, 2].map((rank) => shareOf(data, rank, 3));
    expect(shares.map(({ train }) => train.count)).toEqual([133, 133, 133]);
    expect(shares.map(({ test: split }) => split?.count)).toEqual([100, undefined, undefined]);
  });
});
