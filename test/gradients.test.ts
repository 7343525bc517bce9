/** Whole training passes on the GPU against the same passes in float64. */
import { describe, expect, test } from 'vitest';
import { ProgramBuilder, type Tensor } from '../src/gpu/index.ts';
import { initialValues, type Model, Network, recordForward, sequential } from '../src/graph/index.ts';
import { batchNormalization, flatten, maxPool2d, quantConv2d, quantDense } from '../src/layers/index.ts';
import { type LossName, type QuantizerName, resolveLoss } from '../src/methods/index.ts';
import { uniform01 } from '../src/numerics/random.ts';
import { encodeTrainState, STATE_WORDS } from '../src/ops/data.ts';
import { loss as recordLoss } from '../src/ops/loss.ts';
import { expectClose, Scratch, useGpu } from './helpers/gpu.ts';
import { twinStep } from './helpers/twin.ts';

const BATCH = 6;

function convolutional(quantizer: QuantizerName, padValue: 0 | 1 | -1): Model {
  const binary = { inputQuantizer: quantizer, kernelQuantizer: 'steSign' } as const;
  return sequential(
    [
      quantConv2d({ name: 'conv1', filters: 8, kernelSize: 3, padding: 'same', kernelQuantizer: 'steSign' }),
      maxPool2d({ poolSize: 2 }),
      batchNormalization({ name: 'norm1' }),
      quantConv2d({ name: 'conv2', filters: 12, kernelSize: 3, padding: 'same', padValue, ...binary }),
      batchNormalization({ name: 'norm2', scale: false }),
      quantConv2d({ name: 'conv3', filters: 33, kernelSize: [2, 3], strides: 2, ...binary }),
      batchNormalization({ name: 'norm3' }),
      flatten(),
      quantDense({ name: 'dense4', units: 16, ...binary }),
      batchNormalization({ name: 'norm4' }),
      quantDense({ name: 'dense5', units: 5, inputQuantizer: quantizer }),
    ],
    { input: [8, 8, 3], name: 'chain' },
  );
}

describe('a training pass agrees with float64', () => {
  const gpu = useGpu();

  test.each([
    ['steSign', 0, 'squaredHinge', 3],
    ['steSign', 1, 'crossEntropy', 1],
    ['approxSign', -1, 'crossEntropy', 2],
    ['swishSign', 0, 'crossEntropy', 1],
    ['steIdentity', 0, 'squaredHinge', 1],
  ] as [QuantizerName, 0 | 1 | -1, LossName, number][])(
    '%s, padding with %d, %s',
    async (quantizer, padValue, kind, seed) => {
      using scratch = new Scratch(gpu());
      const model = convolutional(quantizer, padValue);
      const values = initialValues(model, seed);
      for (const [name, array] of values) {
        // Shifts and scales of their own keep integer sums off the places where a sign jumps.
        if (/gamma$|beta$/.test(name))
          values.set(
            name,
            array.map((v, i) => v + uniform01(seed, 98, i + array.length) / 3),
          );
      }
      using network = await Network.create(gpu(), model, { values });
      const x = Float32Array.from({ length: BATCH * 8 * 8 * 3 }, (_, i) => 2 * uniform01(seed, 99, i) - 1);
      const labels = Uint32Array.from({ length: BATCH }, (_, i) => i % 5);

      const builder = new ProgramBuilder(gpu(), 'pass');
      const state = scratch.tensor('state', [STATE_WORDS], 'u32', encodeTrainState({ seed }));
      const pass = recordForward(
        builder,
        model,
        network.parameters,
        scratch.tensor('x', [BATCH, 8, 8, 3], 'f32', x),
        { training: true, state },
      );
      const metrics = scratch.tensor('metrics', [4, 4], 'f32');
      const gradLogits = recordLoss(builder, {
        loss: resolveLoss(kind),
        logits: pass.output.tensor,
        targets: scratch.tensor('labels', [BATCH], 'u32', labels),
        state,
        metrics,
      });
      const gradients = new Map<string, Tensor>();
      pass.backward(gradLogits, ({ name }, gradient) => gradients.set(name, builder.keep(gradient)));
      using program = await builder.compile();
      program.run();

      const twin = twinStep(model, await network.values(), x, labels, kind);
      // Nothing lies so near a jump that rounding could decide; the seeds are chosen for it.
      expect(twin.margin).toBeGreaterThan(1e-5);
      expectClose((await gpu().readFloats(metrics)).subarray(0, 1), [twin.loss], 1e-5, 'loss');
      expect([...gradients.keys()].sort()).toEqual([...twin.gradients.keys()].sort());
      for (const [name, gradient] of gradients) {
        expectClose(await gpu().readFloats(gradient), twin.gradients.get(name) ?? [], 1e-4, name, 1e-3);
      }
    },
  );
});
