/** First layers on bytes: the products of a byte image with binary weights are exact integers. */
import { describe, expect, test } from 'vitest';
import { ShapeError } from '../src/errors.ts';
import { ProgramBuilder, runOnce } from '../src/gpu/index.ts';
import { pcg4d } from '../src/numerics/random.ts';
import { realsFromBytes } from '../src/ops/bytes.ts';
import { resolveConv2d, signConv2d } from '../src/ops/conv.ts';
import { signConv2dGradWeights } from '../src/ops/conv-gradients.ts';
import { packSigns, signMatMul, signMatMulGradWeights } from '../src/ops/dense.ts';
import { conv2d, conv2dGradWeights } from '../src/reference/conv.ts';
import { matMul } from '../src/reference/matmul.ts';
import { expectClose, expectSame, Scratch, useGpu } from './helpers/gpu.ts';

const bytesOf = (count: number) => Uint8Array.from({ length: count }, (_, i) => pcg4d(1, 1, i, 0)[0] & 255);
const signsOf = (count: number) =>
  Float32Array.from({ length: count }, (_, i) => (pcg4d(1, 2, i, 0)[0] & 1 ? -1 : 1));
const realsOf = (count: number) =>
  Float32Array.from({ length: count }, (_, i) => pcg4d(1, 3, i, 0)[0] / 2 ** 31 - 1);

describe('8-bit input', () => {
  const gpu = useGpu();

  test.each([1, 3, 4, 5, 255, 1000])('%d bytes become reals', async (count) => {
    using scratch = new Scratch(gpu());
    const values = bytesOf(count);
    const bytes = scratch.tensor('bytes', [count], 'u8', values);
    using run = await runOnce(gpu(), 'bytes', (b) =>
      b.keep(realsFromBytes(b, bytes, { scale: 2, shift: -255 })),
    );
    expectSame(
      await gpu().readFloats(run.result),
      [...values].map((byte) => 2 * byte - 255),
    );
  });

  test.each([
    [3, 5, 7],
    [5, 8, 784],
    [9, 12, 33],
  ])('dense layer, %d images of %d units and %d pixels', async (m, n, k) => {
    using scratch = new Scratch(gpu());
    const [x, w, g] = [bytesOf(m * k), signsOf(n * k), realsOf(m * n)];
    const bytes = scratch.tensor('x', [m, k], 'u8', x);
    const weights = scratch.tensor('w', [n, k], 'f32', w);
    const gradient = scratch.tensor('g', [m, n], 'f32', g);
    using run = await runOnce(gpu(), 'dense', (b) => ({
      forward: b.keep(signMatMul(b, bytes, packSigns(b, weights))),
      gradWeights: b.keep(signMatMulGradWeights(b, gradient, bytes)),
    }));
    expectSame(await gpu().readFloats(run.result.forward), matMul(x, w, { m, n, k }, { transposeB: true }));
    const gradWeights = matMul(g, x, { m: n, n: k, k: m }, { transposeA: true });
    expectClose(await gpu().readFloats(run.result.gradWeights), gradWeights);
  });

  test.each([
    [3, 8],
    [1, 5],
  ])('convolution of %d channels with %d filters', async (channels, filters) => {
    using scratch = new Scratch(gpu());
    const options = { padding: 'same' } as const;
    const [inputShape, filterShape] = [
      [2, 7, 6, channels],
      [filters, 3, 3, channels],
    ];
    const geometry = resolveConv2d(inputShape, filterShape, options);
    const [x, w] = [bytesOf(2 * 7 * 6 * channels), signsOf(filters * 9 * channels)];
    const g = realsOf(2 * 7 * 6 * filters);
    const bytes = scratch.tensor('x', inputShape, 'u8', x);
    const weights = scratch.tensor('w', filterShape, 'f32', w);
    const gradient = scratch.tensor('g', geometry.outputShape, 'f32', g);
    using run = await runOnce(gpu(), 'conv', (b) => ({
      forward: b.keep(signConv2d(b, bytes, packSigns(b, weights), options)),
      gradWeights: b.keep(signConv2dGradWeights(b, gradient, bytes, { ...options, filterShape })),
    }));
    expectSame(await gpu().readFloats(run.result.forward), conv2d(x, w, geometry));
    expectClose(await gpu().readFloats(run.result.gradWeights), conv2dGradWeights(g, x, geometry));
  });

  test('anything but bytes is refused', () => {
    using scratch = new Scratch(gpu());
    const reals = scratch.tensor('reals', [4], 'f32');
    expect(() => realsFromBytes(new ProgramBuilder(gpu(), 'refused'), reals)).toThrow(ShapeError);
  });
});
