/** Ready-made models: their sizes, and that what they are made of trains. */
import { describe, expect, test } from 'vitest';
import { OptionError } from '../src/errors.ts';
import { sequential, summarize } from '../src/graph/index.ts';
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
import { cnv, lfc, MODEL_NAMES, modelByName, sfc, tfc } from '../src/zoo/index.ts';
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

test('models go by their names, and a name that is none is refused with the nearest', () => {
  for (const name of MODEL_NAMES) {
    const options = ['binarynet', 'cnv'].includes(name) ? PICTURES : DIGITS;
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
