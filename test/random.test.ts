import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { linkShader } from '../shaders/link.ts';
import { defineKernel, runOnce } from '../src/gpu/index.ts';
import { feistelHalfBits, normal, pcg4d, permute, uniform01 } from '../src/numerics/random.ts';
import { expectSame, Scratch, useGpu } from './helpers/gpu.ts';

/** Draws everything `lib/random.wgsl` offers, one index an invocation. */
const PROBE = `
//!include "lib/random.wgsl"
override COUNT: u32;
override HALF_BITS: u32;
@group(0) @binding(0) var<storage, read> key: array<u32>;
@group(0) @binding(1) var<storage, read_write> words: array<vec4u>;
@group(0) @binding(2) var<storage, read_write> uniforms: array<f32>;
@group(0) @binding(3) var<storage, read_write> order: array<u32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= COUNT) {
    return;
  }
  words[id.x] = pcg4d(vec4u(key[0], key[1], id.x, 0xfffffff0u + id.x));
  uniforms[id.x] = uniform01(key[0], key[1], id.x);
  order[id.x] = permute(key[0], key[1], id.x, COUNT, HALF_BITS);
}`;

const shaders = join(import.meta.dirname, '..', 'shaders');
const probe = defineKernel({
  name: 'test/random-probe',
  source: linkShader('/probe.wgsl', shaders, (path) =>
    path === '/probe.wgsl' ? PROBE : readFileSync(path, 'utf8'),
  ).text,
  bindings: { key: 'read', words: 'write', uniforms: 'write', order: 'write' },
  constants: ['COUNT', 'HALF_BITS'],
  workgroups: ({ COUNT }) => [Math.ceil(COUNT / 64), 1, 1],
});

describe('random numbers', () => {
  const gpu = useGpu();

  test('pcg4d of the origin', () => {
    // By hand from the published listing, in arbitrary-precision integers.
    const bits = 0xffffffffn;
    const v = [0n, 1n, 2n, 0xffffffffn].map((x) => (x * 1664525n + 1013904223n) & bits);
    const stir = () => {
      const at = (i: number) => v[i] ?? 0n;
      v[0] = (at(0) + at(1) * at(3)) & bits;
      v[1] = (at(1) + at(2) * at(0)) & bits;
      v[2] = (at(2) + at(0) * at(1)) & bits;
      v[3] = (at(3) + at(1) * at(2)) & bits;
    };
    stir();
    for (let i = 0; i < 4; i++) v[i] = (v[i] ?? 0n) ^ ((v[i] ?? 0n) >> 16n);
    stir();
    expect(pcg4d(0, 1, 2, 0xffffffff)).toEqual(v.map(Number));
  });

  for (const count of [1, 2, 3, 4, 5, 17, 1000, 60000]) {
    test(`${count} values: a bijection, the same on the GPU`, async () => {
      const [seed, epoch] = [0xdeadbeef, count];
      const order = Uint32Array.from({ length: count }, (_, i) => permute(seed, epoch, i, count));
      expect(new Set(order).size).toBe(count);
      expect(order.every((value) => value < count)).toBe(true);

      using scratch = new Scratch(gpu());
      const key = scratch.tensor('key', [2], 'u32', Uint32Array.of(seed, epoch));
      const words = scratch.tensor('words', [count, 4], 'u32');
      const uniforms = scratch.tensor('uniforms', [count], 'f32');
      const shuffled = scratch.tensor('order', [count], 'u32');
      using _ = await runOnce(gpu(), 'probe', (b) =>
        b.dispatch(
          probe,
          { key, words, uniforms, order: shuffled },
          { COUNT: count, HALF_BITS: feistelHalfBits(count) },
        ),
      );
      expectSame(await gpu().readWords(shuffled), order, 'order');
      const expectedWords = Array.from({ length: count }, (_, i) =>
        pcg4d(seed, epoch, i, (0xfffffff0 + i) >>> 0),
      ).flat();
      expectSame(await gpu().readWords(words), expectedWords, 'words');
      const expectedUniforms = Array.from({ length: count }, (_, i) => uniform01(seed, epoch, i));
      expectSame(await gpu().readFloats(uniforms), expectedUniforms, 'uniforms');
    });
  }

  test('another epoch or seed gives another order', () => {
    const order = (seed: number, epoch: number) =>
      Array.from({ length: 1000 }, (_, i) => permute(seed, epoch, i, 1000));
    const kept = (a: number[], b: number[]) => a.filter((value, i) => value === b[i]).length;
    const first = order(1, 0);
    // Two random orders agree in one place on average.
    expect(kept(first, order(1, 1))).toBeLessThan(10);
    expect(kept(first, order(2, 0))).toBeLessThan(10);
    expect(
      kept(
        first,
        Array.from({ length: 1000 }, (_, i) => i),
      ),
    ).toBeLessThan(10);
  });

  test('small orders are all reached about equally often', () => {
    const seen = new Map<string, number>();
    const draws = 6000;
    for (let seed = 0; seed < draws; seed++) {
      const key = [0, 1, 2].map((i) => permute(seed, 0, i, 3)).join();
      seen.set(key, (seen.get(key) ?? 0) + 1);
    }
    expect(seen.size).toBe(6);
    for (const [order, count] of seen) {
      expect(Math.abs(count / draws - 1 / 6), order).toBeLessThan(0.05);
    }
  });

  test('the moments of the uniform and the normal law', () => {
    const count = 100_000;
    const moments = (draw: (index: number) => number) => {
      const sums = [0, 0, 0, 0];
      for (let i = 0; i < count; i++) {
        const x = draw(i);
        for (let k = 0; k < 4; k++) sums[k] = (sums[k] ?? 0) + x ** (k + 1) / count;
      }
      return sums;
    };
    moments((i) => uniform01(7, 1, i)).forEach((moment, k) => {
      expect(Math.abs(moment - 1 / (k + 2))).toBeLessThan(0.005);
    });
    moments((i) => normal(7, 2, i)).forEach((moment, k) => {
      expect(Math.abs(moment - ([0, 1, 0, 3][k] ?? 0))).toBeLessThan(0.08);
    });
  });
});
