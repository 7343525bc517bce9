import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ShapeError } from '../src/errors.ts';
import { type Gpu, ProgramBuilder, sizeOf } from '../src/gpu/index.ts';
import { packSigns, unpackSigns } from '../src/numerics/pack.ts';
import { packSigns as record, unpackSigns as recordUnpack } from '../src/ops/dense.ts';
import { expectSame, Scratch, useGpu } from './helpers/gpu.ts';

const VALUES = [-1, 0, 2, -0, -1e-40, Number.NaN, 1e-40, -3e38, Number.NEGATIVE_INFINITY];

/** Packs on the GPU, unpacks the result there, and compares both with the twins. */
async function runShapes(gpu: Gpu, shapes: readonly (readonly number[])[]): Promise<void> {
  using scratch = new Scratch(gpu);
  const b = new ProgramBuilder(gpu, 'pack');
  const checks = shapes.map((shape, seed) => {
    const channels = shape.at(-1) ?? 1;
    const x = Float32Array.from(
      { length: sizeOf(shape) },
      (_, i) => VALUES[(Math.imul(i + seed, 0x9e3779b1) >>> 16) % VALUES.length] ?? 0,
    );
    const bits = b.keep(record(b, scratch.tensor('x', shape, 'f32', x)));
    const signs = b.keep(recordUnpack(b, bits));
    return { name: `I${shape.join('x')}`, x, rows: x.length / channels, channels, bits, signs };
  });
  using program = await b.compile();
  await gpu.scoped('pack', () => program.run());
  for (const { name, x, rows, channels, bits, signs } of checks) {
    const words = packSigns(x, rows, channels);
    expectSame(await gpu.readWords(bits), words, `${name} packed`);
    expectSame(await gpu.readFloats(signs), unpackSigns(words, rows, channels), `${name} unpacked`);
  }
}

describe('packing signs', () => {
  const gpu = useGpu();

  for (const channels of [1, 2, 31, 32, 33, 63, 64, 65, 784]) {
    test(`I5x${channels}`, async () => {
      await runShapes(gpu(), [[5, channels]]);
    });
  }

  test('one, three and four axes', async () => {
    await runShapes(gpu(), [[40], [2, 3, 40], [2, 3, 4, 33]]);
  });

  test('more words than workgroups fit along one axis', async () => {
    await runShapes(gpu(), [[65_536 * 64 + 1, 1]]);
  });

  test('150 random shapes', async () => {
    const shapes = fc.tuple(fc.integer({ min: 1, max: 70 }), fc.integer({ min: 1, max: 300 }));
    await runShapes(gpu(), fc.sample(shapes, { seed: 1, numRuns: 150 }));
  });

  test('unpacking gives the signs back', () => {
    const x = [-3, 4, 0, -0.5, 7, -1];
    expect([...unpackSigns(packSigns(x, 2, 3), 2, 3)]).toEqual([-1, 1, 1, -1, 1, -1]);
  });

  test('element types that do not fit are refused', () => {
    using scratch = new Scratch(gpu());
    const b = new ProgramBuilder(gpu(), 'refused');
    const x = scratch.tensor('x', [2, 3], 'f32');
    const bits = scratch.tensor('bits', [2, 3], 'bits');
    expect(() => record(b, bits)).toThrow(ShapeError);
    expect(() => recordUnpack(b, x)).toThrow(ShapeError);
    expect(() => record(b, x, { out: x })).toThrow(ShapeError);
    expect(() => record(b, x, { out: scratch.tensor('narrow', [2, 2], 'bits') })).toThrow(ShapeError);
  });
});
