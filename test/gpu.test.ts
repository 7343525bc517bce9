import { afterEach, describe, expect, test, vi } from 'vitest';
import {
  DataUnavailableError,
  DisposedError,
  GpuValidationError,
  MemoryPlanError,
  OptionError,
  ShapeError,
  WebGpuUnavailableError,
} from '../src/errors.ts';
import {
  Arena,
  defineKernel,
  Gpu,
  linearWorkgroups,
  ProgramBuilder,
  profile,
  runOnce,
  Tensor,
} from '../src/gpu/index.ts';
import { pack } from '../src/kernels/pack.ts';
import { isFastSoftware, requestGpu } from '../src/node/gpu.ts';
import { nappingUntil } from '../src/node/naps.ts';
import { described, expectSame, Scratch, useGpu } from './helpers/gpu.ts';

const increment = defineKernel({
  name: 'test/increment',
  source: `
    override COUNT: u32;
    @group(0) @binding(0) var<storage, read> x: array<u32>;
    @group(0) @binding(1) var<storage, read_write> y: array<u32>;
    @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
      if (id.x < COUNT) { y[id.x] = x[id.x] + 1u; }
    }`,
  bindings: { x: 'read', y: 'write' },
  constants: ['COUNT'],
  workgroups: ({ COUNT }) => linearWorkgroups(COUNT, 64),
});

describe('the GPU host', () => {
  const gpu = useGpu();

  test('GPUs that a browser hides have a name for people, and are told apart by what they can do', () => {
    const { device, adapter, adapterKey } = gpu();
    expect(adapter.name).not.toBe('');
    expect(adapterKey).toContain(adapter.description);
    // As Firefox shows an adapter: every word is empty.
    const info = { vendor: '', architecture: '', device: '', description: '', isFallbackAdapter: false };
    const hidden = (maxBufferSize: number) =>
      described(device, { adapterInfo: info, limits: { maxBufferSize, maxBindGroups: 4 } });
    const [one, same, other] = [hidden(2 ** 28), hidden(2 ** 28), hidden(2 ** 31)];
    expect(one?.adapter.name).toBe("a GPU that the browser doesn't name");
    expect(one?.adapterKey).toContain('maxBufferSize=268435456');
    expect(same?.adapterKey).toBe(one?.adapterKey);
    expect(other?.adapterKey).not.toBe(one?.adapterKey);
    for (const each of [one, same, other]) each?.dispose();
    expect(gpu().disposed).toBe(false);
  });

  test('a chain of dispatches shares two slots and computes right', async () => {
    using scratch = new Scratch(gpu());
    const start = scratch.tensor(
      'start',
      [100],
      'u32',
      Uint32Array.from({ length: 100 }, (_, i) => i),
    );
    const builder = new ProgramBuilder(gpu(), 'chain');
    let value = start;
    for (let i = 0; i < 10; i++) {
      const next = builder.transient(`v${i}`, [100], 'u32');
      builder.dispatch(increment, { x: value, y: next }, { COUNT: 100 });
      value = next;
    }
    builder.keep(value);
    expect(builder.plan().slots.length).toBe(2);
    using program = await builder.compile();
    program.run(3);
    expectSame(
      await gpu().readWords(value),
      Array.from({ length: 100 }, (_, i) => i + 10),
    );
  });

  test('the plan equals what is allocated, and nothing is left after dispose', async () => {
    const { bytes, buffers } = gpu().memory;
    const builder = new ProgramBuilder(gpu(), 'counted');
    const x = builder.transient('x', [1000], 'u32');
    const y = builder.keep(builder.transient('y', [1000], 'u32'));
    builder.dispatch(increment, { x, y }, { COUNT: 1000 });
    const program = await builder.compile();
    expect(gpu().memory.bytes - bytes).toBe(program.plan.peakBytes);
    program.dispose();
    expect(gpu().memory.bytes).toBe(bytes);
    expect(gpu().memory.buffers).toBe(buffers);
    expect(() => program.dispose()).toThrow(DisposedError);
    expect(() => program.run()).toThrow(DisposedError);
  });

  test('programs in one arena use the same buffers', async () => {
    using arena = new Arena(gpu());
    const compile = async (count: number) => {
      const builder = new ProgramBuilder(gpu(), `of ${count}`);
      const x = builder.transient('x', [count], 'u32');
      const y = builder.keep(builder.transient('y', [count], 'u32'));
      builder.dispatch(increment, { x, y }, { COUNT: count });
      return builder.compile({ arena });
    };
    await compile(1000);
    const { bytes } = arena;
    await compile(900);
    expect(arena.bytes).toBe(bytes);
    await compile(2000);
    expect(arena.bytes).toBeGreaterThan(bytes);
  });

  test('an arena holds what its largest program needs, and the smaller ones move into it', async () => {
    using scratch = new Scratch(gpu());
    using arena = new Arena(gpu());
    const before = gpu().memory.bytes;
    const compile = async (count: number) => {
      const start = Uint32Array.from({ length: count }, (_, i) => i * count);
      const x = scratch.tensor(`x${count}`, [count], 'u32', start);
      const builder = new ProgramBuilder(gpu(), `of ${count}`);
      const y = builder.transient('y', [count], 'u32');
      const z = builder.keep(builder.transient('z', [count], 'u32'));
      builder.dispatch(increment, { x, y }, { COUNT: count });
      builder.dispatch(increment, { x: y, y: z }, { COUNT: count });
      return { program: await builder.compile({ arena }), z, expected: start.map((value) => value + 2) };
    };
    // All at once, in an order in which most have to grow.
    const compiled = await Promise.all([100, 3000, 200, 10_000, 5000].map(compile));
    const largest = Math.max(...compiled.map(({ program }) => program.plan.peakBytes));
    expect(arena.bytes).toBe(largest);
    for (const { program, z, expected } of compiled) {
      program.run();
      expectSame(await gpu().readWords(z), expected, program.label);
    }
    const held = compiled.reduce((sum, { expected }) => sum + Gpu.allocatedBytes(expected.byteLength), 0);
    expect(gpu().memory.bytes - before).toBe(largest + held);
  });

  test('a plan over the limit is refused before anything is allocated', async () => {
    const { bytes } = gpu().memory;
    const builder = new ProgramBuilder(gpu(), 'too much');
    const x = builder.transient('x', [4096], 'u32');
    const y = builder.transient('y', [4096], 'u32');
    builder.dispatch(increment, { x, y }, { COUNT: 4096 });
    await expect(builder.compile({ maxBytes: 20_000 })).rejects.toThrow(MemoryPlanError);
    expect(gpu().memory.bytes).toBe(bytes);
  });

  test('a tensor beyond the binding limit is refused with the name of its layer', () => {
    const builder = new ProgramBuilder(gpu(), 'huge');
    const count = gpu().limits.maxStorageBufferBindingSize / 4 + 1;
    const x = builder.transient('x', [count], 'u32');
    const y = builder.transient('y', [count], 'u32');
    expect(() =>
      builder.within('conv7', () => builder.dispatch(increment, { x, y }, { COUNT: count })),
    ).toThrow(/conv7/);
  });

  test('a shader that does not compile is named, with the line', async () => {
    const broken = defineKernel({
      name: 'test/broken',
      source: '@compute @workgroup_size(1) fn main() { let x: u32 = 1.5; }',
      bindings: {},
      constants: [],
      workgroups: () => [1, 1, 1],
    });
    const builder = new ProgramBuilder(gpu(), 'broken');
    builder.dispatch(broken, {}, {});
    await expect(builder.compile()).rejects.toThrow(GpuValidationError);
    await expect(builder.compile()).rejects.toThrow(/test\/broken/);
  });

  test('a validation error belongs to the call that caused it', async () => {
    const call = gpu().scoped('making a bad buffer', () => gpu().device.createBuffer({ size: 16, usage: 0 }));
    await expect(call).rejects.toThrow(/making a bad buffer/);
    await expect(gpu().finished()).resolves.toBeUndefined();
  });

  test('a missing constant is an option error', () => {
    const builder = new ProgramBuilder(gpu(), 'constants');
    const x = builder.transient('x', [4], 'u32');
    expect(() => builder.dispatch(increment, { x, y: x }, { COUNT: Number.NaN })).toThrow(OptionError);
  });

  test('data that does not fill the tensor, bad shapes and bad views are shape errors', () => {
    expect(() => gpu().tensor('t', [3], 'f32', new Float32Array(2))).toThrow(ShapeError);
    expect(() => new Tensor('t', [2, 0], 'f32')).toThrow(ShapeError);
    expect(() => new Tensor('t', [1.5], 'f32')).toThrow(ShapeError);
    expect(() => new Tensor('t', [4, 33], 'bits').reshape([132])).toThrow(ShapeError);
    expect(new Tensor('t', [4, 64], 'bits').reshape([256]).byteLength).toBe(32);
  });

  test('bytes that do not fill a word are written and read whole', async () => {
    using scratch = new Scratch(gpu());
    const bytes = scratch.tensor('bytes', [7], 'u8', Uint8Array.of(1, 2, 3, 4, 5, 6, 7));
    expect([...(await gpu().read(bytes))]).toEqual([1, 2, 3, 4, 5, 6, 7]);
  });

  test('a tensor is disposed once, and not used after it', async () => {
    const tensor = gpu().tensor('once', [4], 'f32');
    tensor.dispose();
    expect(() => tensor.dispose()).toThrow(DisposedError);
    await expect(gpu().readFloats(tensor)).rejects.toThrow(DisposedError);
  });

  test('a program is profiled dispatch by dispatch where there are timestamps', async () => {
    using scratch = new Scratch(gpu());
    const x = scratch.tensor('x', [64, 64], 'f32');
    const bits = scratch.tensor('bits', [64, 64], 'bits');
    const builder = new ProgramBuilder(gpu(), 'profiled');
    builder.within('layer', () => builder.dispatch(pack, { x, bits }, { ROWS: 64, CHANNELS: 64 }));
    using program = await builder.compile();
    const timings = await profile(program);
    if (!gpu().features.has('timestamp-query')) expect(timings).toBeUndefined();
    else
      expect(timings?.map(({ kernel, label }) => [kernel, label])).toEqual([
        ['pack/pack', 'layer (pack/pack)'],
      ]);
  });

  test('a shader is loaded when a kernel is first compiled, and once', async () => {
    let asked = 0;
    const source = async () => {
      asked += 1;
      return { default: { './test/loaded.wgsl': increment.source as string } };
    };
    const loaded = defineKernel({ ...increment, name: 'test/loaded', source });
    await Promise.all([gpu().pipeline(loaded, { COUNT: 1 }), gpu().pipeline(loaded, { COUNT: 1 })]);
    await gpu().pipeline(loaded, { COUNT: 2 });
    expect(asked).toBe(1);
  });

  test('a shader that can not be loaded is a typed error with a remedy, and may be there the next time', async () => {
    let isOnline = false;
    const source = async () => {
      if (!isOnline) throw new TypeError('Failed to fetch');
      return { default: { './test/remote.wgsl': increment.source as string } };
    };
    const remote = defineKernel({ ...increment, name: 'test/remote', source });
    const failure = await gpu()
      .pipeline(remote, { COUNT: 1 })
      .catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(DataUnavailableError);
    expect(failure).toMatchObject({ where: 'test/remote', given: 'TypeError: Failed to fetch' });
    expect(failure).toHaveProperty('remedy', expect.stringContaining('reload'));
    isOnline = true;
    await gpu().pipeline(remote, { COUNT: 1 });
    const absent = defineKernel({ ...increment, name: 'test/absent', source: async () => ({ default: {} }) });
    await expect(gpu().pipeline(absent, { COUNT: 1 })).rejects.toThrow('no such shader in its family');
  });

  test('pipelines are compiled once', async () => {
    using scratch = new Scratch(gpu());
    const x = scratch.tensor('x', [64], 'u32');
    const run = () =>
      runOnce(gpu(), 'once', (b) =>
        b.dispatch(increment, { x, y: b.transient('y', [64], 'u32') }, { COUNT: 64 }),
      );
    (await run())[Symbol.dispose]();
    const { pipelines } = gpu().counters;
    (await run())[Symbol.dispose]();
    expect(gpu().counters.pipelines).toBe(pipelines);
  });
});

describe('lifetimes', () => {
  test('no WebGPU is a typed error with a remedy', async () => {
    await expect(Gpu.request({})).rejects.toThrow(WebGpuUnavailableError);
    await expect(Gpu.request({})).rejects.toThrow(/remedy/);
  });

  test('a lost device fails every later call with the same typed error', async () => {
    const gpu = await requestGpu();
    const tensor = gpu.tensor('x', [4], 'f32');
    gpu.device.destroy();
    const loss = await gpu.lost;
    expect(loss.code).toBe('device-lost');
    await expect(gpu.readFloats(tensor)).rejects.toBe(loss);
    await expect(gpu.finished()).rejects.toBe(loss);
    expect(() => gpu.tensor('y', [4], 'f32')).toThrow(loss);
    gpu.dispose();
    expect(() => gpu.dispose()).toThrow(DisposedError);
  });

  test('asking for software leaves the environment as it was, and can be done again', async () => {
    const before = { ...process.env };
    for (let i = 0; i < 2; i++) {
      using gpu = await requestGpu({ adapter: 'software' });
      expect(gpu.adapter.software).toBe(true);
    }
    expect({ ...process.env }).toEqual(before);
  });

  test.each([
    ['llvmpipe: Mesa 26.2.6-1 (LLVM 22.1.8)', true],
    ['llvmpipe: Mesa 25.0.7-2+deb13u1 (LLVM 19.1.7) 0.0.1', false],
    ['SwiftShader driver 5.0.0', false],
    ['', false],
  ])('of software adapters, %o is the fast one: %o', (description, fast) => {
    expect(isFastSoftware({ description })).toBe(fast);
  });

  test('what is used after its Gpu was disposed says so', async () => {
    const gpu = await requestGpu();
    gpu.dispose();
    await gpu.lost;
    expect(() => gpu.tensor('x', [4], 'f32')).toThrow(DisposedError);
    await expect(gpu.finished()).rejects.toThrow(DisposedError);
  });

  test('a device that was handed in is not destroyed, and its defaults are enough', async () => {
    const owner = await requestGpu();
    const guest = Gpu.fromDevice(owner.device);
    guest.dispose();
    const tensor = owner.tensor('x', [2], 'f32', Float32Array.of(1, 2));
    expect([...(await owner.readFloats(tensor))]).toEqual([1, 2]);
    tensor.dispose();
    owner.dispose();
  });
});

describe('waiting for a software adapter in Node', () => {
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  afterEach(() => vi.restoreAllMocks());

  test('settles as what is waited for does', async () => {
    await expect(nappingUntil(Promise.resolve(7))).resolves.toBe(7);
    await expect(nappingUntil(Promise.reject(new RangeError('no')))).rejects.toThrow(RangeError);
  });

  test('sleeps once a turn, however many wait, and no more when nobody does', async () => {
    const naps = vi.spyOn(Atomics, 'wait');
    const ends: (() => void)[] = [];
    const waits = [0, 1, 2].map(() => nappingUntil(new Promise<void>((resolve) => ends.push(resolve))));
    let turns = 0;
    for (; naps.mock.calls.length < 20; turns++) await turn();
    expect(turns).toBeGreaterThanOrEqual(19);
    for (const end of ends) end();
    await Promise.all(waits);
    await turn();
    naps.mockClear();
    for (let i = 0; i < 20; i++) await turn();
    expect(naps).not.toHaveBeenCalled();
  });

  test('is how a Gpu waits here', async () => {
    using gpu = await requestGpu({ adapter: 'software' });
    const naps = vi.spyOn(Atomics, 'wait');
    const slept = async () => {
      while (naps.mock.calls.length === 0) await turn();
    };
    await gpu.orLost(slept());
    expect(naps).toHaveBeenCalled();
  });
});
