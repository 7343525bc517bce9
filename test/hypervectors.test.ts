/** Classifiers of hypervectors against plain twins: vectors to the bit, sums as the formulas have them. */
import { describe, expect, test } from 'vitest';
import { OptionError, ShapeError } from '../src/errors.ts';
import {
  adaptHd,
  CLASSIFIER_RULES,
  type ClassifierRule,
  centroid,
  classifierOf,
  densityEncoder,
  keyValueMemory,
  recordEncoder,
  superpose,
  takeOut,
  textEncoder,
  trainClassifier,
  trainLeHdc,
  trainRidge,
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

describe('density encoding and its readout', () => {
  const [bits, clip] = [90, 3];
  const density = densityEncoder({ features: FEATURES, bits, clip, seed: 6 });
  const shares = (values: Uint8Array) => Float64Array.from(values, (value) => value / (LEVELS - 1));
  const found = density.encode(shares(train.values));

  test('are clipped sums of thermometers bound to items, value by value', () => {
    const items = reference.itemMemory(FEATURES, bits, 6);
    for (let row = 0; row < 5; row++) {
      const expected = Array.from({ length: bits }, (_, k) => {
        let sum = 0;
        for (let i = 0; i < FEATURES; i++) {
          const plus = Math.round(((train.values[row * FEATURES + i] ?? 0) / (LEVELS - 1)) * bits);
          sum += (k < plus ? 1 : -1) * (1 - 2 * reference.bitAt(items, bits, i, k));
        }
        return Math.max(-clip, Math.min(clip, sum));
      });
      expectSame(found.subarray(row * bits, (row + 1) * bits), expected, `row ${row}`);
    }
  });

  test('the density of a value is its size: similarity falls evenly with the difference', () => {
    const one = densityEncoder({ features: 1, bits: 1000, clip: 1 });
    const of = (x: number) => [...one.encode([x])];
    for (const [x, y] of [
      [0, 1],
      [0.2, 0.5],
      [0.7, 0.7],
    ] as const) {
      expect(product(of(x), of(y)) / 1000).toBeCloseTo(1 - 2 * Math.abs(x - y), 12);
    }
  });

  test('the readout is where the gradient of the regression is 0, and tells classes apart', () => {
    const lambda = 2;
    const readout = trainRidge(found, train.labels, { bits, classes: CLASSES, lambda });
    for (let c = 0; c < CLASSES; c++) {
      const weights = [...readout.weights.subarray(c * bits, (c + 1) * bits)];
      const gradient = weights.map((weight) => lambda * weight);
      train.labels.forEach((label, row) => {
        const vector = [...found.subarray(row * bits, (row + 1) * bits)];
        const error = product(vector, weights) - (label === c ? 1 : 0);
        vector.forEach((value, k) => {
          gradient[k] = (gradient[k] ?? 0) + value * error;
        });
      });
      // Weights are f32, and the sums of squares are hundreds.
      for (const value of gradient) expect(Math.abs(value)).toBeLessThan(1e-3);
    }
    const asked = density.encode(shares(held.values));
    expect(accuracy(readout.classify(asked), held.labels)).toBeGreaterThan(0.6);
  });

  test('what does not fit is refused', () => {
    expect(() => density.encode(new Float32Array(FEATURES).fill(1.5))).toThrow(OptionError);
    expect(() => density.encode([0])).toThrow(ShapeError);
    expect(() => densityEncoder({ features: 1, bits: 8, clip: 200 })).toThrow(OptionError);
    expect(() => trainRidge(found, [1], { bits, classes: CLASSES })).toThrow(ShapeError);
    for (const lambda of [0, -1, Number.NaN]) {
      expect(() => trainRidge(found, train.labels, { bits, classes: CLASSES, lambda })).toThrow(OptionError);
    }
  });
});

describe('a memory of keys and values', () => {
  test('reads the shares of the soft absolute value of cosines', () => {
    const memory = keyValueMemory({ bits: BITS, classes: CLASSES });
    memory.write(vectors.slice(0, 7 * 16), train.labels.subarray(0, 7));
    memory.write(vectors.slice(7 * 16, 10 * 16), train.labels.subarray(7, 10));
    expect(memory.size).toBe(10);
    const asked = encoder.encode(held.values.subarray(0, 3 * FEATURES));
    const shares = memory.read(asked);
    for (let query = 0; query < 3; query++) {
      const attention = Array.from({ length: 10 }, (_, key) => {
        const cosine = product(signsAt(vectors, key), signsAt(asked, query)) / BITS;
        return 1 / (1 + Math.exp(-10 * (cosine - 0.5))) + 1 / (1 + Math.exp(-10 * (-cosine - 0.5)));
      });
      const all = attention.reduce((sum, value) => sum + value, 0);
      for (let c = 0; c < CLASSES; c++) {
        const own = attention.reduce((sum, value, key) => sum + (train.labels[key] === c ? value : 0), 0);
        expect(shares[query * CLASSES + c]).toBeCloseTo(own / all, 12);
      }
    }
  });

  test('a few shots are enough for signs of which a quarter is wrong', () => {
    const [ways, shots, bits] = [20, 5, 512];
    const each = bits / 32;
    const centres = reference.itemMemory(ways, bits, 3);
    const noisy = (salt: number, count: number) => {
      const labels = Uint32Array.from({ length: count }, (_, i) => i % ways);
      const words = Uint32Array.from({ length: count * each }, (_, i) => {
        const random = pcg4d(salt, i, 1, 1);
        const centre = centres[(labels[Math.floor(i / each)] ?? 0) * each + (i % each)] ?? 0;
        return (centre ^ (random[0] & random[1])) >>> 0;
      });
      return { labels, words };
    };
    const [support, asked] = [noisy(1, ways * shots), noisy(2, 10 * ways)];
    const memory = keyValueMemory({ bits, classes: ways });
    memory.write(support.words, support.labels);
    expectSame(memory.classify(asked.words), asked.labels);
  });

  test('what does not fit is refused', () => {
    const memory = keyValueMemory({ bits: 40, classes: 2 });
    expect(() => memory.read(new Uint32Array(2))).toThrow(/without keys/);
    expect(() => memory.write(new Uint32Array(2), [2])).toThrow(OptionError);
    expect(() => memory.write(new Uint32Array(3), [1])).toThrow(ShapeError);
    expect(() => keyValueMemory({ bits: 40, classes: 2, sharpness: 0 })).toThrow(OptionError);
  });
});

describe('models in one vector', () => {
  // Three tasks. Classes of one length each; what all of them share tells none apart, and would be noise for the other tasks.
  const models = [0, 1, 2].map((task) => {
    const labels = train.labels.map((label) => (label + task) % CLASSES);
    const { sums } = trainClassifier(centroid, vectors, labels, options);
    const units = sums.map((value, i) => {
      const own = [...sums.subarray(i - (i % BITS), i - (i % BITS) + BITS)];
      return value / Math.sqrt(product(own, own));
    });
    return units.map((value, i) => {
      const shared = Array.from({ length: CLASSES }, (_, c) => units[c * BITS + (i % BITS)] ?? 0);
      return value - shared.reduce((all, one) => all + one, 0) / CLASSES;
    });
  });
  const sum = superpose(models, 11);

  test('one alone comes back as it was, several with the noise of the others', () => {
    expectSame(takeOut(superpose(models.slice(0, 1), 5), 0, 5), models[0] ?? []);
    const power = (x: ArrayLike<number>) => Array.from(x).reduce((all, value) => all + value * value, 0);
    models.forEach((model, which) => {
      const noise = takeOut(sum, which, 11).map((value, k) => value - (model[k] ?? 0));
      const others = models.filter((_, i) => i !== which).reduce((all, other) => all + power(other), 0);
      // The others' products with each other have random signs: some twentieth of their squares.
      expect(Math.abs(power(noise) / others - 1)).toBeLessThan(0.2);
      expect(Math.abs(noise.reduce((all, value) => all + value, 0))).toBeLessThan(5 * Math.sqrt(others));
    });
  });

  test('each of three still classifies', () => {
    const asked = encoder.encode(held.values);
    models.forEach((model, which) => {
      const labels = held.labels.map((label) => (label + which) % CLASSES);
      const [own, taken] = [model, takeOut(sum, which, 11)].map((sums) =>
        accuracy(classifierOf(sums, BITS).classify(asked), labels),
      );
      expect(taken).toBeGreaterThan(0.6);
      expect(own).toBeGreaterThanOrEqual(taken ?? 1);
    });
  });

  test('what does not fit is refused', () => {
    expect(() => superpose([], 1)).toThrow(OptionError);
    expect(() => superpose([new Float32Array(2), new Float32Array(3)], 1)).toThrow(ShapeError);
    expect(() => takeOut(sum, -1, 11)).toThrow(OptionError);
  });
});
