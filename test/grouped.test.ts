/** Real activations with signs that have a scale for each group: against the twin, and on a caller's own buffers. */
import { describe, expect, test } from 'vitest';
import { ShapeError } from '../src/errors.ts';
import { ProgramBuilder, Routine, Tensor } from '../src/gpu/index.ts';
import { packSigns } from '../src/numerics/pack.ts';
import { normal } from '../src/numerics/random.ts';
import { groupedSignMatMul } from '../src/ops/grouped.ts';
import * as reference from '../src/reference/matmul.ts';
import { Scratch, useGpu } from './helpers/gpu.ts';

const gpu = useGpu();

function operands(m: number, n: number, k: number, group: number) {
  const reals = (count: number, stream: number) =>
    Float32Array.from({ length: count }, (_, i) => normal(1, stream, i));
  return {
    x: reals(m * k, 1),
    w: packSigns(reals(n * k, 2), n, k),
    scales: reals((n * k) / group, 3),
  };
}

/** The largest error, of the largest output. */
function errorOf(actual: ArrayLike<number>, expected: Float64Array): number {
  const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return (
    expected.reduce((most, value, i) => Math.max(most, Math.abs(value - (actual[i] ?? Number.NaN))), 0) /
    largest
  );
}

describe('groupedSignMatMul', () => {
  test.each([
    [1, 1, 32, 32],
    [1, 7, 128, 128],
    [1, 64, 4096, 128],
    [3, 5, 96, 96],
    [4, 4, 256, 64],
    [5, 9, 640, 128],
    [16, 33, 1152, 384],
    [70, 6, 160, 32],
    [2, 3, 2048, 2048],
  ])('%d x %d outputs of %d weights in groups of %d', async (m, n, k, group) => {
    const { x, w, scales } = operands(m, n, k, group);
    using scratch = new Scratch(gpu());
    const b = new ProgramBuilder(gpu(), 'grouped');
    const out = b.keep(
      groupedSignMatMul(
        b,
        scratch.tensor('x', [m, k], 'f32', x),
        scratch.tensor('w', [n, k], 'bits', w),
        scratch.tensor('scales', [n, k / group], 'f32', scales),
      ),
    );
    using program = await b.compile();
    await gpu().scoped('grouped', () => program.run());
    const expected = reference.groupedSignMatMul(x, w, scales, { m, n, k, group });
    const error = errorOf(await gpu().read(out), expected);
    expect(error).toBeLessThan(1e-5);
  });

  test("is a routine on a caller's device and buffers", async () => {
    const [m, n, k, group] = [2, 10, 512, 128];
    const { x, w, scales } = operands(m, n, k, group);
    const { device } = gpu();
    const routine = new Routine(gpu(), 'grouped', (b) => {
      const [input, weights] = [new Tensor('x', [m, k], 'f32'), new Tensor('w', [n, k], 'bits')];
      const each = new Tensor('scales', [n, k / group], 'f32');
      return { x: input, w: weights, scales: each, y: groupedSignMatMul(b, input, weights, each) };
    });
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
    const buffers = [x, w, scales, new Float32Array(m * n)].map((data) => {
      const buffer = device.createBuffer({ size: data.byteLength, usage });
      device.queue.writeBuffer(buffer, 0, data);
      return buffer;
    });
    const [bx, bw, bs, by] = buffers as [GPUBuffer, GPUBuffer, GPUBuffer, GPUBuffer];
    const bound = await routine.bind({ x: bx, w: bw, scales: bs, y: by });
    const staging = device.createBuffer({
      size: 4 * m * n,
      usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
    });
    const encoder = device.createCommandEncoder();
    bound.encode(encoder);
    encoder.copyBufferToBuffer(by, 0, staging, 0, 4 * m * n);
    device.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ);
    const found = new Float32Array(staging.getMappedRange().slice(0));
    for (const buffer of [...buffers, staging]) buffer.destroy();
    const expected = reference.groupedSignMatMul(x, w, scales, { m, n, k, group });
    expect(errorOf(found, expected)).toBeLessThan(1e-5);
  });

  test.each([
    ['rows of two lengths', [2, 64], [3, 96], [3, 3]],
    ['groups that do not divide a row', [2, 160], [3, 160], [3, 3]],
    ['groups of 16', [2, 64], [3, 64], [3, 4]],
    ['scales of other rows', [2, 64], [3, 64], [2, 1]],
    ['scales of no group', [2, 64], [3, 64], [3, 0]],
    ['a vector', [64], [3, 64], [3, 1]],
  ])('refuses %s', (_, x, w, scales) => {
    const b = new ProgramBuilder(gpu(), 'refused');
    const record = () =>
      groupedSignMatMul(
        b,
        new Tensor('x', x, 'f32'),
        new Tensor('w', w, 'bits'),
        new Tensor('d', scales, 'f32'),
      );
    expect(record).toThrow(ShapeError);
  });
});
