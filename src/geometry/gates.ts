/** How many gates of a network are open: what the layers with gates would cost where closed ones are left out. */
import { OptionError, ShapeError } from '../errors.ts';
import { runOnce, sizeOf } from '../gpu/index.ts';
import { type Network, recordForward } from '../graph/index.ts';
import type { Parameter } from '../layers/index.ts';
import { popcount } from '../numerics/pack.ts';
import { assertAsked } from './asked.ts';

/** The gates of a layer, `quantGatedConv2d` say. */
export interface LayerGates {
  /** Name of the layer. */
  readonly layer: string;
  /** Gates of one sample: one an output. */
  readonly gates: number;
  /** Share of them that are open, over all samples: where the layer needs its second product. */
  readonly open: number;
}

/** Samples that go through the network at once. */
const BATCH = 256;

/**
 * The share of gates that real samples open, of every layer that has some, in the order of the layers.
 * @param network as it is trained, `trainer.network` say; folded, a layer with gates is parts without: `loadModel(file, { fold: false })`
 * @param samples f32 [count, ...inputShape], normalised as in training: `samplesOf`
 * @throws ShapeError for no whole samples; OptionError for a network without gates, and for what is no network
 * @example
 * ```ts
 * import type { TrainingData } from 'webgpu-bnn';
 * import { openGates } from 'webgpu-bnn/compare';
 * import { samplesOf, type Trainer } from 'webgpu-bnn/training';
 *
 * export async function gatesOf(trainer: Trainer, data: TrainingData) {
 *   for (const { layer, open } of await openGates(trainer.network, samplesOf(data, 'test', { count: 100 }))) console.log(layer, open);
 * }
 * ```
 */
export async function openGates(network: Network, samples: Float32Array): Promise<LayerGates[]> {
  const where = 'openGates';
  assertAsked(network, where, samples);
  const size = sizeOf(network.model.inputShape);
  const count = samples.length / size;
  if (!Number.isSafeInteger(count) || count < 1) {
    throw new ShapeError('Gates are counted over whole samples.', {
      given: `${samples.length} values`,
      expected: `a multiple of ${size}`,
      where,
    });
  }
  const { gpu, model, parameters } = network;
  const gated = model.layers.flatMap(({ name, layer, inputs, outputShape }) => {
    const { gates } = layer.traits ?? {};
    return gates === undefined ? [] : [{ name, inputs, gates, count: sizeOf(outputShape), closed: 0 }];
  });
  if (gated.length === 0) {
    throw new OptionError('This network has no gates.', {
      given: model.name,
      where,
      remedy: 'give one with a quantGatedConv2d, and not folded: loadModel(file, { fold: false })',
    });
  }
  for (let start = 0; start < count; start += BATCH) {
    const batch = samples.subarray(start * size, (start + BATCH) * size);
    using x = gpu.tensor('samples', [batch.length / size, ...model.inputShape], 'f32', batch);
    using run = await runOnce(gpu, where, (builder) => {
      const { activations } = recordForward(builder, model, parameters, x, { training: false });
      return gated.map(({ name, inputs, gates }) =>
        builder.keep(
          gates(
            {
              ...{ builder, training: false, state: undefined, stream: 0, wantsInputGradient: [false] },
              parameter: (own) => parameters.get(`${name}/${own}`) as Parameter,
            },
            inputs.map((at) => activations[at] ?? { kind: 'real', tensor: x }),
          ),
        ),
      );
    });
    for (const [index, signs] of run.result.entries()) {
      const seen = gated[index];
      if (seen === undefined) continue;
      for (const word of await gpu.readWords(signs)) seen.closed += popcount(word);
    }
  }
  return gated.map(({ name, count: gates, closed }) => ({
    ...{ layer: name, gates },
    open: 1 - closed / (count * gates),
  }));
}
