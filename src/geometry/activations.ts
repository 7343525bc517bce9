/** What the binary activations of a network are worth: their intrinsic dimension, balance and dead channels. */
import { OptionError } from '../errors.ts';
import { runOnce, sizeOf, wordsFor } from '../gpu/index.ts';
import { type Network, recordForward } from '../graph/index.ts';
import {
  balanceOf,
  type ChannelBalance,
  intrinsicDimension,
  momentDimension,
} from '../numerics/dimension.ts';
import { packSigns, unpackSigns } from '../ops/dense.ts';
import { hammingDistances } from './distances.ts';

/**
 * The signs that a layer reads: how far those of different samples are from each other, and how many
 * dimensions they fill.
 */
export interface ActivationGeometry extends ChannelBalance {
  /** Name of the layer that reads the signs. */
  readonly layer: string;
  /** Signs of one sample. */
  readonly bits: number;
  /** Pairs of samples by the Hamming distance of their signs, from 0 to `bits`. */
  readonly distances: readonly number[];
  /** D(r) = d0 + d1·r of the binary intrinsic dimension. */
  readonly d0: number;
  /** Slope of D(r) over r: see `d0`. */
  readonly d1: number;
  /** The dimension that mean and variance of the distances tell. */
  readonly momentDimension: number;
}

/** Larger sets are refused: every pair of samples is compared. */
const MOST_SAMPLES = 200_000;
/** Samples that go through the network at once. */
const BATCH = 512;

/**
 * Measures the signs that every layer with an `inputQuantizer` reads, over real samples. They go through the network in
 * batches; the signs of all of them are kept, a bit each, and all pairs are counted on the GPU.
 * @param samples f32 [count, ...inputShape], 2 to 200,000 of them
 * @throws OptionError for too few or too many samples; OutOfMemoryError
 */
export async function measureActivations(
  network: Network,
  samples: Float32Array,
): Promise<ActivationGeometry[]> {
  const size = sizeOf(network.model.inputShape);
  const count = samples.length / size;
  if (!Number.isInteger(count) || count < 2 || count > MOST_SAMPLES) {
    throw new OptionError('Activations are measured over some samples.', {
      given: `${samples.length} values`,
      expected: `2 to ${MOST_SAMPLES} samples of ${size}`,
      where: 'measureActivations',
    });
  }
  const layers = await signsRead(network, samples);
  const results: ActivationGeometry[] = [];
  for (const { layer, bits, rows, negative } of layers) {
    using signs = network.gpu.tensor(`signs of ${layer}`, [count, bits], 'bits', rows);
    const distances = await hammingDistances(network.gpu, signs);
    results.push({
      layer,
      bits,
      distances,
      ...intrinsicDimension(distances),
      momentDimension: momentDimension(distances),
      ...balanceOf(negative, (count * bits) / negative.length),
    });
  }
  return results;
}

/**
 * The signs that every layer with an `inputQuantizer` reads, of all samples.
 * @param samples f32 [count, ...inputShape]
 */
export async function signsRead(network: Network, samples: Float32Array): Promise<SeenSigns[]> {
  const size = sizeOf(network.model.inputShape);
  const layers: SeenSigns[] = [];
  for (let start = 0; start < samples.length / size; start += BATCH) {
    const batch = samples.subarray(start * size, (start + BATCH) * size);
    await addSigns(layers, network, batch, start, samples.length / size);
  }
  return layers;
}

/** What was seen of a layer's input so far. */
export interface SeenSigns {
  readonly layer: string;
  readonly bits: number;
  /** The signs of a sample as one row, of all samples. */
  readonly rows: Uint32Array<ArrayBuffer>;
  /** Signs −1 of each channel. */
  readonly negative: number[];
}

/** Adds the signs of a batch of samples to what was seen of each layer. */
async function addSigns(
  layers: SeenSigns[],
  { gpu, model, parameters }: Network,
  samples: Float32Array,
  start: number,
  total: number,
): Promise<void> {
  const count = samples.length / sizeOf(model.inputShape);
  using x = gpu.tensor('samples', [count, ...model.inputShape], 'f32', samples);
  using run = await runOnce(gpu, 'activations', (builder) => {
    const pass = recordForward(builder, model, parameters, x, { training: false });
    return model.layers.flatMap(({ name, layer, inputs }) => {
      if (layer.config.inputQuantizer === undefined) return [];
      const read = pass.activations[inputs[0] ?? -1] ?? { kind: 'real', tensor: x };
      const bits = read.kind === 'sign' ? read.tensor : packSigns(builder, read.tensor);
      const channels = bits.shape.at(-1) ?? 1;
      const length = bits.size / count;
      // A sample's signs as one row: packed anew where its rows don't fill their words.
      const rows =
        channels === length || channels % 32 === 0
          ? bits.reshape([count, length])
          : packSigns(
              builder,
              (read.kind === 'sign' ? unpackSigns(builder, bits) : read.tensor).reshape([count, length]),
            );
      return [{ name, channels, bits: builder.keep(bits), rows: builder.keep(rows) }];
    });
  });
  for (const [index, { name, channels, bits, rows }] of run.result.entries()) {
    const length = bits.size / count;
    layers[index] ??= {
      layer: name,
      bits: length,
      rows: new Uint32Array(total * wordsFor(length)),
      negative: new Array<number>(channels).fill(0),
    };
    const seen = layers[index];
    seen.rows.set(await gpu.readWords(rows), start * wordsFor(length));
    countMinuses(await gpu.readWords(bits), channels, seen.negative);
  }
}

/** Adds the signs −1 of each channel, from rows of channels. */
function countMinuses(words: Uint32Array, channels: number, negative: number[]): void {
  const rowWords = wordsFor(channels);
  for (const [at, given] of words.entries()) {
    const first = 32 * (at % rowWords);
    // The lowest bit that is set, one after the other.
    for (let word = given; word !== 0; word = (word & (word - 1)) >>> 0) {
      const channel = first + 31 - Math.clz32(word & -word);
      negative[channel] = (negative[channel] ?? 0) + 1;
    }
  }
}
