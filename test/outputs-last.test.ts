/** Filters as Keras keeps them, with the outputs on the last axis, against the twin on filters that were transposed. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ShapeError } from '../src/errors.ts';
import { type Gpu, ProgramBuilder, Tensor } from '../src/gpu/index.ts';
import { packSigns } from '../src/numerics/pack.ts';
import { outputsLast, packSignsOutputsLast } from '../src/ops/outputs-last.ts';
import { expectSame, Scratch, useGpu } from './helpers/gpu.ts';

const VALUES = [-1, 0, 2, -0, -1e-40, Number.NaN, 1e-40, -3e38, 0.5, -0.25];

/** Runs all shapes [taps, channels, outputs] in one program. */
async function runShapes(gpu: Gpu, shapes: readonly (readonly [number, number, number])[]): Promise<void> {
  using scratch = new Scratch(gpu);
  const b = new ProgramBuilder(gpu, 'outputs last');
  const checks = shapes.map(([taps, channels, outputs], seed) => {
    const rows = taps * channels;
    const w = Float32Array.from(
      { length: rows * outputs },
      (_, i) => VALUES[(Math.imul(i + seed, 0x9e3779b1) >>> 16) % VALUES.length] ?? 0,
    );
    const first = Float32Array.from(w, (_, i) => w[(i % rows) * outputs + Math.floor(i / rows)] ?? 0);
    return {
      name: `${taps}x${channels}x${outputs}`,
      w,
      expected: packSigns(first, outputs * taps, channels),
      bits: b.keep(packSignsOutputsLast(b, scratch.tensor('w', [taps, channels, outputs], 'f32', w))),
      back: b.keep(outputsLast(b, scratch.tensor('first', [outputs, taps, channels], 'f32', first))),
    };
  });
  using program = await b.compile();
  await gpu.scoped('outputs last', () => program.run());
  for (const { name, w, expected, bits, back } of checks) {
    expectSame(await gpu.readWords(bits), expected, `${name} packed`);
    expectSame(
      new Uint32Array((await gpu.readFloats(back)).buffer),
      new Uint32Array(w.buffer),
      `${name} back`,
    );
  }
}

describe('filters with their outputs last', () => {
  const gpu = useGpu();

  test('1, 31, 32, 33, 64 and 70 channels', async () => {
    await runShapes(
      gpu(),
      [1, 31, 32, 33, 64, 70].map((channels) => [9, channels, 5]),
    );
  });

  test('40 random shapes', async () => {
    const extent = (max: number) => fc.integer({ min: 1, max });
    await runShapes(gpu(), fc.sample(fc.tuple(extent(9), extent(100), extent(70)), { seed: 1, numRuns: 40 }));
  });

  test('any number of axes before the last two', () => {
    const b = new ProgramBuilder(gpu(), 'shapes');
    const shapeOf = (...shape: number[]) => packSignsOutputsLast(b, new Tensor('w', shape, 'f32')).shape;
    expect([shapeOf(40, 6), shapeOf(3, 2, 40, 6)]).toEqual([
      [6, 40],
      [6, 3, 2, 40],
    ]);
    expect(() => shapeOf(6)).toThrow(ShapeError);
  });
});
