/** Losses with weights, of one output or of several, and of a teacher's. */
import { describe, expect, test } from 'vitest';
import { type BnnError, OptionError, ShapeError } from '../src/errors.ts';
import { ProgramBuilder } from '../src/gpu/index.ts';
import { apply, input, type Model, model, Network } from '../src/graph/index.ts';
import { batchNormalization, dense, flatten, quantDense, relu } from '../src/layers/index.ts';
import { crossEntropy, distillation, LOSSES, type Loss, squaredHinge } from '../src/methods/index.ts';
import { normal } from '../src/numerics/random.ts';
import { encodeTrainState, STATE_WORDS } from '../src/ops/data.ts';
import { losses } from '../src/ops/loss.ts';
import { type OutputLoss, Trainer, type TrainerOptions } from '../src/train/index.ts';
import { quadrants } from './helpers/data.ts';
import { expectClose, Scratch, useGpu } from './helpers/gpu.ts';

const gpu = useGpu();
const data = quadrants(300, 100);

/** A binary network with an exit before its last layers. */
function heads(names: readonly [string, string] = ['scores', 'early'], early = 4): Model {
  const x = input([8, 8, 1]);
  const binary = { inputQuantizer: 'steSign', kernelQuantizer: 'steSign' } as const;
  const first = apply(
    batchNormalization({ name: 'norm' }),
    apply(quantDense({ name: 'hidden', units: 32, kernelQuantizer: 'steSign' }), apply(flatten(), x)),
  );
  const exit = apply(dense({ name: 'exit', units: early, useBias: true }), apply(relu(), first));
  const last = apply(
    batchNormalization({ name: 'last norm' }),
    apply(quantDense({ name: 'last', units: 4, ...binary }), first),
  );
  return model({ input: x, output: { [names[0]]: last, [names[1]]: exit }, name: 'heads' });
}

/** The same without the exit. */
function head(): Model {
  const { layers } = heads();
  const x = input([8, 8, 1]);
  const chain = layers
    .map(({ layer }) => layer)
    .filter(({ kind, name }) => kind !== 'relu' && name !== 'exit');
  return model({ input: x, output: chain.reduce((node, layer) => apply(layer, node), x), name: 'heads' });
}

const options: TrainerOptions = { batch: 50, epochs: 2, seed: 3, learningRate: 0.01 };

describe('the operation', () => {
  for (const kind of ['classes', 'reals', 'bits'] as const) {
    test(`adds losses and gradients up by their weights, of ${kind}`, async () => {
      using scratch = new Scratch(gpu());
      const [batch, outputs] = [70, 5];
      const drawn = (stream: number) =>
        Float32Array.from({ length: batch * outputs }, (_, i) => normal(4, stream, i));
      const logits = [drawn(1), drawn(2)];
      const rowOf = (i: number, row: number) =>
        Array.from({ length: outputs }, (_, c) => logits[i]?.[row * outputs + c] ?? Number.NaN);
      const taught = drawn(3);
      const weigh = Float32Array.from({ length: batch }, (_, i) => (i % 3) / 2);
      const labels = Uint32Array.from({ length: batch }, (_, i) => (i % 9 === 0 ? 0xffffffff : i % outputs));
      const reals = drawn(4).map((value) => (value > 0 ? 1 : 0));
      const words = Uint32Array.from({ length: batch }, (_, row) =>
        Array.from({ length: outputs }, (_, c) => (reals[row * outputs + c] ?? 0) << c).reduce(
          (a, b) => a | b,
          0,
        ),
      );
      const takes: Readonly<Record<typeof kind, readonly Loss[]>> = {
        classes: [crossEntropy(), squaredHinge()],
        reals: [LOSSES.meanSquare(), LOSSES.meanAbsolute()],
        bits: [LOSSES.binaryCrossEntropy(), squaredHinge()],
      };
      const weights = [0.75, 2];
      const b = new ProgramBuilder(gpu(), 'losses');
      const tensors = logits.map((values, i) =>
        scratch.tensor(`logits ${i}`, [batch, outputs], 'f32', values),
      );
      const targets = {
        classes: () => scratch.tensor('labels', [batch], 'u32', labels),
        reals: () => scratch.tensor('reals', [batch, outputs], 'f32', reals),
        bits: () => scratch.tensor('bits', [batch, outputs + 1], 'bits', words),
      }[kind]();
      const metrics = scratch.tensor('metrics', [1, 4], 'f32');
      const teacher = scratch.tensor('taught', [batch, outputs], 'f32', taught);
      const parts = takes[kind].map((loss, i) => ({
        ...{ loss, weight: weights[i] ?? 1, logits: tensors[i] as (typeof tensors)[number] },
        teacher: loss.teacher ? teacher : undefined,
      }));
      const gradients = losses(b, parts, {
        ...{ targets, metrics, weights: scratch.tensor('weights', [batch], 'f32', weigh) },
        state: scratch.tensor('state', [STATE_WORDS], 'u32', encodeTrainState({})),
      });
      for (const gradient of gradients) b.keep(gradient);
      using program = await b.compile();
      program.run();

      const valid = (row: number) => kind !== 'classes' || labels[row] !== 0xffffffff;
      const rows = Array.from({ length: batch }, (_, row) => row).filter(valid);
      const wantedOf = (row: number) =>
        Array.from({ length: outputs }, (_, c) =>
          kind === 'classes' ? Number(c === labels[row]) : (reals[row * outputs + c] ?? 0),
        );
      let sum = 0;
      for (const [i, loss] of takes[kind].entries()) {
        const found = await gpu().readFloats(gradients[i] as (typeof gradients)[number]);
        const expected = new Float64Array(batch * outputs);
        for (const row of rows) {
          const own = rowOf(i, row);
          const wanted = wantedOf(row);
          const made = loss.twin({ outputs: own, wanted, taught: wanted });
          const factor = (weights[i] ?? 1) * (weigh[row] ?? 0);
          sum += (factor * made.loss) / rows.length;
          made.gradient.forEach((slope, c) => {
            expected[row * outputs + c] = (factor * slope) / rows.length;
          });
        }
        expectClose(found, expected, 1e-4, `gradient ${i}`);
      }
      const [mean = Number.NaN, hits, count] = await gpu().readFloats(metrics);
      expectClose([mean], [sum], 1e-4, 'loss');
      expect(count).toBe(rows.length);
      // Hits are those of the first output.
      const isHit = (row: number) => {
        const own = rowOf(0, row);
        return kind === 'classes'
          ? own.indexOf(Math.max(...own)) === labels[row]
          : own.every((value, c) => value > 0 === (wantedOf(row)[c] ?? 0) > 0.5);
      };
      expect(hits).toBe(rows.filter(isHit).length);
    });
  }
});

describe('a training', () => {
  const mixed: TrainerOptions = { ...options, augment: ['mixup'], clip: { norm: 0.5 } };
  test.each([
    ['', options],
    [', of mixed samples with clipped gradients', mixed],
  ])('halves of one loss are that loss, to the bit%s', async (_what, options) => {
    const hashes: string[] = [];
    for (const own of [
      { loss: 'crossEntropy' },
      { losses: [{ loss: 'crossEntropy' }] },
      {
        losses: [
          { loss: 'crossEntropy', weight: 0.5 },
          { loss: crossEntropy(), weight: 0.5 },
        ],
      },
    ] satisfies TrainerOptions[]) {
      using trainer = await Trainer.create(gpu(), head(), data, { ...options, ...own });
      await trainer.fit();
      hashes.push(await trainer.network.hash());
    }
    expect(new Set(hashes).size).toBe(1);
  });

  const several: TrainerOptions = {
    ...options,
    losses: [
      { loss: 'crossEntropy' },
      { output: 'early', loss: squaredHinge(), weight: 0.25 },
      { output: 'early', loss: 'crossEntropy', weight: 0.25 },
    ],
  };

  test('of several outputs reaches all of them, and goes on to the same bits', async () => {
    using whole = await Trainer.create(gpu(), heads(), data, several);
    const start = await whole.network.values();
    const { epochs } = await whole.fit();
    expect(epochs.at(-1)?.testAccuracy).toBeGreaterThan(0.7);
    const end = await whole.network.values();
    for (const name of ['exit/kernel', 'last/kernel', 'hidden/kernel'])
      expect(end.get(name)).not.toEqual(start.get(name));
    const scores = await whole.network.predict({ input: new Float32Array(64) });
    expect(Object.keys(scores)).toEqual(['scores', 'early']);
    expect((await whole.evaluate()).accuracy).toBe(epochs.at(-1)?.testAccuracy);

    using first = await Trainer.create(gpu(), heads(), data, several);
    await first.runSteps(4);
    const checkpoint = await first.checkpoint();
    using second = await Trainer.create(gpu(), heads(), data, several);
    await second.restore(checkpoint);
    await second.fit();
    expect(await second.network.hash()).toBe(await whole.network.hash());

    const [one, ...others] = several.losses ?? [];
    const lighter = { ...several, losses: [{ ...one, weight: 0.5 }, ...others] } as TrainerOptions;
    using other = await Trainer.create(gpu(), heads(), data, lighter);
    await expect(other.restore(checkpoint)).rejects.toThrow(/losses/);
  });

  test('is judged by the output of its first loss', async () => {
    const judged = async (losses: readonly OutputLoss[]) => {
      using trainer = await Trainer.create(gpu(), heads(), data, { ...options, losses });
      const { correct, scores } = await trainer.evaluate();
      if (scores.targets !== 'classes') throw new Error(scores.targets);
      expect(scores.confusion?.reduce((sum, row, c) => sum + (row[c] ?? 0), 0)).toBe(correct);
      return scores.confusion;
    };
    const scores = { loss: 'crossEntropy', output: 'scores' } as const;
    const early = { ...scores, output: 'early' };
    expect(await judged([early, scores])).toEqual(await judged([early]));
    expect(await judged([scores, early])).not.toEqual(await judged([early, scores]));
  });

  test("compares outputs with a teacher's, by name", async () => {
    using teacherRun = await Trainer.create(gpu(), heads(), data, several);
    await teacherRun.fit();
    const teacher = await Network.create(gpu(), heads(['wide', 'early']), {
      values: await teacherRun.network.values(),
    });
    const hashes: string[] = [];
    try {
      for (const taught of ['wide', 'early']) {
        using pupil = await Trainer.create(gpu(), heads(), data, {
          ...options,
          teacher,
          losses: [
            { loss: distillation(), taught },
            { output: 'early', loss: 'distillation', weight: 0.5 },
          ],
        });
        const { epochs } = await pupil.fit();
        expect(epochs.at(-1)?.testAccuracy).toBeGreaterThan(0.6);
        hashes.push(await pupil.network.hash());
      }
      expect(new Set(hashes).size).toBe(2);
      const refused = Trainer.create(gpu(), heads(), data, {
        ...options,
        teacher,
        losses: [{ output: 'scores', loss: 'distillation' }],
      });
      await expect(refused).rejects.toThrow(/output[\s\S]*wide, early/);
    } finally {
      teacher.dispose();
    }
  });

  test('a loss that is not finite is diagnosed with several outputs, too', async () => {
    using trainer = await Trainer.create(gpu(), heads(), data, several);
    await trainer.network.write(new Map([['exit/bias', new Float32Array(4).fill(Number.NaN)]]));
    await expect(trainer.runSteps(1)).rejects.toThrow(/parameter exit\/bias/);
  });

  const wrong: Readonly<
    Record<string, readonly [TrainerOptions, RegExp, new (...args: never[]) => BnnError]>
  > = {
    'an output that there is not': [
      { losses: [{ loss: 'crossEntropy', output: 'erly' }] },
      /erly[\s\S]*did you mean early/,
      OptionError,
    ],
    'a loss beside a list': [
      { loss: 'crossEntropy', losses: [{ loss: 'crossEntropy' }] },
      /one loss, or a list/,
      OptionError,
    ],
    'no loss': [{ losses: [] }, /one loss, or a list/, OptionError],
    'a weight of nothing': [{ losses: [{ loss: 'crossEntropy', weight: 0 }] }, /losses\[0\]/, OptionError],
    'an option that there is not': [
      { losses: [{ loss: 'crossEntropy', wieght: 1 } as never] },
      /weight/,
      OptionError,
    ],
    'a teacher that is missing': [{ losses: [{ loss: 'distillation' }] }, /teacher/, OptionError],
    'no list, of several outputs': [{}, /one input and one output/, OptionError],
  };
  for (const [what, [own, message, type]] of Object.entries(wrong)) {
    test(`is refused with ${what}`, async () => {
      const refused = await Trainer.create(gpu(), heads(), data, { ...options, ...own }).catch(
        (cause) => cause,
      );
      expect(refused).toBeInstanceOf(type);
      expect(String(refused)).toMatch(message);
    });
  }

  test('is refused with an output of another shape', async () => {
    const refused = Trainer.create(gpu(), heads(['scores', 'early'], 5), data, several);
    await expect(refused).rejects.toThrow(ShapeError);
    await expect(refused).rejects.toThrow(/early \[5\]/);
  });
});
