/** A device whose calls fail: typed errors of the call that caused them, memory counted right, and no scar left. */
import { describe, expect, test } from 'vitest';
import { BnnError, GpuValidationError, OutOfMemoryError, ShapeError } from '../src/errors.ts';
import { GeometryTap } from '../src/geometry/tap.ts';
import { defineKernel, Gpu, linearWorkgroups, ProgramBuilder, profile, Tensor } from '../src/gpu/index.ts';
import { Network } from '../src/graph/index.ts';
import { batchNormalization, quantDense, sequential } from '../src/index.ts';
import { requestGpu } from '../src/node/gpu.ts';
import { binaryMatMul } from '../src/ops/dense.ts';
import { tune } from '../src/ops/tune.ts';
import { FAULT_KINDS, type FaultKind, type Faults, withFaults } from './helpers/faulty-device.ts';
import { expectSame } from './helpers/gpu.ts';

/** A device of its own, which fails as it is told. */
async function faulty(): Promise<{ gpu: Gpu; faults: Faults }> {
  const gpu = await requestGpu();
  return { gpu, faults: withFaults(gpu.device) };
}

const add = (name: string, by: number) =>
  defineKernel({
    name,
    source: `
      override COUNT: u32;
      @group(0) @binding(0) var<storage, read> x: array<u32>;
      @group(0) @binding(1) var<storage, read_write> y: array<u32>;
      @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
        if (id.x < COUNT) { y[id.x] = x[id.x] + ${by}u; }
      }`,
    bindings: { x: 'read', y: 'write' },
    constants: ['COUNT'],
    workgroups: ({ COUNT }) => linearWorkgroups(COUNT, 64),
  });

async function sums(gpu: Gpu, kernel: ReturnType<typeof add>): Promise<number[]> {
  using x = gpu.tensor('x', [3], 'u32', Uint32Array.of(1, 2, 3));
  const builder = new ProgramBuilder(gpu, 'sums');
  const y = builder.keep(builder.transient('y', [3], 'u32'));
  builder.dispatch(kernel, { x, y }, { COUNT: 3 });
  using program = await builder.compile();
  program.run();
  return [...(await gpu.readWords(y))];
}

const LOSSES = FAULT_KINDS.filter((kind) => kind.startsWith('device lost'));
const kinds = FAULT_KINDS.filter((kind) => !LOSSES.includes(kind));

describe('a device that fails once', () => {
  const model = sequential(
    [
      quantDense({ units: 32, inputQuantizer: 'steSign', kernelQuantizer: 'steSign' }),
      batchNormalization(),
      quantDense({ units: 4, inputQuantizer: 'steSign', kernelQuantizer: 'steSign' }),
    ],
    { input: [40] },
  );
  const samples = Float32Array.from({ length: 12 * 40 }, (_, i) => Math.sin(i));

  /** Makes a network, asks it twice, and frees it. */
  async function life(gpu: Gpu): Promise<Float32Array> {
    const network = await Network.create(gpu, model, { seed: 3 });
    try {
      await network.predict(samples.subarray(0, 40));
      return await network.predict(samples);
    } finally {
      network.dispose();
    }
  }

  test('ends every call with a typed error or the right answer; the next one is right, and memory is as before', async () => {
    const { gpu, faults } = await faulty();
    const expected = await life(gpu);
    const held = gpu.memory.bytes;
    let fired = 0;
    const sweep = async (kind: FaultKind, at: number) => {
      faults.fail(kind, at);
      const where = `${kind}, call ${at}`;
      const answer = await life(gpu).catch((error: unknown) => error);
      if (!faults.fired) return false;
      fired += 1;
      faults.disarm();
      if (answer instanceof Float32Array) expectSame(answer, expected, where);
      else expect(answer, where).toBeInstanceOf(BnnError);
      expect(gpu.memory.bytes, where).toBe(held);
      expectSame(await life(gpu), expected, where);
      return true;
    };
    for (const kind of kinds) {
      for (const at of [1, 2, 3, 5, 8, 13, 21]) if (!(await sweep(kind, at))) break;
    }
    expect(fired).toBeGreaterThan(60);
    gpu.dispose();
  });

  test('names what was refused', async () => {
    const { gpu, faults } = await faulty();
    const refused = (kind: FaultKind, call: () => unknown) => {
      faults.fail(kind, 1);
      return (async () => call())().then(
        () => undefined,
        (error: unknown) => error,
      );
    };
    const make = () => gpu.tensor('weights', [4], 'f32');
    for (const kind of ['createBuffer throws', 'createBuffer null'] as const) {
      expect(await refused(kind, make)).toMatchObject({ code: 'gpu-validation', where: 'weights' });
    }
    using weights = make();
    expect(await refused('mapAsync rejects', () => gpu.readFloats(weights))).toMatchObject({
      code: 'gpu-validation',
      where: 'reading weights',
    });
    const kernel = add('test/named', 1);
    for (const kind of [
      'createShaderModule throws',
      'createShaderModule null',
      'createBindGroup null',
    ] as const) {
      const error = await refused(kind, () => sums(gpu, kernel));
      expect(error).toBeInstanceOf(GpuValidationError);
      expect(error).toMatchObject({ where: expect.stringContaining('test/named') });
    }
    expect(await refused('popErrorScope rejects', () => gpu.scoped('scoped work', () => 1))).toMatchObject({
      where: 'scoped work',
    });
    expect(await gpu.scoped('scoped work', () => 1)).toBe(1);
    gpu.dispose();
  });

  test('compiles a kernel whose module failed once', async () => {
    const { gpu, faults } = await faulty();
    for (const kind of [
      'createShaderModule refused',
      'createShaderModule throws',
      'createShaderModule null',
    ] as const) {
      const kernel = add(`test/${kind}`, FAULT_KINDS.indexOf(kind));
      faults.fail(kind, 1);
      await expect(sums(gpu, kernel)).rejects.toThrow(GpuValidationError);
      expect(await sums(gpu, kernel)).toEqual([1, 2, 3].map((x) => x + FAULT_KINDS.indexOf(kind)));
    }
    gpu.dispose();
  });

  test('lets no invalid bind group through', async () => {
    const { gpu, faults } = await faulty();
    using x = gpu.tensor('x', [3], 'u32', Uint32Array.of(1, 2, 3));
    for (const kind of [
      'createBindGroup refused',
      'popErrorScope rejects',
      'popErrorScope throws',
    ] as const) {
      const builder = new ProgramBuilder(gpu, 'bound');
      const y = builder.keep(builder.transient('y', [3], 'u32'));
      builder.dispatch(add('test/bound', 1), { x, y }, { COUNT: 3 });
      await gpu.pipeline(add('test/bound', 1) as never, { COUNT: 3 });
      const { bytes } = gpu.memory;
      faults.fail(kind, 1);
      await expect(builder.compile(), kind).rejects.toThrow(GpuValidationError);
      expect(gpu.memory.bytes).toBe(bytes);
      (await builder.compile()).dispose();
    }
    gpu.dispose();
  });

  test('says out of memory in the call that asked for it: a tap, and tuning', async () => {
    const { gpu, faults } = await faulty();
    using network = await Network.create(gpu, model, { seed: 3 });
    const { bytes } = gpu.memory;
    const tap = () => GeometryTap.create(network, { onSample: () => undefined });
    faults.fail('createBuffer out of memory', 2);
    await expect(tap()).rejects.toThrow(OutOfMemoryError);
    expect(gpu.memory.bytes).toBe(bytes);
    (await tap()).dispose();

    const { builder } = asked(gpu);
    expect(builder.dispatches).toBeGreaterThan(0);
    gpu.choices.clear();
    faults.fail('createBuffer out of memory', 2);
    await expect(tune(gpu, { samples: 1 })).rejects.toThrow(OutOfMemoryError);
    expect(gpu.memory.bytes).toBe(bytes);
    await gpu.finished();
    gpu.dispose();
  });

  function asked(gpu: Gpu) {
    const builder = new ProgramBuilder(gpu, 'asking');
    binaryMatMul(builder, new Tensor('a', [32, 70], 'bits'), new Tensor('w', [16, 70], 'bits'));
    return { builder };
  }

  test('tuning takes no fault for a verdict on a kernel', async () => {
    const { gpu, faults } = await faulty();
    const kept: string[] = [];
    gpu.choices.keepIn({ read: () => null, write: (_, text) => void kept.push(text) }, 'test');
    const kinds = [
      'createComputePipelineAsync rejects',
      'createBindGroup refused',
      'submit refused',
      'mapAsync rejects',
      'popErrorScope rejects',
    ] as const;
    for (const kind of kinds) {
      gpu.choices.clear();
      asked(gpu);
      faults.fail(kind, 3);
      const made = await tune(gpu, { samples: 1 }).catch((error: unknown) => error);
      if (kind !== 'createComputePipelineAsync rejects') expect(faults.fired, kind).toBe(true);
      faults.disarm();
      if (Array.isArray(made)) expect(made.flatMap(({ rejected }) => rejected)).toEqual([]);
      else {
        expect(made).toBeInstanceOf(BnnError);
        expect(kept).toEqual([]);
        expect(gpu.choices.list()).toEqual([]);
      }
      await gpu.finished();
      kept.length = 0;
    }
    gpu.dispose();
  });

  test('a profile frees what it made', async () => {
    const { gpu, faults } = await faulty();
    using x = gpu.tensor('x', [3], 'u32', Uint32Array.of(1, 2, 3));
    const builder = new ProgramBuilder(gpu, 'profiled');
    builder.dispatch(add('test/profiled', 1), { x, y: builder.transient('y', [3], 'u32') }, { COUNT: 3 });
    using program = await builder.compile();
    const { bytes } = gpu.memory;
    for (const kind of ['createBuffer throws', 'mapAsync rejects', 'submit throws'] as const) {
      faults.fail(kind, kind === 'createBuffer throws' ? 2 : 1);
      if (gpu.features.has('timestamp-query')) await expect(profile(program)).rejects.toThrow(BnnError);
      faults.disarm();
      expect(gpu.memory.bytes).toBe(bytes);
    }
    gpu.dispose();
  });
});

describe('kernels and devices of other people', () => {
  test('two kernels of one name are two kernels', async () => {
    const gpu = await requestGpu();
    expect(await sums(gpu, add('test/same', 1))).toEqual([2, 3, 4]);
    expect(await sums(gpu, add('test/same', 10))).toEqual([11, 12, 13]);
    const family = (by: number) => async () => ({
      default: { './test/same.wgsl': add('', by).source as string },
    });
    const loaded = (by: number) => defineKernel({ ...add('test/same', 0), source: family(by) });
    expect(await sums(gpu, loaded(20))).toEqual([21, 22, 23]);
    expect(await sums(gpu, loaded(30))).toEqual([31, 32, 33]);
    // And what has the same text is the same, whoever brings it.
    const { pipelines } = gpu.counters;
    expect(await sums(gpu, loaded(30))).toEqual([31, 32, 33]);
    expect(gpu.counters.pipelines).toBe(pipelines);
    gpu.dispose();
  });

  test('a device that says nothing of its adapter can be used', async () => {
    const owner = await requestGpu();
    Object.defineProperty(owner.device, 'adapterInfo', { value: undefined });
    using guest = Gpu.fromDevice(owner.device);
    expect(guest.adapter).toEqual({
      name: "a GPU that the browser doesn't name",
      vendor: '',
      architecture: '',
      device: '',
      description: '',
      software: false,
    });
    expect(await sums(guest, add('test/guest', 1))).toEqual([2, 3, 4]);
    owner.dispose();
  });
});

describe('what is written to a tensor', () => {
  test('stays inside it, and changes no byte beside', async () => {
    const gpu = await requestGpu();
    using whole = gpu.tensor('whole', [128], 'u32', new Uint32Array(128).fill(7));
    const view = Tensor.view('view', [3], 'u32', whole.placement.buffer, 0);
    gpu.write(view, Uint32Array.of(1, 2));
    expect(() => gpu.write(view, Uint32Array.of(1, 2, 3, 4))).toThrow(ShapeError);
    expect([...(await gpu.readWords(whole)).subarray(0, 5)]).toEqual([1, 2, 7, 7, 7]);
    const bytes = Tensor.view('bytes', [6], 'u8', whole.placement.buffer, 256);
    expect(() => gpu.write(bytes, new Uint8Array(6))).toThrow(/end inside a word/);
    gpu.write(bytes, Uint8Array.of(9, 9, 9, 9));
    expect([...(await gpu.readWords(whole)).subarray(64, 66)]).toEqual([0x09090909, 7]);
    using own = gpu.tensor('own', [7], 'u8', Uint8Array.of(1, 2, 3, 4, 5, 6, 7));
    expect(() => gpu.write(own, Uint8Array.of(9))).toThrow(/end inside a word/);
    gpu.write(own, Uint8Array.of(7, 6, 5, 4, 3, 2, 1));
    expect([...(await gpu.read(own))]).toEqual([7, 6, 5, 4, 3, 2, 1]);
    gpu.dispose();
  });

  test('has the elements of the tensor, or can be rounded to them', async () => {
    const gpu = await requestGpu();
    const { bytes } = gpu.memory;
    using reals = gpu.tensor('reals', [2], 'f32', [0.1, 0.2]);
    expect([...(await gpu.readFloats(reals))]).toEqual([Math.fround(0.1), Math.fround(0.2)]);
    gpu.write(reals, Float64Array.of(0.3, 0.4));
    expect([...(await gpu.readFloats(reals))]).toEqual([Math.fround(0.3), Math.fround(0.4)]);
    const wrong: [Tensor['dtype'], unknown][] = [
      ['f32', new Uint8Array(8)],
      ['f32', Int32Array.of(1, 2)],
      ['u32', Float32Array.of(1, 2)],
      ['u32', [1, 2]],
      ['i32', Uint32Array.of(1, 2)],
      ['bits', new BigUint64Array(1)],
      ['u8', Uint32Array.of(1)],
      ['f32', new DataView(new ArrayBuffer(8))],
      ['f32', ['1', '2']],
    ];
    for (const [dtype, data] of wrong) {
      expect(() => gpu.tensor('wrong', [2], dtype, data as never), `${dtype} of ${data}`).toThrow(ShapeError);
    }
    gpu.writeBytes(reals, new Uint8Array(Float32Array.of(5, 6).buffer));
    expect([...(await gpu.readFloats(reals))]).toEqual([5, 6]);
    reals.dispose();
    expect(gpu.memory.bytes).toBe(bytes);
    gpu.dispose();
  });
});
