/** Classifiers of hypervectors against plain twins: vectors to the bit, sums as the formulas have them. */
import { describe, expect, test } from 'vitest';
import { OptionError, ShapeError } from '../src/errors.ts';
import {
  adaptHd,
  CLASSIFIER_RULES,
  type ClassifierRule,
  centroid,
  recordEncoder,
  textEncoder,
  trainClassifier,
  trainLeHdc,
} from '../src/hypervectors/index.ts';
import { pcg4d, permute } from '../src/numerics/random.ts';
import * as reference from '../src/reference/vectors.ts';
import { expectSame, useGpu } from './helpers/gpu.ts';

const gpu = useGpu();

const CLASSES = 4;
const FEATURES = 30;
const LEVELS = 16;
const BITS = 500;

/** Records near one of four others; those of a split are a function of its name. */
function recordsOf(split: number, count: number) {
  const random = (a: number, b: number, c: number) => pcg4d(a, b, c, 9)[0];
  const labels = Uint8Array.from({ length: count }, (_, row) => random(split, row, 0) % CLASSES);
  const values = Uint8Array.from({ length: count * FEATURES }, (_, i) => {
    const [row, place] = [Math.floor(i / FEATURES), i % FEATURES];
    const noisy = random(split, row, place + 1) % 100 < 70;
    return noisy ? random(split, row, place + 1001) % LEVELS : random(77, labels[row] ?? 0, place) % LEVELS;
  });
  return { labels, values };
}

const train = recordsOf(1, 160);
const held = recordsOf(2, 200);
const encoder = recordEncoder({ features: FEATURES, levels: LEVELS, bits: BITS, seed: 3 });
const vectors = encoder.encode(train.values);
const options = { bits: BITS, classes: CLASSES };

const accuracy = (found: ArrayLike<number>, labels: Uint8Array) =>
  labels.filter((label, i) => label === found[i]).length / labels.length;

/** Signs of a vector, bit by bit. */
const signsAt = (words: Uint32Array<ArrayBuffer>, row: number) =>
  Array.from({ length: BITS }, (_, place) => 1 - 2 * reference.bitAt(words, BITS, row, place));

const product = (x: readonly number[], y: readonly number[]) =>
  x.reduce((sum, value, i) => sum + value * (y[i] ?? 0), 0);

const first = (values: readonly number[]) => values.indexOf(Math.max(...values));

/** The formulas of the papers, in double precision. */
const TWINS: Readonly<Record<string, (passes: number) => number[][]>> = {
  centroid: () => twin(1, () => 'add'),
  adaptHd: (passes) => twin(passes, (pass) => (pass === 0 ? 'add' : 'correct')),
  onlineHd: (passes) => twin(passes, (pass) => (pass === 0 ? 'online and add' : 'online')),
  quantHd: (passes) => twin(passes, (pass) => (pass === 0 ? 'add' : 'correct signs')),
};

function twin(
  passes: number,
  kindOf: (pass: number) => 'add' | 'correct' | 'correct signs' | 'online' | 'online and add',
): number[][] {
  const sums = Array.from({ length: CLASSES }, () => new Array<number>(BITS).fill(0));
  for (let pass = 0; pass < passes; pass++) {
    const kind = kindOf(pass);
    const quantized = sums.map((sum) => sum.map((value) => (value < 0 ? -1 : 1)));
    for (let i = 0; i < train.labels.length; i++) {
      const row = permute(5, pass, i, train.labels.length);
      const [label, signs] = [train.labels[row] ?? 0, signsAt(vectors, row)];
      const add = (one: number, weight: number) => {
        sums[one] = (sums[one] ?? []).map((value, k) => value + weight * (signs[k] ?? 0));
      };
      const cosines = (kind === 'correct signs' ? quantized : sums).map(
        (sum) => product(sum, signs) / (Math.sqrt(product(sum, sum) * BITS) || 1),
      );
      const taken = first(cosines);
      const online = kind.startsWith('online');
      const rate = kind === 'correct' ? 1 : 1 / 32;
      if (kind === 'add') add(label, 1);
      else if (taken !== label) {
        add(label, online ? 1 - (cosines[label] ?? 0) : rate);
        add(taken, online ? (cosines[taken] ?? 0) - 1 : -rate);
      } else if (kind === 'online and add') add(label, 1 - (cosines[label] ?? 0));
    }
  }
  return sums;
}

describe('encoding', () => {
  test.each([
    [1, 1, 1],
    [2, 3, 33],
    [7, 256, 100],
    [30, 16, 500],
    [65, 5, 64],
  ])('%d features of %d levels in %d bits are the bundle of what is bound', (features, levels, bits) => {
    const values = Uint8Array.from({ length: 3 * features }, (_, i) => pcg4d(i, 1, 2, 3)[0] % levels);
    const found = recordEncoder({ features, levels, bits, seed: 9 }).encode(values);
    const each = Math.ceil(bits / 32);
    const items = reference.itemMemory(features, bits, 9);
    const steps = reference.levelMemory(levels, bits, 9, false);
    for (let row = 0; row < 3; row++) {
      const chosen = new Uint32Array(features * each);
      for (let i = 0; i < features; i++) {
        const level = values[row * features + i] ?? 0;
        chosen.set(steps.subarray(level * each, (level + 1) * each), i * each);
      }
      const bound = reference.bind(items, chosen, features, bits);
      const bundled = reference.bundle(bound, { groups: 1, rows: features, bits }, undefined, 9);
      expectSame(found.subarray(row * each, (row + 1) * each), bundled, `row ${row}`);
    }
  });

  test.each([1, 2, 3])('texts are the bundle of their grams of %d', (n) => {
    const bits = 70;
    const found = textEncoder({ n, bits, seed: 4 }).encode(['hello, w\u{1f30d}', 'abc']);
    const each = Math.ceil(bits / 32);
    for (const [row, text] of [[...'hello, w\u{1f30d}'], [...'abc']].entries()) {
      const grams = text.length - n + 1;
      const all = new Uint32Array(grams * each);
      for (let gram = 0; gram < grams; gram++) {
        let bound = new Uint32Array(each);
        for (let i = 0; i < n; i++) {
          const code = text[gram + i]?.codePointAt(0) ?? 0;
          // Of a memory that long, the row of the character.
          const item = Uint32Array.from({ length: each }, (_, word) => {
            const mask = word === each - 1 ? 2 ** (bits % 32) - 1 : 0xffffffff;
            return (pcg4d(4, 0x6974656d, code, word)[0] & mask) >>> 0;
          });
          bound = reference.bind(bound, reference.rotate(item, 1, bits, n - 1 - i), 1, bits);
        }
        all.set(bound, gram * each);
      }
      const bundled = reference.bundle(all, { groups: 1, rows: grams, bits }, undefined, 4);
      expectSame(found.subarray(row * each, (row + 1) * each), bundled, `text ${row}`);
    }
  });

  test('what is no record and no text is refused', () => {
    expect(() => encoder.encode([1, 2])).toThrow(ShapeError);
    for (const value of [LEVELS, -1, 0.5, Number.NaN]) {
      expect(() => encoder.encode(new Float64Array(FEATURES).fill(value))).toThrow(OptionError);
    }
    expect(() => recordEncoder({ features: 0, levels: 2, bits: 3 })).toThrow(OptionError);
    expect(() => recordEncoder({ features: 1, levels: 2, bits: 3, seed: -1 })).toThrow(OptionError);
    expect(() => textEncoder({ bits: 10 }).encode(['ab'])).toThrow(/2 characters/);
  });
});

describe.each(CLASSIFIER_RULES)('$name', (rule) => {
  const passes = Math.min(rule.passes, 3);
  const trained = trainClassifier(rule, vectors, train.labels, { ...options, passes, seed: 5 });

  test('has the sums of its formula', () => {
    const expected = TWINS[rule.name]?.(passes).flat() ?? [];
    expect(trained.sums).toHaveLength(expected.length);
    // Sums are kept as f32.
    for (const [i, value] of expected.entries())
      expect(Math.abs((trained.sums[i] ?? 0) - value)).toBeLessThan(1e-3);
  });

  test('classifies by cosines, and by signs', () => {
    const asked = encoder.encode(held.values);
    const rows = Array.from({ length: CLASSES }, (_, c) => [
      ...trained.sums.subarray(c * BITS, (c + 1) * BITS),
    ]);
    const by = (keys: readonly number[][]) =>
      Array.from(held.labels, (_, row) =>
        first(keys.map((key) => product(key, signsAt(asked, row)) / Math.sqrt(product(key, key)))),
      );
    expectSame(trained.classify(asked), by(rows));
    expectSame(trained.classifySigns(asked), by(rows.map((row) => row.map((value) => (value < 0 ? -1 : 1)))));
    // Chance is a quarter.
    expect(accuracy(trained.classify(asked), held.labels)).toBeGreaterThan(0.6);
  });
});

describe('training', () => {
  test('LeHDC fits the vectors better than the signs of sums, and the same way by the same seed', async () => {
    const training = { epochs: 15, batch: 20, seed: 7 };
    const [one, other] = [
      await trainLeHdc(gpu(), vectors, train.labels, { ...options, training }),
      await trainLeHdc(gpu(), vectors, train.labels, { ...options, training }),
    ];
    expectSame(one.sums, other.sums);
    expect(new Set(one.sums)).toEqual(new Set([-1, 1]));
    expectSame(one.classify(vectors), one.classifySigns(vectors));
    const sums = trainClassifier(centroid, vectors, train.labels, options);
    const [trained, summed] = [one, sums].map((each) => accuracy(each.classifySigns(vectors), train.labels));
    expect(trained).toBeGreaterThan(summed ?? 1);
    expect(accuracy(one.classify(encoder.encode(held.values)), held.labels)).toBeGreaterThan(0.6);
  });

  test('a rule of one’s own is shown every vector', () => {
    const seen: number[] = [];
    const own: ClassifierRule = {
      ...{ name: 'own', about: '', source: '', passes: 2, asks: () => false },
      changes({ label, taken }) {
        expect(taken).toBe(label);
        seen.push(label);
        return [];
      },
    };
    const { sums } = trainClassifier(own, vectors, train.labels, options);
    expect(seen.sort()).toEqual([...train.labels, ...train.labels].sort());
    expect(sums.every((value) => value === 0)).toBe(true);
  });

  test('languages are told apart by their trigrams', () => {
    // Three made languages: each a chain of syllables of its own, of the same letters.
    const syllables = [
      ['ka', 'lo', 'mi', 'ne', 'tu'],
      ['ak', 'ol', 'im', 'en', 'ut'],
      ['kol', 'min', 'tel', 'lak', 'num'],
    ];
    const text = (language: number, salt: number) =>
      Array.from({ length: 60 }, (_, i) => {
        const own = syllables[language] ?? [];
        return (
          own[pcg4d(salt, language, i, 11)[0] % own.length] + (pcg4d(salt, language, i, 12)[0] % 3 ? '' : ' ')
        );
      }).join('');
    const bits = 2000;
    const languages = Uint8Array.from({ length: 30 }, (_, i) => i % 3);
    const [known, unknown] = [100, 200].map((salt) =>
      [...languages].map((language, i) => text(language, salt + i)),
    );
    const texts = textEncoder({ n: 3, bits, seed: 1 });
    const trained = trainClassifier(centroid, texts.encode(known ?? []), languages, { bits, classes: 3 });
    expectSame(trained.classify(texts.encode(unknown ?? [])), languages);
  });

  test('what doesn’t fit is refused', async () => {
    const bad = (labels: ArrayLike<number>, more = {}) =>
      trainClassifier(adaptHd, vectors, labels, { ...options, ...more });
    expect(() => bad([0, 1])).toThrow(ShapeError);
    expect(() => bad(train.labels, { classes: 2 })).toThrow(/A label is a class/);
    expect(() => bad(train.labels, { passes: 0 })).toThrow(OptionError);
    expect(() => bad(train.labels, { bits: 499.5 })).toThrow(OptionError);
    expect(() => bad(train.labels, { rate: 1 })).toThrow(OptionError);
    expect(() => trainClassifier(centroid, vectors, train.labels, { ...options, passes: 2 })).toThrow(
      /one pass/,
    );
    await expect(trainLeHdc(gpu(), vectors, [9], options)).rejects.toThrow(ShapeError);
  });
});
