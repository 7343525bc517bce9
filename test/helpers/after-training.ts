/** What holds of every network that was trained, whatever its quantizers. */
import { expect } from 'vitest';
import type { TrainingData } from '../../src/data/dataset.ts';
import { foldForInference, Network } from '../../src/graph/index.ts';
import { Trainer, type TrainerOptions } from '../../src/train/index.ts';
import { expectSame } from './gpu.ts';

/**
 * Expects that a training which is resumed after `steps` ends with the same bits, and that the network predicts the same of
 * `samples` from latent weights, from packed ones, and folded.
 * @param whole the training, done without a break
 * @returns what was compared, for more
 */
export async function expectSameAfterTraining(
  whole: Trainer,
  data: TrainingData,
  options: TrainerOptions,
  steps: number,
  samples: Float32Array<ArrayBuffer>,
) {
  const { gpu, model } = whole.network;
  using first = await Trainer.create(gpu, model, data, options);
  await first.runSteps(steps);
  using second = await Trainer.create(gpu, model, data, options);
  await second.restore(await first.checkpoint());
  await second.fit();
  expect(await second.network.hash()).toBe(await whole.network.hash());

  const expected = await whole.network.predict(samples);
  const latents = await whole.network.values();
  const packed = await whole.network.packedValues();
  for (const values of [latents, packed]) {
    for (const forInference of [false, true]) {
      using network = await Network.create(gpu, model, { values, forInference });
      expectSame(await network.predict(samples), expected, `for inference: ${forInference}`);
    }
  }
  const folded = foldForInference(model, packed);
  using inference = await Network.create(gpu, folded.model, { values: folded.values, forInference: true });
  expectSame(await inference.predict(samples), expected, 'folded');
  return { expected, latents, packed, folded };
}
