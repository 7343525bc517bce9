/** Starting from weights of another training or file: what is taken, latents of signs, frozen parameters, rates by group. */
import { beforeAll, describe, expect, test } from 'vitest';
import { withHead } from '../src/cli/fine-tuning.ts';
import { patternOf } from '../src/cli/parameter-names.ts';
import { OptionError } from '../src/errors.ts';
import { decodeModel, encodeModel, modelOfDescription } from '../src/formats/model-file.ts';
import { initialValues, sequential } from '../src/graph/index.ts';
import { reshape } from '../src/layers/index.ts';
import { startFrom, Trainer, type TrainerOptions } from '../src/train/index.ts';
import { mlp, tfc } from '../src/zoo/index.ts';
import { quadrants } from './helpers/data.ts';
import { useGpu } from './helpers/gpu.ts';

const gpu = useGpu();
const data = quadrants(600, 200);
const of = (classes: number) => mlp({ input: [8, 8, 1], classes, units: 32 });
const options: TrainerOptions = { batch: 50, epochs: 1, seed: 7 };

describe('starting values', () => {
  const source = initialValues(of(4), 3);
  const drawn = initialValues(of(3), 9);

  test('are taken by name and shape, and drawn where there are none', () => {
    const { values, taken, drawn: others, signs } = startFrom(of(3), drawn, source);
    expect(others.every((name) => /^(dense3|norm3)\//.test(name))).toBe(true);
    expect(taken.length + others.length).toBe(drawn.size);
    expect(signs).toEqual([]);
    for (const name of taken) expect(values.get(name)).toEqual(source.get(name));
    for (const name of others) expect(values.get(name)).toEqual(drawn.get(name));
  });

  test('of a file start at the signs times what is asked for', () => {
    const file = decodeModel(encodeModel(of(4), source)).values;
    for (const latents of [undefined, 0.5]) {
      const start = startFrom(of(3), drawn, file, latents === undefined ? {} : { latents });
      expect(start.signs).toEqual(['dense1/kernel', 'dense2/kernel']);
      const expected = source.get('dense1/kernel')?.map((w) => (latents ?? 0.25) * (w < 0 ? -1 : 1));
      expect(start.values.get('dense1/kernel')).toEqual(expected);
    }
    expect(() => startFrom(of(3), drawn, file, { latents: 2 })).toThrow(OptionError);
    expect(() => startFrom(of(3), drawn, new Map())).toThrow(/no parameter that this network has/);
  });
});

describe('parameters by name', () => {
  let before: Map<string, Float32Array>;
  let trained: Map<string, Float32Array>;
  beforeAll(async () => {
    using trainer = await Trainer.create(gpu(), of(4), data, {
      ...options,
      overrides: [
        { match: patternOf('dense1'), optimizer: 'none' },
        { match: patternOf('norm*'), rate: 1e-30 },
      ],
    });
    before = await trainer.network.values();
    await trainer.fit();
    trained = await trainer.network.values();
  });

  test('that are frozen stay; a rate of nearly nothing moves nothing; the others move', () => {
    for (const name of ['dense1/kernel', 'norm1/gamma', 'norm2/gamma']) {
      expect(trained.get(name), name).toEqual(before.get(name));
    }
    expect(trained.get('dense2/kernel')).not.toEqual(before.get('dense2/kernel'));
  });

  test('a rate of one is the training without it, and others resume exactly', async () => {
    const hashOf = async (own: TrainerOptions) => {
      using trainer = await Trainer.create(gpu(), of(4), data, { ...options, ...own });
      await trainer.runSteps(4);
      const checkpoint = await trainer.checkpoint();
      await trainer.runSteps(4);
      return { hash: await trainer.network.hash(), checkpoint };
    };
    const plain = await hashOf({});
    expect((await hashOf({ overrides: [{ match: /./, rate: 1 }] })).hash).toBe(plain.hash);
    const own: TrainerOptions = { overrides: [{ match: /^dense/, rate: 0.1 }] };
    const slow = await hashOf(own);
    expect(slow.hash).not.toBe(plain.hash);
    using resumed = await Trainer.create(gpu(), of(4), data, { ...options, ...own });
    await resumed.restore(slow.checkpoint);
    await resumed.runSteps(4);
    expect(await resumed.network.hash()).toBe(slow.hash);
    using other = await Trainer.create(gpu(), of(4), data, {
      ...options,
      overrides: [{ match: /^dense/, rate: 0.2 }],
    });
    await expect(other.restore(slow.checkpoint)).rejects.toThrow(OptionError);
    await expect(
      Trainer.create(gpu(), of(4), data, { ...options, overrides: [{ match: /./, rate: 0 }] }),
    ).rejects.toThrow(/positive multiple/);
  });

  test.each([
    ['conv*', ['conv1/kernel', 'conv2_1/kernel'], ['xconv/kernel', 'dense1/kernel']],
    ['dense1', ['dense1/kernel'], ['dense12/kernel', 'dense1']],
    ['*/gamma', ['norm1/gamma'], ['norm1/beta']],
    ['a.b', ['a.b/kernel'], ['axb/kernel']],
  ])('%s', (glob, yes, no) => {
    for (const name of yes) expect(patternOf(glob).test(name), name).toBe(true);
    for (const name of no.filter((own) => own.includes('/')))
      expect(patternOf(glob).test(name), name).toBe(false);
  });
});

test('a head is replaced where a last layer has units, and else that is refused', async () => {
  const replaced = await modelOfDescription(await withHead(of(4), 7));
  expect(replaced.outputShape).toEqual([7]);
  expect(replaced.layers.map(({ name }) => name)).toEqual(of(4).layers.map(({ name }) => name));
  expect((await modelOfDescription(await withHead(of(4), 4))).summary()).toBe(of(4).summary());
  // Its classes are positions of one channel, which a layer after the last one with units says.
  await expect(withHead(tfc({ input: [8, 8, 1], classes: 4 }), 5)).rejects.toThrow(
    /can not be replaced[\s\S]*--model/,
  );
  const none = sequential([reshape({ shape: [64] })], { input: [8, 8, 1] });
  await expect(withHead(none, 5)).rejects.toThrow(OptionError);
});
