import { describe, expect, test } from 'vitest';
import { ShapeError } from '../src/errors.ts';
import { ProgramBuilder, type Tensor } from '../src/gpu/index.ts';
import { randomGramParticipation } from '../src/numerics/closed-forms.ts';
import { packSigns } from '../src/numerics/pack.ts';
import { normal, pcg4d } from '../src/numerics/random.ts';
import { entropyOf, filterPairs, kernelPatterns, summarizePairs } from '../src/ops/structure.ts';
import * as reference from '../src/reference/structure.ts';
import { expectClose, Scratch, useGpu } from './helpers/gpu.ts';

const randomSigns = (seed: number, count: number) =>
  Float32Array.from({ length: count }, (_, i) => (pcg4d(seed, 1, i, 0)[0] >>> 31 ? -1 : 1));

describe('filters against each other', () => {
  const gpu = useGpu();

  async function pairsOf(signs: Float32Array<ArrayBuffer>, filters: number, length: number) {
    using scratch = new Scratch(gpu());
    const b = new ProgramBuilder(gpu(), 'pairs');
    const packed = scratch.tensor('filters', [filters, length], 'bits', packSigns(signs, filters, length));
    const rows = b.keep(filterPairs(b, packed));
    using program = await b.compile();
    program.run();
    return await gpu().readFloats(rows);
  }

  for (const [filters, length] of [
    [1, 9],
    [7, 1],
    [13, 40],
    [65, 33],
    [130, 70],
  ] as const) {
    test(`${filters} filters of ${length} signs agree with the reference, twins included`, async () => {
      const signs = randomSigns(filters, filters * length);
      if (filters > 10) {
        // 3 = 1, 5 = -2, 8 = -(1): twins of both kinds.
        for (const [to, from, sign] of [
          [3, 1, 1],
          [5, 2, -1],
          [8, 1, -1],
        ] as const) {
          const copy = signs.slice(from * length, (from + 1) * length).map((s) => sign * s);
          signs.set(copy, to * length);
        }
      }
      const expected = reference.filterPairs(signs, filters, length);
      const rows = await pairsOf(signs, filters, length);
      expectClose(rows, expected, 1e-5, 'rows');
      const { duplicates, negatedDuplicates } = summarizePairs(rows, filters);
      const wanted = summarizePairs(expected, filters);
      expect([duplicates, negatedDuplicates]).toEqual([wanted.duplicates, wanted.negatedDuplicates]);
      if (filters > 10) expect(Math.min(duplicates, negatedDuplicates)).toBeGreaterThan(0);
    });
  }

  for (const [filters, length, participation] of [
    [128, 27, 22.4],
    [256, 1152, 209.6],
    [512, 4608, 460.9],
  ] as const) {
    test(`${filters} random filters of ${length} signs have the Gram participation of theory`, async () => {
      const rows = await pairsOf(randomSigns(5, filters * length), filters, length);
      const structure = summarizePairs(rows, filters);
      expect(Math.abs(randomGramParticipation(filters, length) - participation)).toBeLessThan(0.06);
      expect(Math.abs(structure.participation / participation - 1)).toBeLessThan(0.02);
      expect(Math.abs(structure.sdCosine * Math.sqrt(length) - 1)).toBeLessThan(0.02);
      expect(Math.abs(structure.meanCosine)).toBeLessThan(4 / Math.sqrt(length * filters));
    });
  }

  test('patterns of 3 x 3 kernels, in both layouts', async () => {
    using scratch = new Scratch(gpu());
    const b = new ProgramBuilder(gpu(), 'patterns');
    const cases = [
      [4, 5],
      [33, 300],
    ].flatMap(([filters = 1, channels = 1]) =>
      (['OHWI', 'OIHW'] as const).map((layout) => {
        const shape = layout === 'OHWI' ? [filters, 3, 3, channels] : [filters, channels, 3, 3];
        const values = Float32Array.from(
          { length: 9 * filters * channels },
          (_, i) => normal(filters, 2, i) + 0.3,
        );
        const latent = scratch.tensor('latent', shape, 'f32', values);
        const counts: Tensor = b.keep(kernelPatterns(b, latent, layout));
        return { counts, expected: reference.kernelPatterns(values, filters, channels, layout) };
      }),
    );
    using program = await b.compile();
    program.run();
    for (const { counts, expected } of cases) {
      expect([...(await gpu().readWords(counts))]).toEqual(expected);
      expect(entropyOf(expected)).toBeLessThan(9);
    }
  });

  test('entropies', () => {
    expect(entropyOf(new Float64Array(512).fill(3))).toBeCloseTo(9, 12);
    expect(entropyOf([0, 7, 0])).toBe(0);
    expect(entropyOf([0, 0])).toBe(0);
    expect(entropyOf([2, 1, 1])).toBeCloseTo(1.5, 12);
  });

  test('wrong tensors are refused', () => {
    using scratch = new Scratch(gpu());
    const b = new ProgramBuilder(gpu(), 'refused');
    expect(() => filterPairs(b, scratch.tensor('floats', [4, 32], 'f32'))).toThrow(ShapeError);
    expect(() => kernelPatterns(b, scratch.tensor('one', [4, 1, 1, 8], 'f32'))).toThrow(ShapeError);
    expect(() => kernelPatterns(b, scratch.tensor('last', [4, 3, 3, 8], 'f32'), 'OIHW')).toThrow(ShapeError);
  });
});
