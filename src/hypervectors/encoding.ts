/** Things as hypervectors, on the processor: records of levels (images are such), and texts. */
import { OptionError } from '../errors.ts';
import { majorityCounter } from '../numerics/votes.ts';
import { assertKnownOptions } from '../options.ts';
import { assertSizes, itemRow, itemWords, levelWords, tieWords, type Words } from '../vectors/memories.ts';
import { countOf } from '../vectors/signs.ts';
import { rotateWords } from '../vectors/words.ts';

/** What records have in common. */
export interface RecordOptions {
  /** Values of a record: the pixels of an image. */
  readonly features: number;
  /** Values are integers below it: 256 for bytes. */
  readonly levels: number;
  /** Length of a vector. */
  readonly bits: number;
  /** The same vectors everywhere for the same seed. Default 1. */
  readonly seed?: number | undefined;
}

/** Encodes records as vectors. */
export interface RecordEncoder {
  /**
   * The vectors of records.
   * @param values integers below `levels`, [count, features]
   * @returns words [count, ceil(bits / 32)]
   * @throws ShapeError, OptionError
   */
  encode(values: ArrayLike<number>): Words;
}

/**
 * Record-based encoding: each place of a record has a random vector, each level one that is like those of its neighbours; the
 * two are bound at every place, and all are bundled. Where as many signs are +1 as −1, the seed says which it is, the same
 * for all records. Source: Rahimi et al. 2016, "A Robust and Energy-Efficient Classifier Using Brain-Inspired Hyperdimensional
 * Computing"; Kleyko et al. 2022, arXiv 2112.15424.
 * @throws OptionError
 */
export function recordEncoder(options: RecordOptions): RecordEncoder {
  const where = 'recordEncoder';
  assertKnownOptions(options, ['features', 'levels', 'bits', 'seed'], where);
  const { features, levels, bits, seed = 1 } = options;
  assertSizes({ features, levels, bits }, seed, where);
  const each = Math.ceil(bits / 32);
  // Word by word: what an image asks of a word of all vectors then lies together.
  const items = transposed(itemWords({ rows: features, bits, seed }), features, each);
  const steps = transposed(levelWords({ rows: levels, bits, seed }), levels, each);
  const ties = tieWords(bits, seed);
  return {
    encode(values) {
      const count = countOf(values.length, features, where);
      const places = Uint32Array.from(values);
      for (let i = 0; i < places.length; i++) {
        if (places[i] === values[i] && (places[i] ?? 0) < levels) continue;
        throw new OptionError('A value is an integer below the number of levels.', {
          given: `${values[i]}`,
          expected: `0 to ${levels - 1}`,
          where,
        });
      }
      const words = new Uint32Array(count * each);
      const counter = majorityCounter(features);
      const bound = new Uint32Array(features);
      for (let word = 0; word < each; word++) {
        const [item, step] = [word * features, word * levels];
        for (let row = 0; row < count; row++) {
          const first = row * features;
          for (let i = 0; i < features; i++) {
            bound[i] = (items[item + i] ?? 0) ^ (steps[step + (places[first + i] ?? 0)] ?? 0);
          }
          words[row * each + word] = counter(bound, ties[word] ?? 0);
        }
      }
      return words;
    },
  };
}

/** What texts have in common. */
export interface TextOptions {
  /** Characters of a gram. Default 3. */
  readonly n?: number | undefined;
  /** Length of a vector. */
  readonly bits: number;
  /** The same vectors everywhere for the same seed. Default 1. */
  readonly seed?: number | undefined;
}

/** Encodes texts as vectors. */
export interface TextEncoder {
  /** The vectors of texts. @returns words [texts, ceil(bits / 32)] @throws OptionError for a text that is shorter than a gram */
  encode(texts: readonly string[]): Words;
}

/**
 * n-gram encoding: each character has a random vector by its code point; those of a gram are rotated by their distance from its
 * end and bound, and all grams of a text are bundled. Source: Joshi, Halseth & Kanerva 2016, arXiv 1412.7026.
 * @throws OptionError
 */
export function textEncoder(options: TextOptions): TextEncoder {
  const where = 'textEncoder';
  assertKnownOptions(options, ['n', 'bits', 'seed'], where);
  const { n = 3, bits, seed = 1 } = options;
  assertSizes({ n, bits }, seed, where);
  const each = Math.ceil(bits / 32);
  const ties = tieWords(bits, seed);
  /** By character: its vector, rotated by 0 to n − 1. */
  const rotations = new Map<string, readonly Words[]>();
  const rotated = (character: string) => {
    const known = rotations.get(character);
    if (known !== undefined) return known;
    const item = itemRow(character.codePointAt(0) ?? 0, bits, seed);
    const all = Array.from({ length: n }, (_, by) => rotateWords(item, bits, by));
    rotations.set(character, all);
    return all;
  };
  return {
    encode(texts) {
      const words = new Uint32Array(texts.length * each);
      for (const [row, text] of texts.entries()) {
        const characters = [...text];
        const grams = characters.length - n + 1;
        if (grams < 1) {
          throw new OptionError('A text has a gram at least.', {
            given: `${characters.length} characters`,
            expected: `${n} or more`,
            where,
          });
        }
        const vectors = characters.map(rotated);
        const counter = majorityCounter(grams);
        const bound = new Uint32Array(grams);
        for (let word = 0; word < each; word++) {
          for (let gram = 0; gram < grams; gram++) {
            let all = 0;
            for (let i = 0; i < n; i++) all ^= vectors[gram + i]?.[n - 1 - i]?.[word] ?? 0;
            bound[gram] = all;
          }
          words[row * each + word] = counter(bound, ties[word] ?? 0);
        }
      }
      return words;
    },
  };
}

/** [rows, each] as [each, rows]. */
function transposed(words: Words, rows: number, each: number): Words {
  return words.map((_, i) => words[(i % rows) * each + Math.floor(i / rows)] ?? 0);
}
