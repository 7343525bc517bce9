/** Overlaps: how two inputs come closer or part from layer to layer, and how outputs part when signs of weights are flipped. */
import { OptionError, ShapeError } from '../errors.ts';
import { sizeOf, wordsFor } from '../gpu/index.ts';
import type { Network } from '../graph/index.ts';
import { arcsinLaw } from '../numerics/closed-forms.ts';
import { meanOf } from '../numerics/mean.ts';
import { popcount } from '../numerics/pack.ts';
import { uniform01 } from '../numerics/random.ts';
import { assertKnownOptions, assertPresent } from '../options.ts';
import { signsRead } from './activations.ts';
import { assertAsked } from './asked.ts';

/** The signs that a layer reads, of pairs of inputs. */
export interface LayerOverlap {
  /** Name of the layer that reads the signs. */
  readonly layer: string;
  /** Signs of one sample. */
  readonly bits: number;
  /** Mean overlap of the pairs: 1 of equal signs, 0 of unrelated ones, -1 of opposite ones. */
  readonly overlap: number;
  /**
   * What (2/π)·arcsin makes of the overlaps at the layer before: the law of wide layers of random weights with nothing between
   * product and sign. Undefined of the first.
   */
  readonly law: number | undefined;
}

/**
 * Overlaps of pairs of inputs at every layer with an `inputQuantizer`, against the law of mean field theory.
 * @param one f32 [pairs, ...inputShape]
 * @param other the second of each pair
 * @throws ShapeError unless both are as many whole samples
 */
export async function overlapsByDepth(
  network: Network,
  one: Float32Array,
  other: Float32Array,
): Promise<LayerOverlap[]> {
  assertAsked(network, 'overlapsByDepth', one, other);
  const size = sizeOf(network.model.inputShape);
  const pairs = one.length / size;
  if (!Number.isSafeInteger(pairs) || pairs < 1 || other.length !== one.length) {
    throw new ShapeError('Overlaps are of pairs of whole samples.', {
      given: `${one.length} and ${other.length} values`,
      expected: `as many, a multiple of ${size}`,
      where: 'overlapsByDepth',
    });
  }
  const both = new Float32Array(2 * one.length);
  both.set(one);
  both.set(other, one.length);
  let before: readonly number[] | undefined;
  return (await signsRead(network, both)).map(({ layer, bits, rows }) => {
    const words = wordsFor(bits);
    const overlaps = Array.from({ length: pairs }, (_, pair) => {
      let differing = 0;
      for (let word = 0; word < words; word++) {
        differing += popcount((rows[pair * words + word] ?? 0) ^ (rows[(pairs + pair) * words + word] ?? 0));
      }
      return 1 - (2 * differing) / bits;
    });
    const law = before && meanOf(before.map(arcsinLaw));
    before = overlaps;
    return { layer, bits, overlap: meanOf(overlaps), law };
  });
}

/** Outputs of a network with some of its signs flipped, against what they were. */
export interface FlippedOverlap {
  /** Share of the binary weights that were flipped. */
  readonly flipped: number;
  /** Mean cosine of the outputs of a sample with and without. */
  readonly overlap: number;
  /** Share of samples whose largest output is the same. */
  readonly agree: number;
}

/**
 * Flips signs of binary weights, as many at random as is said, and compares outputs (after Li & Saad's overlap of functions).
 * The network has its own weights again at the end, also where something fails.
 * @param samples f32 [count, ...inputShape]
 * @param shares of all binary weights, each in a network of its own
 * @param options.seed decides which weights; larger shares flip those of smaller ones, too. Default 1
 * @throws OptionError for a share outside of [0, 1], and for a network without binary weights
 */
export async function overlapAgainstFlips(
  network: Network,
  samples: Float32Array<ArrayBuffer>,
  shares: readonly number[],
  options: { readonly seed?: number } = {},
): Promise<FlippedOverlap[]> {
  const where = 'overlapAgainstFlips';
  assertAsked(network, where, samples);
  assertPresent(shares, 'the shares', where, 'length');
  assertKnownOptions(options, ['seed'], where);
  const { seed = 1 } = options;
  const wrong = shares.find((share) => !(share >= 0 && share <= 1));
  if (wrong !== undefined) {
    throw new OptionError('A share of weights is flipped.', {
      given: String(wrong),
      expected: '0 to 1',
      where,
    });
  }
  const names = network.binaryParameters.map(({ name }) => name);
  if (names.length === 0) {
    throw new OptionError('This network has no binary weights.', { given: network.model.name, where });
  }
  const values = await network.values();
  const own = new Map(names.map((name) => [name, values.get(name) ?? new Float32Array()]));
  const outputs = async () => (await network.predict(samples)).slice();
  const before = await outputs();
  const width = before.length / (samples.length / sizeOf(network.model.inputShape));
  const results: FlippedOverlap[] = [];
  try {
    for (const share of shares) {
      let [flips, total] = [0, 0];
      const changed = [...own].map(([name, weights], stream): [string, Float32Array<ArrayBuffer>] => {
        total += weights.length;
        return [
          name,
          weights.map((w, i) => {
            if (uniform01(seed, stream, i) >= share) return w;
            flips += 1;
            // A weight of 0 counts as +1.
            return w === 0 ? -LEAST : -w;
          }),
        ];
      });
      await network.write(new Map(changed));
      results.push({ flipped: flips / total, ...compared(before, await outputs(), width) });
    }
  } finally {
    await network.write(own);
  }
  return results;
}

const LEAST = 1e-6;

function compared(
  before: Float32Array,
  after: Float32Array,
  width: number,
): Pick<FlippedOverlap, 'overlap' | 'agree'> {
  const rows = Array.from({ length: before.length / width }, (_, row) => {
    const [a, b] = [before, after].map((all) => Array.from(all.subarray(row * width, (row + 1) * width)));
    const dot = (x: readonly number[] = [], y: readonly number[] = []) =>
      x.reduce((sum, value, i) => sum + value * (y[i] ?? 0), 0);
    const most = (x: readonly number[] = []) => x.indexOf(Math.max(...x));
    return { cosine: dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b)), agrees: most(a) === most(b) ? 1 : 0 };
  });
  return {
    overlap: meanOf(rows.map(({ cosine }) => cosine)),
    agree: meanOf(rows.map(({ agrees }) => agrees)),
  };
}
