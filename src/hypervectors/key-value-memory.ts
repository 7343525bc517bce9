/** A memory of keys and values, as memory-augmented networks have it: what is like a key is given the key's value. */
import { OptionError } from '../errors.ts';
import { popcount } from '../numerics/pack.ts';
import { assertKnownOptions } from '../options.ts';
import { assertSizes, type Words } from '../vectors/memories.ts';
import { vectorsIn } from '../vectors/signs.ts';
import { assertLabelled, largest } from './classifier.ts';

/** What a memory holds. */
export interface KeyValueOptions {
  /** Length of a key. */
  readonly bits: number;
  /** How many classes there are: the values are one of them each. */
  readonly classes: number;
  /** How steeply attention rises at a similarity of one half. Default 10. */
  readonly sharpness?: number | undefined;
}

/** Keys of signs, a class for each, and attention to them. */
export interface KeyValueMemory {
  /** How many keys there are. */
  readonly size: number;
  /** Adds keys: the support of a few shots. @param keys words [count, ceil(bits / 32)] @throws ShapeError, OptionError */
  write(keys: Words, labels: ArrayLike<number>): void;
  /**
   * The share of the attention that each class gets.
   * @param queries words [count, ceil(bits / 32)]
   * @returns [count, classes], each row sums to 1
   * @throws ShapeError, OptionError for a memory without keys
   */
  read(queries: Words): Float64Array<ArrayBuffer>;
  /** The class of every query: that with the largest share. @throws ShapeError, OptionError */
  classify(queries: Words): Words;
}

/**
 * A memory of ±1 keys. Attention to a key whose cosine with the query is α is the soft absolute value
 * 1 / (1 + e^(−β(α − ½))) + 1 / (1 + e^(−β(−α − ½))), divided by its sum over all keys: unlike keys, whose α is about 0, get next to none.
 * Source: Karunaratne et al. 2021, "Robust high-dimensional memory-augmented neural networks", arXiv 2010.01939.
 * @throws OptionError
 */
export function keyValueMemory(options: KeyValueOptions): KeyValueMemory {
  const where = 'keyValueMemory';
  assertKnownOptions(options, ['bits', 'classes', 'sharpness'], where);
  const { bits, classes, sharpness = 10 } = options;
  assertSizes({ bits, classes }, 1, where);
  if (!(Number.isFinite(sharpness) && sharpness > 0)) {
    throw new OptionError('Sharpness is a number above 0.', { given: `${sharpness}`, where });
  }
  const each = Math.ceil(bits / 32);
  const keys: number[] = [];
  const values: number[] = [];
  const logistic = (x: number) => 1 / (1 + Math.exp(-sharpness * (x - 0.5)));
  const read = (queries: Words) => {
    const count = vectorsIn(queries, bits, where);
    if (values.length === 0) throw new OptionError('A memory without keys answers nothing.', { where });
    const shares = new Float64Array(count * classes);
    for (let query = 0; query < count; query++) {
      const row = shares.subarray(query * classes, (query + 1) * classes);
      let all = 0;
      values.forEach((value, key) => {
        let differing = 0;
        for (let word = 0; word < each; word++) {
          differing += popcount((queries[query * each + word] ?? 0) ^ (keys[key * each + word] ?? 0));
        }
        const cosine = 1 - (2 * differing) / bits;
        const attention = logistic(cosine) + logistic(-cosine);
        row[value] = (row[value] ?? 0) + attention;
        all += attention;
      });
      for (let c = 0; c < classes; c++) row[c] = (row[c] ?? 0) / all;
    }
    return shares;
  };
  return {
    get size() {
      return values.length;
    },
    write(words, labels) {
      assertLabelled(words, labels, { bits, classes }, where);
      for (const word of words) keys.push(word);
      for (let i = 0; i < labels.length; i++) values.push(labels[i] ?? 0);
    },
    read,
    classify(queries) {
      const shares = read(queries);
      return Uint32Array.from({ length: shares.length / classes }, (_, query) =>
        largest(shares.subarray(query * classes, (query + 1) * classes)),
      );
    },
  };
}
