/** What the binary activations of a network are worth: their intrinsic dimension, balance and dead channels. */
import { OptionError } from '../errors.ts';
import { runOnce, sizeOf } from '../gpu/index.ts';
import { type Network, recordForward } from '../graph/index.ts';
import { binaryMatMul, packSigns } from '../ops/dense.ts';
import {
  type ChannelBalance,
  channelBalance,
  intrinsicDimension,
  momentDimension,
} from '../reference/dimension.ts';
import { unpackSigns } from '../reference/pack.ts';

export interface ActivationGeometry extends ChannelBalance {
  /** Name of the layer that reads the signs. */
  readonly layer: string;
  /** Signs of one sample. */
  readonly bits: number;
  /** Pairs of samples by the Hamming distance of their signs, from 0 to `bits`. */
  readonly distances: readonly number[];
  /** D(r) = d0 + d1·r of the binary intrinsic dimension. */
  readonly d0: number;
  readonly d1: number;
  /** The dimension that mean and variance of the distances tell. */
  readonly momentDimension: number;
}

/** Larger sets are refused: every pair of samples is compared. */
const MOST_SAMPLES = 4096;

/**
 * Measures the signs that every layer with an `inputQuantizer` reads, over real samples in one batch.
 * @param samples f32 [count, ...inputShape], 2 to 4,096 of them
 * @throws OptionError for too few or too many samples
 */
export async function measureActivations(
  network: Network,
  samples: Float32Array,
): Promise<ActivationGeometry[]> {
  const { gpu, model } = network;
  const count = samples.length / sizeOf(model.inputShape);
  if (!Number.isInteger(count) || count < 2 || count > MOST_SAMPLES) {
    throw new OptionError('Activations are measured over a batch of samples.', {
      given: `${samples.length} values`,
      expected: `2 to ${MOST_SAMPLES} samples of ${sizeOf(model.inputShape)}`,
      where: 'measureActivations',
    });
  }
  using x = gpu.tensor('samples', [count, ...model.inputShape], 'f32', samples);
  using run = await runOnce(gpu, 'activations', (builder) => {
    const pass = recordForward(builder, model, network.parameters, x, { training: false });
    return model.layers.flatMap(({ name, layer, inputs }) => {
      if (layer.config.inputQuantizer === undefined) return [];
      const read = pass.activations[inputs[0] ?? -1] ?? { kind: 'real', tensor: x };
      const bits = read.kind === 'sign' ? read.tensor : packSigns(builder, read.tensor);
      // A sample's signs as one row: packed anew where its rows don't fill their words.
      const rows =
        read.kind === 'sign'
          ? bits.reshape([count, bits.size / count])
          : packSigns(builder, read.tensor.reshape([count, read.tensor.size / count]));
      return {
        name,
        channels: bits.shape.at(-1) ?? 1,
        bits: builder.keep(bits),
        dots: builder.keep(binaryMatMul(builder, rows, rows, { dtype: 'i32' })),
      };
    });
  });
  const results: ActivationGeometry[] = [];
  for (const { name, channels, bits, dots } of run.result) {
    const length = bits.size / count;
    const products = await gpu.read(dots);
    const distances = new Array<number>(length + 1).fill(0);
    for (let a = 0; a < count; a++) {
      for (let b = a + 1; b < count; b++) {
        const distance = (length - (Number(products[a * count + b]) || 0)) / 2;
        distances[distance] = (distances[distance] ?? 0) + 1;
      }
    }
    const signs = unpackSigns(await gpu.readWords(bits), bits.size / channels, channels);
    results.push({
      layer: name,
      bits: length,
      distances,
      ...intrinsicDimension(distances),
      momentDimension: momentDimension(distances),
      ...channelBalance(signs, channels),
    });
  }
  return results;
}
