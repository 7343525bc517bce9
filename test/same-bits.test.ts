/**
 * The methods that were there before methods became objects train to the same bits as they did then: the hashes of this
 * table were made with the kernels of version 0.1. But for swishSign on weights: its derivative was computed by one formula
 * there and by another for activations, and only the latter, which neither overflows nor cancels, is left. And but for ten in
 * which a sum of signs was its channel's mean: rounding made such sums −1 in 0.1, and they are +1 as sign(0) is.
 */
import { describe, expect, test } from 'vitest';
import type { Model } from '../src/graph/index.ts';
import { sequential } from '../src/graph/index.ts';
import { batchNormalization, flatten, quantConv2d, quantDense } from '../src/layers/index.ts';
import type { QuantizerLike } from '../src/methods/index.ts';
import { Trainer, type TrainerOptions } from '../src/train/index.ts';
import { quadrants } from './helpers/data.ts';
import { useGpu } from './helpers/gpu.ts';

/** Filters of 9 weights a row of 1 channel, of 63 in rows of 7, of units in whole vec4s: every width of the kernels. */
function network(inputQuantizer: QuantizerLike, kernelQuantizer: QuantizerLike): Model {
  return sequential(
    [
      quantConv2d({ filters: 7, kernelSize: 3, kernelQuantizer }),
      batchNormalization(),
      quantConv2d({ filters: 8, kernelSize: 3, inputQuantizer, kernelQuantizer }),
      batchNormalization(),
      flatten(),
      quantDense({ units: 4, inputQuantizer, kernelQuantizer }),
      batchNormalization(),
    ],
    { input: [8, 8, 1], name: 'same bits' },
  );
}

const CLIPPED = { name: 'steSign', clip: 0.4 } as const;
const QUANTIZERS: readonly (readonly [input: QuantizerLike, weights: QuantizerLike])[] = [
  ['steSign', 'steSign'],
  [CLIPPED, CLIPPED],
  ['steIdentity', 'steIdentity'],
  ['approxSign', 'approxSign'],
  ['swishSign', 'steSign'],
  ['steSign', 'swishSign'],
];
const OPTIMIZERS = {
  adam: { optimizer: 'adam' },
  'adam, fan-scaled': { optimizer: { name: 'adam', beta1: 0.8, epsilon: 1e-6 }, fanScaledSteps: true },
  sgd: { optimizer: { name: 'sgd', momentum: 0.9 }, learningRate: 0.05 },
  bop: { optimizer: { name: 'bop', gamma: { from: 0.01, to: 0.001, decay: 'linear' }, threshold: 1e-6 } },
  'cross-entropy': { loss: 'crossEntropy' },
} as const satisfies Readonly<Record<string, TrainerOptions>>;

/** SHA-256 of the weights after 12 steps, its first 16 digits, by optimizer and quantizers of inputs and weights. */
const BEFORE: Readonly<Record<string, string>> = {
  'adam: steSign, steSign': '669347fca4742948',
  'adam: steSign {"name":"steSign","clip":0.4}, steSign {"name":"steSign","clip":0.4}': '5a8c6bd7cd7493b0',
  'adam: steIdentity, steIdentity': '7a667f503e0b3b6f',
  'adam: approxSign, approxSign': '232c571d941c3c6c',
  'adam: swishSign, steSign': '384789d0717e7e4c',
  'adam: steSign, swishSign': '4af84c9f4ab81a53',
  'adam, fan-scaled: steSign, steSign': 'f90a95b09db52172',
  'adam, fan-scaled: steSign {"name":"steSign","clip":0.4}, steSign {"name":"steSign","clip":0.4}':
    '135df514dbfd73ae',
  'adam, fan-scaled: steIdentity, steIdentity': '1f8f14714a84110a',
  'adam, fan-scaled: approxSign, approxSign': '05de19fe8039725b',
  'adam, fan-scaled: swishSign, steSign': '38df10fcdc3ba67f',
  'adam, fan-scaled: steSign, swishSign': '1c9a8733e4e45400',
  'sgd: steSign, steSign': '03335778ac7714d4',
  'sgd: steSign {"name":"steSign","clip":0.4}, steSign {"name":"steSign","clip":0.4}': '8b4c11ca0043002f',
  'sgd: steIdentity, steIdentity': 'd8fa010f211ba7ce',
  'sgd: approxSign, approxSign': '2ca11857a2149390',
  'sgd: swishSign, steSign': '0f7c842d1b5823ca',
  'sgd: steSign, swishSign': '480596c73a3e97b6',
  'bop: steSign, steSign': 'fa6567340fb81309',
  'bop: steSign {"name":"steSign","clip":0.4}, steSign {"name":"steSign","clip":0.4}': '0fc8b64740554349',
  'bop: steIdentity, steIdentity': 'bba6df1fa13e4828',
  'bop: approxSign, approxSign': 'f7c02c77afb81697',
  'bop: swishSign, steSign': '5ddc9306cd50fda6',
  'bop: steSign, swishSign': 'fa6567340fb81309',
  'cross-entropy: steSign, steSign': 'ff252d13e8e3c76b',
  'cross-entropy: steSign {"name":"steSign","clip":0.4}, steSign {"name":"steSign","clip":0.4}':
    '96f66af64565a2d3',
  'cross-entropy: steIdentity, steIdentity': '8a49565017f2377b',
  'cross-entropy: approxSign, approxSign': 'af98725158fa3091',
  'cross-entropy: swishSign, steSign': 'e3c0b012233c4c6f',
  'cross-entropy: steSign, swishSign': '00050bc5cd82efda',
};

const textOf = (quantizer: QuantizerLike) =>
  typeof quantizer === 'string' ? quantizer : `${quantizer.name} ${JSON.stringify(quantizer)}`;

describe('the same bits as in version 0.1', () => {
  const gpu = useGpu();
  const data = quadrants(300, 100);

  for (const [title, options] of Object.entries(OPTIMIZERS)) {
    for (const [inputs, weights] of QUANTIZERS) {
      const name = `${title}: ${textOf(inputs)}, ${textOf(weights)}`;
      test(name, async () => {
        using trainer = await Trainer.create(gpu(), network(inputs, weights), data, {
          batch: 25,
          epochs: 1,
          seed: 3,
          ...options,
        });
        await trainer.runSteps(12);
        expect((await trainer.network.hash()).slice(0, 16)).toBe(BEFORE[name]);
      });
    }
  }
});
