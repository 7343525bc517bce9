/** Ready-made models: their sizes, and that what they are made of trains. */
import { describe, expect, test } from 'vitest';
import { OptionError } from '../src/errors.ts';
import { describeModel, modelOfDescription } from '../src/formats/model-file.ts';
import { type Model, sequential, summarize } from '../src/graph/index.ts';
import {
  batchNormalization,
  flatten,
  maxPool2d,
  quantConv2d,
  quantDense,
  quantize,
  reshape,
  sign,
} from '../src/layers/index.ts';
import { scheduledAt } from '../src/methods/index.ts';
import { uniform01 } from '../src/numerics/random.ts';
import { Trainer } from '../src/train/index.ts';
import {
  birealnet18,
  cnv,
  lfc,
  MODEL_NAMES,
  modelByName,
  modelEntry,
  quicknet,
  resnet20,
  sfc,
  tfc,
} from '../src/zoo/index.ts';
import { quadrants } from './helpers/data.ts';
import { useGpu } from './helpers/gpu.ts';

const DIGITS = { input: [28, 28, 1], classes: 10 };
const PICTURES = { input: [32, 32, 3], classes: 10 };

test.each([
  [tfc(DIGITS), 59_008],
  [sfc(DIGITS), 334_336],
  [lfc(DIGITS), 2_910_208],
  [cnv(PICTURES), 1_542_848],
])('$name has the weights of FINN', (model, weights) => {
  expect(summarize(model).total.binaryParameters).toBe(weights);
  expect(model.outputShape).toEqual([10]);
});

/** 3x3 convolutions from so many channels to so many. */
const weights = (stages: readonly number[], each: number) =>
  stages.reduce((sum, filters, stage) => {
    const before = stages[stage - 1] ?? filters;
    return sum + 9 * filters * (before + (each - 1) * filters);
  }, 0);

test('residual networks have the binary weights of their papers, and take small and large images', () => {
  const photos = { input: [224, 224, 3], classes: 1000 };
  const of = (model: Model) => summarize(model).total.binaryParameters;
  expect(of(birealnet18(photos))).toBe(weights([64, 128, 256, 512], 4));
  expect(of(resnet20(PICTURES))).toBe(weights([16, 32, 64], 6));
  expect(of(quicknet(photos))).toBe([64, 128, 256, 512].reduce((sum, f) => sum + 4 * 9 * f * f, 0));
  // Before the last pool: 224 and 32 pixels end at the same size but for small images' first layers.
  const last = (model: Model) => model.layers.at(-3)?.outputShape;
  expect([last(birealnet18(photos)), last(quicknet(photos))]).toEqual([
    [7, 7, 512],
    [7, 7, 512],
  ]);
  expect([last(resnet20(PICTURES)), last(birealnet18(PICTURES))]).toEqual([
    [8, 8, 64],
    [4, 4, 512],
  ]);
});

test('options of a model are those that it lists', () => {
  for (const name of MODEL_NAMES) {
    const { input, classes, options } = modelEntry(name);
    const size = (more: Record<string, number>) =>
      summarize(modelByName(name, { input, classes }, more)).total.binaryParameters;
    expect(size(options), name).toBe(size({}));
    for (const [option, value] of Object.entries(options)) {
      expect(size({ [option]: value + 1 }), `${name} ${option}`).toBeGreaterThan(size({}));
    }
  }
  expect(() => modelByName('mlp', DIGITS, { unit: 3 })).toThrow(/did you mean units/);
  expect(() => modelByName('mlp', DIGITS, { units: 0.5 })).toThrow(/positive integer/);
  expect(() => modelByName('tfc', DIGITS, { units: 3 })).toThrow(OptionError);
});

test.each(MODEL_NAMES)('%s is described as JSON, and made again of that', async (name) => {
  const { input, classes } = modelEntry(name);
  const made = modelByName(name, { input, classes });
  const again = await modelOfDescription(JSON.parse(JSON.stringify(describeModel(made))));
  expect(again.summary()).toBe(made.summary());
  expect(describeModel(again)).toEqual(describeModel(made));
});

test('models go by their names, and a name that is none is refused with the nearest', () => {
  for (const name of MODEL_NAMES) {
    const options = modelEntry(name).input[2] === 3 ? PICTURES : DIGITS;
    expect(modelByName(name, options).name).toBe(name);
  }
  expect(() => modelByName('TFC1', DIGITS)).toThrow(OptionError);
  expect(() => modelByName('TFC1', DIGITS)).toThrow(/did you mean tfc/);
});

test('a rate is halved after so many epochs, at the first step of the next', () => {
  const rate = { from: 0.02, decay: 'halving', everyEpochs: 2 } as const;
  const at = (step: number) => scheduledAt(rate, { step, steps: 60, epochSteps: 10 });
  expect([0, 19, 20, 39, 40, 59].map(at)).toEqual([0.02, 0.02, 0.01, 0.01, 0.005, 0.005]);
  expect(() => scheduledAt({ ...rate, everyEpochs: 0.5 }, { step: 0, steps: 60, epochSteps: 10 })).toThrow(
    /everyEpochs = 0.5/,
  );
});

describe('training', () => {
  const gpu = useGpu();

  test.each(['birealnet18', 'resnet20', 'quicknet'])('%s learns which quadrant is bright', async (name) => {
    const data = quadrants(400, 100, 8, 3);
    const model = modelByName(name, { input: data.image, classes: 4 }, { filters: 8 });
    using trainer = await Trainer.create(gpu(), model, data, {
      ...{ epochs: 3, batch: 20, seed: 2, loss: 'crossEntropy', learningRate: 0.01 },
    });
    const { epochs } = await trainer.fit();
    // A quarter is right by chance.
    expect(epochs.at(-1)?.testAccuracy).toBeGreaterThan(0.6);
  });

  test("cnv's kinds of layers learn two kinds of pictures: pixels as integers, pools of signs", async () => {
    const image = [8, 8, 3];
    const size = 8 * 8 * 3;
    const split = (count: number, seed: number) => ({
      // Dark or bright below, with noise.
      images: Uint8Array.from({ length: count * size }, (_, i) => {
        const isBright = Math.floor(i / size) % 2 === 1 && i % size > size / 2;
        return Math.floor(128 * uniform01(seed, seed, i)) + (isBright ? 120 : 0);
      }),
      labels: Uint8Array.from({ length: count }, (_, i) => i % 2),
      count,
    });
    const data = {
      name: 'pictures',
      classes: ['dark', 'bright'],
      image,
      train: split(256, 1),
      test: split(64, 2),
      normalise: { scale: [2 / 255, 2 / 255, 2 / 255], shift: [-1, -1, -1] },
    };
    const binary = { kernelQuantizer: 'steSign', inputQuantizer: 'steSign' } as const;
    const model = sequential(
      [
        quantize({ bits: 8, scale: 1 / 128, output: 'integers' }),
        quantConv2d({ filters: 16, kernelSize: 3, kernelQuantizer: 'steSign', inputIntegers: 'int8' }),
        batchNormalization(),
        sign(),
        maxPool2d({ poolSize: 2 }),
        flatten(),
        quantDense({ units: 2, ...binary }),
        reshape({ shape: [2, 1] }),
        batchNormalization(),
        flatten(),
      ],
      { input: image },
    );
    using trainer = await Trainer.create(gpu(), model, data, { batch: 32, epochs: 4, learningRate: 0.01 });
    await trainer.fit();
    expect((await trainer.evaluate()).accuracy).toBeGreaterThan(0.9);
  });
});
