/** The library on a caller's own device, buffers and encoder, as a project with WebGPU of its own would use it. */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { DisposedError, GpuValidationError, OptionError, ShapeError } from '../src/errors.ts';
import { Gpu, Routine, Tensor } from '../src/gpu/index.ts';
import { requestGpu } from '../src/node/gpu.ts';
import { binaryConv2d } from '../src/ops/conv.ts';
import { binaryMatMul, packSigns } from '../src/ops/dense.ts';
import { expectSame } from './helpers/gpu.ts';

const [M, N, K] = [5, 12, 70];

/** The caller: a device with WebGPU's default limits and no feature, and what it does with it. */
class Caller {
  readonly device: GPUDevice;
  readonly gpu: Gpu;
  submits = 0;

  constructor(device: GPUDevice) {
    this.device = device;
    this.gpu = Gpu.fromDevice(device);
  }

  buffer(bytes: number, usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST) {
    return this.device.createBuffer({ size: bytes, usage });
  }

  submit(encode: (encoder: GPUCommandEncoder) => void): void {
    const encoder = this.device.createCommandEncoder();
    encode(encoder);
    this.device.queue.submit([encoder.finish()]);
    this.submits += 1;
  }

  async read(buffer: GPUBuffer, offset: number, count: number): Promise<Float32Array> {
    const staging = this.buffer(4 * count, GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST);
    this.submit((encoder) => encoder.copyBufferToBuffer(buffer, offset, staging, 0, 4 * count));
    await staging.mapAsync(GPUMapMode.READ);
    const values = new Float32Array(staging.getMappedRange().slice(0));
    staging.destroy();
    return values;
  }
}

const values = (count: number, salt: number) =>
  Float32Array.from({ length: count }, (_, i) => ((Math.imul(i + salt, 0x9e3779b1) >>> 8) % 201) / 100 - 1);
const signOf = (x: number) => (x < 0 ? -1 : 1);

function product(x: Float32Array, w: Float32Array): Float32Array {
  return Float32Array.from({ length: M * N }, (_, i) => {
    const [row, column] = [Math.floor(i / N), i % N];
    let sum = 0;
    for (let k = 0; k < K; k++) sum += signOf(x[row * K + k] ?? 0) * signOf(w[column * K + k] ?? 0);
    return sum;
  });
}

describe('a routine on a device with default limits', () => {
  let owners: Gpu[];
  let caller: Caller;
  let stranger: GPUDevice;
  let routine: Routine<'x' | 'w' | 'y'>;

  beforeAll(async () => {
    // Asking once makes WebGPU's classes global.
    (await requestGpu()).dispose();
    const { requestDevice } = GPUAdapter.prototype;
    const plain = vi.spyOn(GPUAdapter.prototype, 'requestDevice').mockImplementation(function (
      this: GPUAdapter,
    ) {
      return requestDevice.call(this);
    });
    owners = [await requestGpu(), await requestGpu()];
    plain.mockRestore();
    const [mine, other] = owners.map(({ device }) => device);
    if (mine === undefined || other === undefined) throw new Error('no devices');
    caller = new Caller(mine);
    stranger = other;
    routine = new Routine(caller.gpu, 'dense', (b) => {
      const x = new Tensor('x', [M, K], 'f32');
      const w = new Tensor('w', [N, K], 'f32');
      return { x, w, y: binaryMatMul(b, packSigns(b, x), packSigns(b, w)) };
    });
  });
  afterAll(() => {
    caller.gpu.dispose();
    for (const gpu of owners) gpu.dispose();
  });

  test('needs no feature and no limit beyond those of every device', () => {
    const { limits, features } = caller.device;
    expect([limits.maxStorageBuffersPerShaderStage, limits.maxComputeInvocationsPerWorkgroup]).toEqual([
      8, 256,
    ]);
    expect(features.has('subgroups')).toBe(false);
  });

  test('reads and writes at offsets, in the encoder of the caller, and submits nothing', async () => {
    const [x, w] = [values(M * K, 1), values(N * K, 2)];
    const shared = caller.buffer(8192);
    caller.device.queue.writeBuffer(shared, 256, x);
    caller.device.queue.writeBuffer(shared, 4096, w);
    const y = caller.buffer(1024);
    caller.device.queue.writeBuffer(y, 0, new Float32Array(256).fill(7));
    using bound = await routine.bind({
      x: { buffer: shared, offset: 256 },
      w: { buffer: shared, offset: 4096 },
      y: { buffer: y, offset: 512 },
    });
    caller.submit((encoder) => {
      bound.encode(encoder);
    });
    const all = await caller.read(y, 0, 256);
    expectSame(all.subarray(128, 128 + M * N), product(x, w), 'product');
    // Nothing beside the operand was touched.
    expect([...all.subarray(0, 128), ...all.subarray(128 + M * N)].every((value) => value === 7)).toBe(true);
    expect(caller.gpu.counters.submits).toBe(0);
    expect(caller.gpu.counters.readbacks).toBe(0);
  });

  test('runs in order with the dispatches of the caller, and again with new values', async () => {
    const [x, w] = [caller.buffer(4 * M * K), caller.buffer(4 * N * K)];
    const [first, second] = [caller.buffer(4 * M * N), caller.buffer(4 * M * N)];
    using bound = await routine.bind({ x, w, y: first });
    const [a, b, weights] = [values(M * K, 3), values(M * K, 4), values(N * K, 5)];
    caller.device.queue.writeBuffer(w, 0, weights);
    const staged = caller.buffer(4 * M * K);
    caller.device.queue.writeBuffer(x, 0, a);
    caller.device.queue.writeBuffer(staged, 0, b);
    caller.submit((encoder) => {
      bound.encode(encoder);
      encoder.copyBufferToBuffer(first, 0, second, 0, 4 * M * N);
      encoder.copyBufferToBuffer(staged, 0, x, 0, 4 * M * K);
      const pass = encoder.beginComputePass();
      bound.encodeInto(pass);
      pass.end();
    });
    expectSame(await caller.read(second, 0, M * N), product(a, weights), 'first');
    expectSame(await caller.read(first, 0, M * N), product(b, weights), 'second');
  });

  test('encodes at once, with memory of the caller, without having been compiled, where its shaders are loaded', async () => {
    const conv = (size: number) =>
      new Routine(caller.gpu, 'conv', (b) => {
        const x = new Tensor('x', [1, size, size, 3], 'f32');
        const w = new Tensor('w', [2, 3, 3, 3], 'f32');
        const options = { padding: 'same', padValue: 1 } as const;
        return { x, w, y: binaryConv2d(b, packSigns(b, x), packSigns(b, w), options) };
      });
    const fresh = conv(4);
    const [x, w, y] = [caller.buffer(4 * 48), caller.buffer(4 * 54), caller.buffer(4 * 32)];
    caller.device.queue.writeBuffer(x, 0, new Float32Array(48).fill(-1));
    caller.device.queue.writeBuffer(w, 0, new Float32Array(54).fill(1));
    const scratch = fresh.scratch.map((bytes) => caller.buffer(bytes));
    const unloaded = conv(5);
    const operands = { x: caller.buffer(300), w, y: caller.buffer(200) };
    caller.submit((encoder) => {
      const pass = encoder.beginComputePass();
      expect(() => unloaded.encodeInto(pass, operands, scratch)).toThrow('await routine.compile() first');
      pass.end();
    });
    // What one routine has compiled, others of the same kernels find loaded.
    await conv(3).compile();
    caller.submit((encoder) => {
      const pass = encoder.beginComputePass();
      fresh.encodeInto(pass, { x, w, y }, scratch);
      pass.end();
    });
    const sums = await caller.read(y, 0, 32);
    // Inside the image all 27 products are −1; at a corner five of nine taps read the padding, +1.
    expect([sums[0], sums[10], sums[11]]).toEqual([3 * 5 - 3 * 4, -27, -27]);
    for (const buffer of [x, w, y, operands.x, operands.y, ...scratch]) buffer.destroy();
  });

  test('leaves the buffers of the caller alone when it is disposed', async () => {
    const [x, w, y] = [caller.buffer(4 * M * K), caller.buffer(4 * N * K), caller.buffer(4 * M * N)];
    const before = caller.gpu.memory.bytes;
    const bound = await routine.bind({ x, w, y });
    expect(caller.gpu.memory.bytes).toBeGreaterThan(before);
    bound.dispose();
    expect(caller.gpu.memory.bytes).toBe(before);
    expect(await caller.read(y, 0, M * N)).toHaveLength(M * N);
    expect(() => bound.encode(caller.device.createCommandEncoder())).toThrow(DisposedError);
    expect(() => bound.dispose()).toThrow(DisposedError);
  });

  describe('refuses', () => {
    let good: { x: GPUBuffer; w: GPUBuffer; y: GPUBuffer };
    beforeAll(() => {
      good = { x: caller.buffer(4 * M * K), w: caller.buffer(4 * N * K), y: caller.buffer(4 * M * N) };
    });

    test('a buffer without the usage STORAGE', async () => {
      const x = caller.buffer(4 * M * K, GPUBufferUsage.COPY_DST);
      await expect(routine.bind({ ...good, x })).rejects.toThrow(OptionError);
      await expect(routine.bind({ ...good, x })).rejects.toThrow(/GPUBufferUsage.STORAGE/);
    });

    test('a buffer that is too small', async () => {
      const y = caller.buffer(4 * M * N - 4);
      await expect(routine.bind({ ...good, y })).rejects.toThrow(ShapeError);
    });

    test('an offset that leaves too little of the buffer', async () => {
      await expect(routine.bind({ ...good, w: { buffer: good.w, offset: 256 } })).rejects.toThrow(ShapeError);
    });

    test('an offset that the device cannot bind', async () => {
      await expect(routine.bind({ ...good, w: { buffer: good.w, offset: 4 } })).rejects.toThrow(
        /minStorageBufferOffsetAlignment/,
      );
    });

    test('a buffer of another device', async () => {
      const foreign = stranger.createBuffer({ size: 4 * M * K, usage: GPUBufferUsage.STORAGE });
      await expect(routine.bind({ ...good, x: foreign })).rejects.toThrow(GpuValidationError);
    });

    test('one buffer to read and to write', async () => {
      const both = caller.buffer(8192);
      await expect(routine.bind({ ...good, x: both, y: { buffer: both, offset: 4096 } })).rejects.toThrow(
        /x|y/,
      );
    });

    test('a missing operand', async () => {
      const { x, w } = good;
      await expect(routine.bind({ x, w } as never)).rejects.toThrow(/operand of a routine is missing/);
    });

    test('two names for one tensor', () => {
      expect(
        () =>
          new Routine(caller.gpu, 'twice', () => {
            const x = new Tensor('x', [2], 'f32');
            return { x, y: x.reshape([1, 2]) };
          }),
      ).toThrow(OptionError);
    });
  });
});
