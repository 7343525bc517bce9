/** Real activations with signs that have a scale for each group: against the twins, and on a caller's own buffers. */
import { describe, expect, test } from 'vitest';
import { OptionError, ShapeError } from '../src/errors.ts';
import { ProgramBuilder, Routine, Tensor } from '../src/gpu/index.ts';
import { GROUPED_F16, GROUPED_F32, GROUPED_I8 } from '../src/kernels/grouped.ts';
import { candidates } from '../src/kernels/variants.ts';
import { packSigns } from '../src/numerics/pack.ts';
import { normal } from '../src/numerics/random.ts';
import { groupedSignMatMul, quantizeTokens, roundToHalves } from '../src/ops/grouped.ts';
import * as reference from '../src/reference/matmul.ts';
import { expectSame, Scratch, useGpu } from './helpers/gpu.ts';
import { EVERY_VARIANT } from './helpers/variants.ts';

const gpu = useGpu();

function operands(m: number, n: number, k: number, group: number) {
  const reals = (count: number, stream: number) =>
    Float32Array.from({ length: count }, (_, i) => normal(1, stream, i));
  return {
    x: reals(m * k, 1),
    w: packSigns(reals(n * k, 2), n, k),
    scales: reals((n * k) / group, 3),
    nonzero: packSigns(reals(n * k, 4), n, k),
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

/** A half float whose exponent and fraction are these bits, which are those of a finite one. */
function halfOf(bits: number): number {
  const [exponent, fraction] = [(bits >> 10) & 31, bits & 1023];
  const magnitude = exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15);
  return bits & 0x8000 ? -magnitude : magnitude;
}

/** Activations of a kind, and the reals that they stand for. */
const ACTIVATIONS = {
  f32: (x: Float32Array) => ({ data: x, reals: x }),
  f16: (x: Float32Array) => {
    const data = Uint16Array.from(
      x,
      (value, i) => (value < 0 ? 0x8000 : 0) | (0x2c00 + ((i * 619) % 0x1800)),
    );
    return { data, reals: Float64Array.from(data, halfOf) };
  },
  u8: (x: Float32Array) => {
    const data = Int8Array.from(x, (value, i) => (i === 0 ? -128 : 40 * value));
    return { data: new Uint8Array(data.buffer), reals: Float64Array.from(data) };
  },
};

/** Of the product, the length of a group, and whether weights are ternary and scales half floats. Those after the first two only where all are asked for. */
const SHAPES = [
  [5, 41, 640, 128, true],
  [1, 7, 1536, 768, false],
  [1, 1, 32, 32, false],
  [1, 64, 4096, 128, false],
  [3, 5, 96, 96, true],
  [4, 4, 256, 64, false],
  [16, 33, 1152, 384, true],
  [70, 6, 160, 32, false],
  [2, 3, 2048, 2048, true],
] as const;

describe('groupedSignMatMul', () => {
  describe.each(['f32', 'f16', 'u8'] as const)('of %s', (dtype) => {
    const family = { f32: GROUPED_F32, f16: GROUPED_F16, u8: GROUPED_I8 }[dtype];

    test.each(EVERY_VARIANT ? SHAPES : SHAPES.slice(0, 2))(
      '%d x %d outputs of %d weights in groups of %d, ternary: %s',
      async (m, n, k, group, ternary) => {
        const { x, w, scales, nonzero } = operands(m, n, k, group);
        const { data, reals } = ACTIVATIONS[dtype](x);
        const kept = ternary ? nonzero : undefined;
        const halves = ACTIVATIONS.f16(scales);
        const each = ternary ? halves.reals : scales;
        const expected = reference.groupedSignMatMul(reals, w, each, { m, n, k, group }, kept);
        const rows = dtype === 'u8' ? Float32Array.from({ length: m }, (_, i) => 0.25 + i) : undefined;
        if (rows !== undefined) {
          for (const i of expected.keys()) expected[i] = (expected[i] ?? 0) * (rows[Math.floor(i / n)] ?? 0);
        }
        const extents = {
          ...{ M: m, N: n, K: k, GROUP: group },
          TERNARY: ternary ? 1 : 0,
          HALF_SCALES: ternary ? 1 : 0,
        };
        using scratch = new Scratch(gpu());
        const tensors = {
          x: scratch.tensor('x', [m, k], dtype, data),
          w: scratch.tensor('w', [n, k], 'bits', w),
          nonzero: scratch.tensor('nonzero', [n, k], 'bits', kept ?? w),
          scales: ternary
            ? scratch.tensor('scales', [n, k / group], 'f16', halves.data)
            : scratch.tensor('scales', [n, k / group], 'f32', scales),
          ...(rows && { xScales: scratch.tensor('row scales', [m], 'f32', rows) }),
        };
        const b = new ProgramBuilder(gpu(), 'grouped');
        const outs = candidates(family, extents, gpu()).map((kernel) => {
          const out = b.keep(b.transient(kernel.name, [m, n], 'f32'));
          b.dispatch(kernel, { ...tensors, out }, extents);
          return out;
        });
        outs.push(
          b.keep(
            groupedSignMatMul(b, tensors.x, tensors.w, tensors.scales, {
              ...(kept && { nonzero: tensors.nonzero }),
              ...(tensors.xScales && { xScales: tensors.xScales }),
            }),
          ),
        );
        using program = await b.compile();
        await gpu().scoped('grouped', () => program.run());
        for (const out of outs)
          expect(errorOf(await gpu().read(out), expected), out.label).toBeLessThan(1e-5);
      },
    );
  });

  test('of bytes and scales of 1 is exact', async () => {
    const [m, n, k, group] = [5, 41, 640, 128];
    const { x, w, nonzero } = operands(m, n, k, group);
    const { data, reals } = ACTIVATIONS.u8(x.map((value) => 3 * value));
    const ones = new Float32Array((n * k) / group).fill(1);
    const expected = reference.groupedSignMatMul(reals, w, ones, { m, n, k, group }, nonzero);
    const extents = { M: m, N: n, K: k, GROUP: group, TERNARY: 1, HALF_SCALES: 1 };
    using scratch = new Scratch(gpu());
    const b = new ProgramBuilder(gpu(), 'grouped');
    const tensors = {
      x: scratch.tensor('x', [m, k], 'u8', data),
      w: scratch.tensor('w', [n, k], 'bits', w),
      nonzero: scratch.tensor('nonzero', [n, k], 'bits', nonzero),
      scales: scratch.tensor('scales', [n, k / group], 'f16', new Uint16Array(ones.length).fill(0x3c00)),
      xScales: scratch.tensor('row scales', [m], 'f32', ones.subarray(0, m)),
    };
    const outs = candidates(GROUPED_I8, extents, gpu()).map((kernel) => {
      const out = b.keep(b.transient(kernel.name, [m, n], 'f32'));
      b.dispatch(kernel, { ...tensors, out }, extents);
      return out;
    });
    using program = await b.compile();
    await gpu().scoped('grouped', () => program.run());
    for (const out of outs) expectSame(await gpu().read(out), expected, out.label);
    expect(outs.map(({ label }) => label)).toContain('gemm/grouped_i8_dots');
  });

  test('activations become halves and bytes', async () => {
    const [m, k] = [3, 68];
    const x = operands(m, 1, 32 * k, 32).x.subarray(0, m * k);
    x.fill(0, k, 2 * k);
    using scratch = new Scratch(gpu());
    const b = new ProgramBuilder(gpu(), 'activations');
    const tensor = scratch.tensor('x', [m, k], 'f32', x);
    const halves = b.keep(roundToHalves(b, tensor));
    const { values, xScales } = quantizeTokens(b, tensor);
    for (const each of [values, xScales]) b.keep(each);
    using program = await b.compile();
    await gpu().scoped('activations', () => program.run());
    const asHalves = Array.from((await gpu().read(halves)) as Uint16Array, halfOf);
    const bytes = new Int8Array((await gpu().read(values)).buffer);
    const scales = await gpu().readFloats(xScales);
    for (const [i, value] of x.entries()) {
      const row = Math.floor(i / k);
      const scale = scales[row] ?? Number.NaN;
      expect(Math.abs((asHalves[i] ?? Number.NaN) - value)).toBeLessThanOrEqual(
        Math.abs(value) / 1024 + 1e-7,
      );
      expect(Math.abs((bytes[i] ?? Number.NaN) * scale - value)).toBeLessThanOrEqual(0.5001 * scale);
    }
    for (const row of [0, 1, 2]) {
      const largest = Math.max(...bytes.subarray(row * k, (row + 1) * k).map(Math.abs));
      expect(largest).toBe(row === 1 ? 0 : 127);
    }
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

  test.each([
    ['bytes without a scale for each row', 'u8', {}, OptionError],
    ['reals with scales of rows', 'f32', { xScales: new Tensor('x scales', [2], 'f32') }, OptionError],
    ['scales of other rows of bytes', 'u8', { xScales: new Tensor('x scales', [3], 'f32') }, ShapeError],
    ['zeros of other weights', 'f32', { nonzero: new Tensor('nonzero', [3, 32], 'bits') }, ShapeError],
    ['integers', 'i32', {}, ShapeError],
    ['a result of another shape', 'f32', { out: new Tensor('out', [3, 2], 'f32') }, ShapeError],
  ] as const)('refuses %s', (_, dtype, options, error) => {
    const b = new ProgramBuilder(gpu(), 'refused');
    const [x, w] = [new Tensor('x', [2, 64], dtype), new Tensor('w', [3, 64], 'bits')];
    expect(() => groupedSignMatMul(b, x, w, new Tensor('d', [3, 2], 'f32'), options)).toThrow(error);
  });

  test('refuses tokens whose length is no multiple of 4', () => {
    const b = new ProgramBuilder(gpu(), 'refused');
    expect(() => quantizeTokens(b, new Tensor('x', [2, 6], 'f32'))).toThrow(ShapeError);
  });
});
