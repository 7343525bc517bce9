/** Hypervectors against their twins, to the bit, and search among keys. */
import { describe, expect, test } from 'vitest';
import { DisposedError, OptionError, ShapeError } from '../src/errors.ts';
import { hammingDistances } from '../src/geometry/index.ts';
import { ProgramBuilder, type Tensor } from '../src/gpu/index.ts';
import { candidates } from '../src/kernels/variants.ts';
import { SEARCH } from '../src/kernels/vectors.ts';
import { normal, pcg4d } from '../src/numerics/random.ts';
import { hammingHistogram } from '../src/reference/dimension.ts';
import * as reference from '../src/reference/vectors.ts';
import {
  binaryMatMul,
  bind,
  bindWords,
  bundle,
  bundleWords,
  itemMemory,
  itemWords,
  levelMemory,
  levelWords,
  meanOf,
  nearest,
  nearestWords,
  negate,
  negateWords,
  rotate,
  rotateWords,
  signsOf,
  unpackSigns,
  VectorIndex,
} from '../src/vectors.ts';
import { expectSame, Scratch, useGpu } from './helpers/gpu.ts';

const gpu = useGpu();

type Search = Parameters<typeof SEARCH.operands>[0];

/** Runs what is recorded, and reads the words of each result. */
async function run(
  record: (b: ProgramBuilder, scratch: Scratch) => readonly Tensor[],
): Promise<Uint32Array[]> {
  using scratch = new Scratch(gpu());
  const b = new ProgramBuilder(gpu(), 'vectors');
  const results = record(b, scratch).map((tensor) => b.keep(tensor));
  using program = await b.compile();
  await gpu().scoped('vectors', () => program.run());
  const read: Uint32Array[] = [];
  for (const result of results) read.push(new Uint32Array(await gpu().readBytes(result)));
  return read;
}

/** Random rows; of few different ones where `kinds` says, so that distances are equal. */
function randomRows(rows: number, bits: number, salt: number, kinds = rows) {
  return signsOf(
    Float32Array.from({ length: rows * bits }, (_, i) => {
      const row = Math.floor(i / bits) % kinds;
      return (pcg4d(salt, row, i % bits, 5)[0] & 1) - 0.5;
    }),
    bits,
  );
}

const SHAPES = [
  [1, 1],
  [3, 2],
  [4, 31],
  [5, 32],
  [7, 33],
  [6, 100],
  [9, 1000],
] as const;

describe.each(SHAPES)('%d vectors of %d bits', (rows, bits) => {
  test('memories are a function of their seed', async () => {
    const made = await run((b) =>
      [1, 0xffffffff].flatMap((seed) => [
        itemMemory(b, { rows, bits, seed }),
        levelMemory(b, { rows, bits, seed }),
        levelMemory(b, { rows, bits, seed, circular: true }),
      ]),
    );
    [1, 0xffffffff].forEach((seed, i) => {
      expectSame(made[3 * i] ?? [], reference.itemMemory(rows, bits, seed), 'items');
      expectSame(made[3 * i + 1] ?? [], reference.levelMemory(rows, bits, seed, false), 'levels');
      expectSame(made[3 * i + 2] ?? [], reference.levelMemory(rows, bits, seed, true), 'a circle');
      const options = { rows, bits, seed };
      expectSame(itemWords(options), made[3 * i] ?? [], 'items on the processor');
      expectSame(levelWords(options), made[3 * i + 1] ?? [], 'levels on the processor');
      expectSame(levelWords({ ...options, circular: true }), made[3 * i + 2] ?? [], 'a circle there');
    });
  });

  test('bind, negate and rotate, there and back', async () => {
    const [x, y, one] = [randomRows(rows, bits, 1), randomRows(rows, bits, 2), randomRows(1, bits, 3)];
    const shifts = [0, 1, -1, 31, 32, 33, bits, -bits - 5, 7 * bits + 3];
    const [bound, all, back, opposite, ...rotated] = await run((b, scratch) => {
      const tensor = scratch.tensor('x', [rows, bits], 'bits', x);
      const others = scratch.tensor('y', [rows, bits], 'bits', y);
      const single = scratch.tensor('one', [bits], 'bits', one);
      const product = bind(b, tensor, others);
      return [
        product,
        bind(b, tensor, single),
        bind(b, product, others),
        negate(b, tensor),
        ...shifts.flatMap((by) => [rotate(b, tensor, by), rotate(b, rotate(b, tensor, by), -by)]),
      ];
    });
    expectSame(bound ?? [], reference.bind(x, y, rows, bits), 'bind');
    expectSame(all ?? [], reference.bind(x, one, rows, bits), 'bind to one');
    expectSame(back ?? [], x, 'bound twice');
    expectSame(opposite ?? [], reference.negate(x, rows, bits), 'negate');
    expectSame(bindWords(x, y, bits), bound ?? [], 'bind on the processor');
    expectSame(bindWords(x, one, bits), all ?? [], 'bind to one there');
    expectSame(negateWords(x, bits), opposite ?? [], 'negate there');
    shifts.forEach((by, i) => {
      expectSame(rotated[2 * i] ?? [], reference.rotate(x, rows, bits, by), `by ${by}`);
      expectSame(rotateWords(x, bits, by), rotated[2 * i] ?? [], `by ${by} on the processor`);
      expectSame(rotated[2 * i + 1] ?? [], x, `by ${by} and back`);
    });
  });

  test('bundles with and without weights, ties by the seed', async () => {
    const groups = 3;
    const x = randomRows(groups * rows, bits, 4);
    const weights = Int32Array.from({ length: groups * rows }, (_, i) => (pcg4d(i, 1, 2, 3)[0] % 7) - 3);
    const made = await run((b, scratch) => {
      const tensor = scratch.tensor('x', [groups, rows, bits], 'bits', x);
      const given = scratch.tensor('weights', [groups, rows], 'i32', weights);
      return [bundle(b, tensor, { seed: 9 }), bundle(b, tensor, { seed: 10, weights: given })];
    });
    const shape = { groups, rows, bits };
    expectSame(made[0] ?? [], reference.bundle(x, shape, undefined, 9), 'bundle');
    expectSame(made[1] ?? [], reference.bundle(x, shape, weights, 10), 'weighted');
    expectSame(bundleWords(x, { bits, groups, seed: 9 }), made[0] ?? [], 'bundle on the processor');
    expectSame(bundleWords(x, { bits, groups, seed: 10, weights }), made[1] ?? [], 'weighted there');
  });
});

describe('what makes them hypervectors', () => {
  const bits = 4096;
  const similarities = (words: Uint32Array, rows: number) =>
    run((b, scratch) => {
      const x = scratch.tensor('x', [rows, bits], 'bits', Uint32Array.from(words));
      return [binaryMatMul(b, x, x, { dtype: 'i32' }).reshape([rows * rows])];
    });

  test('levels: similarity falls evenly, to 0 at the other end, or at the other side of a circle', async () => {
    const rows = 9;
    for (const circular of [false, true]) {
      const values = unpackSigns(reference.levelMemory(rows, bits, 3, circular), rows, bits);
      const with0 = Array.from({ length: rows }, (_, level) => {
        let sum = 0;
        for (let i = 0; i < bits; i++) sum += (values[i] ?? 0) * (values[level * bits + i] ?? 0);
        return sum / bits;
      });
      const expected = circular
        ? [1, 0.8, 0.6, 0.4, 0.2, 0, 0.25, 0.5, 0.75]
        : [1, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125, 0];
      with0.forEach((similarity, level) => {
        expect(Math.abs(similarity - (expected[level] ?? 0))).toBeLessThan(2 / bits + 1e-12);
      });
    }
  });

  test('items are unlike each other, a bundle is like each of its parts', async () => {
    const [memory] = await run((b) => {
      const all = itemMemory(b, { rows: 6, bits, seed: 5 });
      return [all, bundle(b, all, { seed: 1 })];
    });
    const sums = unpackSigns(memory ?? [], 6, bits);
    for (let other = 1; other < 6; other++) {
      let dot = 0;
      for (let i = 0; i < bits; i++) dot += (sums[i] ?? 0) * (sums[other * bits + i] ?? 0);
      // Five standard deviations.
      expect(Math.abs(dot)).toBeLessThan(5 * Math.sqrt(bits));
    }
    const five = reference.itemMemory(5, bits, 5);
    const centre = reference.bundle(five, { groups: 1, rows: 5, bits }, undefined, 1);
    const [dots] = await similarities(Uint32Array.from([...five, ...centre]), 6);
    // Of five vectors the majority agrees with each in 11 of 16 places: a similarity of 3/8.
    for (let row = 0; row < 5; row++) {
      const dot = (dots?.[5 * 6 + row] ?? 0) | 0;
      expect(Math.abs(dot / bits - 3 / 8)).toBeLessThan(5 / Math.sqrt(bits));
    }
  });
});

describe('search', () => {
  const takes: Record<string, number> = {};
  const GRID = [
    [1, 1, 1, 1],
    [3, 7, 33, 7],
    [5, 64, 100, 64],
    [2, 3000, 64, 10],
    [17, 2500, 96, 3],
    [1, 40_000, 32, 5],
    [9, 700, 1024, 20],
    [3, 300, 383, 4],
    [4, 1, 128, 1],
    [6, 67, 128, 64],
    [7, 2050, 250, 2],
    [1, 5, 512, 5],
  ] as const;
  test.each(GRID)(
    'of %d queries among %d keys of %d bits: the %d nearest, by every kernel',
    async (...extents) => {
      const [queries, size, bits, count] = extents;
      // Few different ones, so that many are equally near.
      const keys = randomRows(size, bits, 6, Math.max(2, Math.ceil(size / 3)));
      const asked = randomRows(queries, bits, 7);
      const expected = reference.nearest(asked, keys, bits, count).flat(2);
      const find = async () => {
        const [found] = await run((b, scratch) => [
          nearest(
            b,
            scratch.tensor('queries', [queries, bits], 'bits', asked),
            scratch.tensor('keys', [size, bits], 'bits', keys),
            count,
          ),
        ]);
        return found ?? [];
      };
      expectSame(await find(), expected, 'by default');
      const [key, question] = [...gpu().choices.asked].find(([name]) => name.startsWith('nearest(')) ?? [];
      if (key === undefined || question === undefined) throw new Error('no kernel was asked for');
      for (const { name } of candidates(SEARCH, question.extents as Search, gpu())) {
        gpu().choices.pin(key, name);
        expectSame(await find(), expected, name);
        takes[name] = (takes[name] ?? 0) + 1;
      }
      gpu().choices.clear(key);
      (gpu().choices.asked as Map<string, unknown>).clear();
    },
  );

  test('every kernel had its cases', () => {
    expect(takes).toEqual({ 'vectors/search': 12, 'vectors/search4': 7, 'vectors/search_tile': 7 });
  });

  test('pairs of vectors are counted by how far they are from each other', async () => {
    for (const [rows, bits] of [
      [1, 5],
      [70, 33],
    ] as const) {
      const words = randomRows(rows, bits, 12, Math.ceil(rows / 2));
      using scratch = new Scratch(gpu());
      const signs = unpackSigns(words, rows, bits);
      const tensor = scratch.tensor('signs', [rows, bits], 'bits', words);
      expect(await hammingDistances(gpu(), tensor)).toEqual(hammingHistogram(signs, rows, bits));
    }
  });

  test('an index gives keys and similarities, however many are asked for, call after call', async () => {
    const [bits, size] = [70, 600];
    const keys = randomRows(size, bits, 8);
    using index = await VectorIndex.create(gpu(), keys, { bits });
    expect([index.size, index.bits]).toEqual([size, bits]);
    const asks = [
      [1, 4],
      [300, 2],
      [7, 4],
      [0, 3],
      [1, 4],
    ] as const;
    const found = await Promise.all(
      asks.map(([queries, count]) => index.search(randomRows(queries, bits, 9), count)),
    );
    for (const [i, [queries, count]] of asks.entries()) {
      const there = await nearestWords(randomRows(queries, bits, 9), keys, bits, count);
      expect(there, 'without a GPU').toEqual(found[i]);
    }
    asks.forEach(([queries, count], i) => {
      const pairs = reference.nearest(randomRows(queries, bits, 9), keys, bits, count).flat();
      const distances = pairs.map(([distance]) => bits - 2 * distance);
      expectSame(
        found[i]?.keys ?? [],
        pairs.map(([, key]) => key),
        'keys',
      );
      expectSame(found[i]?.similarities ?? [], distances, 'similarities');
    });
  });

  test('signs of centred embeddings find the clusters that exact search finds', async () => {
    const [clusters, each, dims] = [20, 10, 256];
    const at = (i: number, spread: number, stream: number) => {
      const cluster = Math.floor(i / dims / each);
      // A common offset, which the mean takes off.
      return 3 + normal(1, cluster, i % dims) + spread * normal(2, stream, i);
    };
    const keys = Float64Array.from({ length: clusters * each * dims }, (_, i) => at(i, 0.5, 1));
    const asked = Float64Array.from({ length: clusters * each * dims }, (_, i) => at(i, 0.5, 2));
    const mean = meanOf(keys, dims);
    using index = await VectorIndex.create(gpu(), signsOf(keys, dims, { mean }), { bits: dims });
    const found = await index.search(signsOf(asked, dims, { mean }), each);
    const right = found.keys.filter(
      (key, i) => Math.floor(key / each) === Math.floor(Math.floor(i / each) / each),
    ).length;
    expect(right / found.keys.length).toBeGreaterThan(0.99);
    using raw = await VectorIndex.create(gpu(), signsOf(keys, dims), { bits: dims });
    const blind = await raw.search(signsOf(asked, dims), each);
    expect(blind.similarities[0] ?? 0).toBeGreaterThan(found.similarities[0] ?? 0);
  });

  test('an index that was disposed says so, and holds nothing', async () => {
    const before = gpu().memory.bytes;
    const index = await VectorIndex.create(gpu(), randomRows(50, 64, 1), { bits: 64 });
    await index.search(randomRows(3, 64, 2), 2);
    await index.search(randomRows(3, 64, 2), 5);
    index.dispose();
    expect(gpu().memory.bytes).toBe(before);
    await expect(index.search(randomRows(1, 64, 2), 1)).rejects.toThrow(DisposedError);
    expect(() => index.dispose()).toThrow(DisposedError);
  });
});

describe('what does not fit is refused', () => {
  test.each<[string, new (...args: never[]) => Error, () => unknown]>([
    ['no bundle', OptionError, () => bundleWords(new Uint32Array(), { bits: 8, seed: 1 })],
    ['groups', ShapeError, () => bundleWords(new Uint32Array(3), { bits: 8, seed: 1, groups: 2 })],
    ['weights', ShapeError, () => bundleWords(new Uint32Array(3), { bits: 8, seed: 1, weights: [1] })],
    ['half a vector', ShapeError, () => rotateWords(new Uint32Array(3), 40, 1)],
    ['no bits', OptionError, () => bindWords(new Uint32Array(1), new Uint32Array(1), undefined as never)],
    ['reals', OptionError, () => negateWords(new Float32Array(1) as never, 8)],
    ['a list', OptionError, () => bundleWords([1] as never, { bits: 8, seed: 1 })],
    [
      'half a weight',
      OptionError,
      () => bundleWords(new Uint32Array(1), { bits: 8, seed: 1, weights: [0.5] }),
    ],
    ['half a place', OptionError, () => rotateWords(new Uint32Array(2), 40, 0.5)],
    ['no length', OptionError, () => itemWords({ rows: 1, bits: 0, seed: 1 })],
    ['a long seed', OptionError, () => levelWords({ rows: 1, bits: 8, seed: 2 ** 32 })],
  ])('on the processor: %s', (_, error, made) => {
    expect(made).toThrow(error);
  });

  const recorded = (record: (b: ProgramBuilder, scratch: Scratch) => unknown) => () => {
    using scratch = new Scratch(gpu());
    record(new ProgramBuilder(gpu(), 'refused'), scratch);
  };

  test.each<[string, new (...args: never[]) => Error, (b: ProgramBuilder, scratch: Scratch) => unknown]>([
    [
      'vectors of two lengths',
      ShapeError,
      (b, s) => bind(b, s.tensor('x', [2, 8], 'bits'), s.tensor('y', [2, 9], 'bits')),
    ],
    [
      'two to three',
      ShapeError,
      (b, s) => bind(b, s.tensor('x', [3, 8], 'bits'), s.tensor('y', [2, 8], 'bits')),
    ],
    ['reals', ShapeError, (b, s) => negate(b, s.tensor('x', [2, 8], 'f32'))],
    ['half a place', OptionError, (b, s) => rotate(b, s.tensor('x', [2, 8], 'bits'), 0.5)],
    [
      'a bundle of a vector that is no row',
      ShapeError,
      (b, s) => bundle(b, s.tensor('x', [8], 'bits'), { seed: 1 }),
    ],
    [
      'weights of others',
      ShapeError,
      (b, s) => bundle(b, s.tensor('x', [2, 8], 'bits'), { seed: 1, weights: s.tensor('w', [3], 'i32') }),
    ],
    ['a seed below 0', OptionError, (b) => itemMemory(b, { rows: 1, bits: 8, seed: -1 })],
    ['no rows', OptionError, (b) => levelMemory(b, { rows: 0, bits: 8, seed: 1 })],
    [
      'more keys than there are',
      OptionError,
      (b, s) => nearest(b, s.tensor('q', [1, 8], 'bits'), s.tensor('k', [3, 8], 'bits'), 4),
    ],
    [
      'more than 64 keys',
      OptionError,
      (b, s) => nearest(b, s.tensor('q', [1, 8], 'bits'), s.tensor('k', [90, 8], 'bits'), 65),
    ],
    [
      'queries of another length',
      ShapeError,
      (b, s) => nearest(b, s.tensor('q', [1, 9], 'bits'), s.tensor('k', [3, 8], 'bits'), 1),
    ],
  ])('%s', (_, kind, record) => {
    expect(recorded(record)).toThrow(kind);
  });

  test('words that are no whole vectors, bits behind the last one, no keys, a mean of another length', async () => {
    const create = (words: Uint32Array<ArrayBuffer>, bits: number) =>
      VectorIndex.create(gpu(), words, { bits });
    await expect(create(new Uint32Array(5), 64)).rejects.toThrow(ShapeError);
    await expect(create(new Uint32Array([0, 1 << 8]), 40)).rejects.toThrow(OptionError);
    await expect(create(new Uint32Array(), 40)).rejects.toThrow(OptionError);
    await expect(create(new Uint32Array(2), 0)).rejects.toThrow(OptionError);
    expect(() => signsOf([1, 2, 3], 2)).toThrow(ShapeError);
    expect(() => signsOf([1, 2], 2, { mean: [1] })).toThrow(ShapeError);
  });
});
