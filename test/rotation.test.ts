import { describe, expect, test } from 'vitest';
import { OptionError, ShapeError } from '../src/errors.ts';
import { ProgramBuilder } from '../src/gpu/index.ts';
import { normal } from '../src/numerics/random.ts';
import { rotate, walshHadamard } from '../src/numerics/rotation.ts';
import { FILTER_STATISTICS, filterGeometry } from '../src/ops/geometry.ts';
import { rotateFilters } from '../src/ops/rotation.ts';
import * as geometry from '../src/reference/geometry.ts';
import { expectClose, Scratch, useGpu } from './helpers/gpu.ts';

/** Rows of x_i = e^{k (i - d/2)} g_i, k = 0.1: far from rotation-invariant. */
function skewed(rows: number, d: number): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: rows * d }, (_, n) => {
    // Scaled by its largest factor, which changes no angle and keeps squares within f32.
    return Math.exp(0.1 * ((n % d) - d)) * normal(d, 3, n);
  });
}

const moments = (values: number[]) => {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  return { mean, sd: Math.sqrt(variance) };
};

describe('rotation', () => {
  const gpu = useGpu();

  for (const [rows, d, rounds] of [
    [1, 1, 1],
    [3, 2, 2],
    [5, 27, 3],
    [4, 64, 3],
    [3, 1152, 2],
    [2, 2048, 3],
  ] as const) {
    test(`${rows} filters of ${d}, ${rounds} rounds, agree with the reference`, async () => {
      using scratch = new Scratch(gpu());
      const values = Float32Array.from({ length: rows * d }, (_, i) => normal(1, d, i));
      const b = new ProgramBuilder(gpu(), 'rotate');
      const x = scratch.tensor('x', [rows, d], 'f32', values);
      const rotated = b.keep(rotateFilters(b, { x, seed: 77, rounds }));
      using program = await b.compile();
      program.run();
      const got = await gpu().readFloats(rotated);
      const size = got.length / rows;
      for (let row = 0; row < rows; row++) {
        const expected = rotate(values.subarray(row * d, (row + 1) * d), { seed: 77, rounds });
        expectClose(got.subarray(row * size, (row + 1) * size), expected, 2e-6, `row ${row}`);
      }
    });
  }

  test('the example of generalized binarization: 37 degrees after three rounds', async () => {
    using scratch = new Scratch(gpu());
    const [rows, d] = [300, 512];
    const x = scratch.tensor('x', [rows, d], 'f32', skewed(rows, d));
    const b = new ProgramBuilder(gpu(), 'example');
    const plain = b.keep(filterGeometry(b, { latent: x }));
    // One rotation is one draw of signs: several seeds stand for the law of rotations.
    const rounds = [1, 2, 3].map((count) =>
      [0, 1, 2, 3].map((seed) =>
        b.keep(filterGeometry(b, { latent: rotateFilters(b, { x, seed, rounds: count }) })),
      ),
    );
    using program = await b.compile();
    program.run();
    const angles = async (tensors: (typeof rounds)[number]) => {
      const all: number[] = [];
      for (const tensor of tensors) {
        const values = await gpu().readFloats(tensor);
        for (let o = 0; o < rows; o++) all.push(values[o * FILTER_STATISTICS.length + 3] ?? 0);
      }
      return moments(all);
    };
    expect((await angles([plain])).mean).toBeGreaterThan(80);
    const [one, two, three] = [
      await angles(rounds[0] ?? []),
      await angles(rounds[1] ?? []),
      await angles(rounds[2] ?? []),
    ];
    expect(Math.abs(one.mean - 35)).toBeLessThan(1);
    expect(Math.abs(one.sd - 4.4)).toBeLessThan(1);
    expect(Math.abs(two.mean - 36.4)).toBeLessThan(0.5);
    expect(Math.abs(three.mean - 36.99)).toBeLessThan(0.15);
    expect(Math.abs(three.sd - 0.85)).toBeLessThan(0.3);
  });

  test('the example without a rotation: 68.2 degrees at 100 dimensions, 80.5 at 500', () => {
    for (const [d, degrees] of [
      [100, 68.2],
      [500, 80.5],
    ] as const) {
      const rows = 1000;
      const values = skewed(rows, d);
      const angles = Array.from(
        { length: rows },
        (_, row) => geometry.filterGeometry(values.subarray(row * d, (row + 1) * d)).angleDegrees,
      );
      expect(Math.abs(moments(angles).mean - degrees), `d = ${d}`).toBeLessThan(0.4);
    }
  });

  test('the transform is its own inverse and keeps lengths', () => {
    const x = Array.from({ length: 64 }, (_, i) => normal(3, 3, i));
    expectClose(walshHadamard(walshHadamard(x)), x, 1e-12);
    const norm = (v: number[]) => Math.hypot(...v);
    expect(
      Math.abs(norm(rotate(x.slice(0, 37), { seed: 5, rounds: 3 })) - norm(x.slice(0, 37))),
    ).toBeLessThan(1e-12);
    expect(walshHadamard([1, 0, 0, 0])).toEqual([0.5, 0.5, 0.5, 0.5]);
  });

  test('what makes no sense is refused', () => {
    using scratch = new Scratch(gpu());
    const b = new ProgramBuilder(gpu(), 'refused');
    const x = scratch.tensor('x', [2, 8], 'f32');
    expect(() => rotateFilters(b, { x: scratch.tensor('flat', [8], 'f32') })).toThrow(ShapeError);
    expect(() => rotateFilters(b, { x, rounds: 0 })).toThrow(OptionError);
    expect(() => rotateFilters(b, { x, seed: -1 })).toThrow(OptionError);
  });
});
