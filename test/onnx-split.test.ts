/** ONNX files taken apart around their binary layers, and what runs between two sessions of ONNX Runtime. */
import fc from 'fast-check';
import * as ort from 'onnxruntime-web';
import { describe, expect, test } from 'vitest';
import {
  BnnError,
  DataUnavailableError,
  DisposedError,
  FormatError,
  GpuValidationError,
  OptionError,
  ShapeError,
} from '../src/errors.ts';
import { loadModel } from '../src/formats/index.ts';
import { rawFields } from '../src/formats/onnx/container.ts';
import { exportOnnx, type OnnxSplit, splitOnnx } from '../src/formats/onnx.ts';
import { BUFFER_USAGE, sizeOf, Tensor } from '../src/gpu/index.ts';
import { initialValues, type Model, sequential } from '../src/graph/index.ts';
import { BinarySession, gpuOf } from '../src/interop/onnxruntime/index.ts';
import {
  batchNormalization,
  conv2d,
  dense,
  flatten,
  maxPool2d,
  prelu,
  quantConv2d,
  quantDense,
  relu,
} from '../src/layers/index.ts';
import { requestGpu } from '../src/node/index.ts';
import { normal, uniform01 } from '../src/numerics/random.ts';
import { expectClose, useGpu } from './helpers/gpu.ts';
import { evaluateOnnx } from './helpers/onnx-evaluator.ts';
import { fileOf, message } from './helpers/onnx-file.ts';

const gpu = useGpu();
const BINARY = { inputQuantizer: 'steSign', kernelQuantizer: 'steSign' } as const;
const samples = (count: number, stream = 0) =>
  Float32Array.from({ length: count }, (_, i) => normal(7, stream, i));

/** Floats before and after two binary convolutions with a pool and a normalisation between them. */
const MIXED = sequential(
  [
    conv2d({ name: 'stem', filters: 6, kernelSize: 3, padding: 'same' }),
    relu(),
    batchNormalization(),
    quantConv2d({ name: 'first', filters: 40, kernelSize: 3, padding: 'same', padValue: 1, ...BINARY }),
    maxPool2d({ poolSize: 2 }),
    batchNormalization({ name: 'between' }),
    quantConv2d({ name: 'second', filters: 33, kernelSize: 3, ...BINARY }),
    batchNormalization(),
    relu(),
    flatten(),
    dense({ name: 'scores', units: 5 }),
  ],
  { input: [9, 8, 3] },
);

const written = (model: Model, operators: 'standard' | 'qonnx', seed = 3) =>
  exportOnnx(model, initialValues(model, seed), { operators });

/** The three parts one after another, each by the tests' own evaluator of ONNX. */
function inTurn({ head, binary, tail, input }: OnnxSplit, x: ArrayLike<number>) {
  // A head without a node between is no file: the input is the binary layers' own.
  const middle = evaluateOnnx(binary, head === undefined ? x : evaluateOnnx(head, x).data);
  expect(input.dims.length).toBeGreaterThan(1);
  return tail === undefined ? middle : evaluateOnnx(tail, middle.data);
}

async function session(bytes: Uint8Array | undefined): Promise<ort.InferenceSession> {
  if (bytes === undefined) throw new Error('there is no such part');
  return await ort.InferenceSession.create(bytes, { executionProviders: ['wasm'] });
}

/** The values of a tensor on the GPU. */
async function download(tensor: ort.Tensor): Promise<Float32Array<ArrayBuffer>> {
  const view = Tensor.view('result', tensor.dims, 'f32', tensor.gpuBuffer as unknown as GPUBuffer);
  return await gpu().readFloats(view);
}

/** The module as a page has it: with the device that the tests' GPU is. */
const runtime = (device: unknown = gpu().device) => ({
  env: { webgpu: { device: Promise.resolve(device) } },
  Tensor: ort.Tensor,
});

describe('splitOnnx', () => {
  for (const operators of ['standard', 'qonnx'] as const) {
    test(`takes what lies from the first binary layer to the last (${operators} operators)`, () => {
      const bytes = written(MIXED, operators);
      const split = splitOnnx(bytes);
      expect(split.nodes.head.some((name) => name.startsWith('stem'))).toBe(true);
      for (const name of ['first', 'between', 'second']) {
        expect(split.nodes.binary.some((node) => node.startsWith(name))).toBe(true);
      }
      expect(split.nodes.tail.some((name) => name.startsWith('scores'))).toBe(true);
      expect(split.nodes.tail.some((name) => name.startsWith('second'))).toBe(false);
      expect(split.input.dims.slice(1)).toEqual([6, 9, 8]);
      expect(split.output.dims.slice(1)).toEqual([33, 2, 2]);
      const x = samples(2 * 9 * 8 * 3).subarray(0, 9 * 8 * 3);
      expectClose(inTurn(split, x).data, evaluateOnnx(bytes, x).data, 1e-9);
    });
  }

  test('has no head where the network begins with binary weights, and no tail where it ends with them', () => {
    const model = sequential(
      [quantDense({ units: 20, kernelQuantizer: 'steSign' }), quantDense({ units: 3, ...BINARY })],
      { input: [30] },
    );
    const split = splitOnnx(written(model, 'qonnx'));
    expect(split.head).toBeUndefined();
    expect(split.input).toEqual({ name: 'input', dims: [0, 30], layout: 'NC' });
    const x = samples(30);
    expectClose(inTurn(split, x).data, evaluateOnnx(written(model, 'qonnx'), x).data, 1e-9);
  });

  test('cuts where it is told to', () => {
    const bytes = written(MIXED, 'standard');
    const whole = splitOnnx(bytes);
    const again = splitOnnx(bytes, { from: whole.input.name, to: whole.output.name });
    expect(again.nodes).toEqual(whole.nodes);
    expect(() => splitOnnx(bytes, { from: 'nowhere' })).toThrow(OptionError);
    expect(() => splitOnnx(bytes, { from: whole.output.name, to: whole.input.name })).toThrow(OptionError);
  });

  test('hands a value that goes around the binary layers from the head to the tail', () => {
    const bytes = fileOf({
      input: [1, 4],
      constants: {
        w: [
          [4, 4],
          [1, -1, 1, 1, -1, -1, 1, 1, 1, 1, -1, 1, 1, -1, -1, 1],
        ],
        one: [[], [1]],
      },
      nodes: [
        ['Relu', ['x']],
        ['BipolarQuant', ['n0', 'one']],
        ['MatMul', ['n1', 'w']],
        ['Add', ['n2', 'n0']],
      ],
    });
    const { binary, tail, nodes } = splitOnnx(bytes);
    expect(nodes).toMatchObject({
      head: ['node0'],
      binary: ['node1', 'node2'],
      tail: ['node3'],
    });
    const x = [0.5, -1, 2, -0.25];
    const relued = x.map((value) => Math.max(0, value));
    const products = evaluateOnnx(binary, relued).data;
    expect(evaluateOnnx(bytes, x).data).toEqual(products.map((value, i) => value + (relued[i] ?? 0)));
    expect(new TextDecoder('latin1').decode(tail)).toContain('n0');
  });

  test('says what is in the way', () => {
    const signs = (k: number, n: number): readonly [readonly number[], readonly number[]] => [
      [k, n],
      Array.from({ length: k * n }, (_, i) => (i % 3 === 0 ? 1 : -1)),
    ];
    const real = written(sequential([dense({ units: 3 })], { input: [4] }), 'standard');
    expect(() => splitOnnx(real)).toThrow(/no binary layers.*\{ from, to \}/s);
    const foreign = fileOf({
      input: [1, 4],
      constants: { v: signs(4, 4), w: signs(4, 3) },
      nodes: [
        ['MatMul', ['x', 'v']],
        ['Erf', ['n0']],
        ['MatMul', ['n1', 'w']],
      ],
    });
    expect(() => splitOnnx(foreign)).toThrow(/not one piece.*Erf \(node1\)/s);
    const shapeless = fileOf({
      input: [1, 4],
      constants: { w: signs(4, 3) },
      nodes: [
        ['Erf', ['x']],
        ['MatMul', ['n0', 'w']],
      ],
    });
    expect(() => splitOnnx(shapeless)).toThrow(/doesn't say the shape.*n0.*infer_shapes/s);
    const forked = fileOf({
      input: [1, 4],
      constants: { v: signs(4, 4), w: signs(4, 4) },
      nodes: [
        ['MatMul', ['x', 'v']],
        ['MatMul', ['n0', 'w']],
        ['Erf', ['n0']],
        ['Add', ['n1', 'n2']],
      ],
    });
    expect(() => splitOnnx(forked)).toThrow(/one input and one output.*out: n0, n1/s);
    expect(() => splitOnnx(new Uint8Array([9, 9, 9]))).toThrow(FormatError);
  });

  test('of damaged files makes parts, or an error of ours', () => {
    // With a value described, as other writers do it.
    const info = message(
      [1, 'first'],
      [2, message([1, message([1, 1], [2, message([1, message([1, 6])])])])],
    );
    const model = rawFields(written(MIXED, 'standard'));
    const described = Uint8Array.from(
      model.flatMap(({ number, whole, content }) => [
        ...(number === 7 ? message([7, Uint8Array.from([...content, ...message([13, info])])]) : whole),
      ]),
    );
    expect(splitOnnx(described).nodes.binary.length).toBeGreaterThan(5);
    const outcomes = { parts: 0, errors: 0 };
    for (let i = 0; i < 1500; i++) {
      const bytes = described.slice();
      for (let flip = 0; flip <= i % 3; flip++) {
        // Half of the damage near the ends, where the structure is; the middle is weights.
        const draw = uniform01(17, flip, i);
        const at = i % 2 === 0 ? bytes.length - 1 - Math.floor(draw * 90) : Math.floor(draw * bytes.length);
        bytes[at] = Math.floor(256 * uniform01(18, flip, i));
      }
      try {
        splitOnnx(bytes);
        outcomes.parts += 1;
      } catch (error) {
        expect(error).toBeInstanceOf(BnnError);
        outcomes.errors += 1;
      }
    }
    expect(Math.min(outcomes.parts, outcomes.errors)).toBeGreaterThan(50);
  });

  test('the parts of any chain give what the whole gives', () => {
    const layer = fc.constantFrom('real', 'relu', 'norm', 'binary', 'prelu');
    fc.assert(
      fc.property(fc.array(layer, { minLength: 1, maxLength: 7 }), fc.nat(1000), (kinds, seed) => {
        const make = {
          real: () => dense({ units: 5 }),
          relu: () => relu(),
          norm: () => batchNormalization(),
          prelu: () => prelu(),
          binary: () => quantDense({ units: 6, ...BINARY }),
        };
        const model = sequential(
          kinds.map((kind) => make[kind]()),
          { input: [7] },
        );
        const bytes = written(model, seed % 2 === 0 ? 'qonnx' : 'standard', seed);
        if (!kinds.includes('binary')) {
          expect(() => splitOnnx(bytes)).toThrow(FormatError);
          return;
        }
        const x = samples(7, seed);
        const split = splitOnnx(bytes);
        expectClose(inTurn(split, x).data, evaluateOnnx(bytes, x).data, 1e-9);
      }),
      { numRuns: 150, seed: 11 },
    );
  });
});

describe('BinarySession', () => {
  test('takes and gives values with channels last, where the file has them so', async () => {
    const file = fileOf({
      input: [1, 4, 6, 3],
      single: true,
      constants: {
        w: [
          [2, 3, 1, 1],
          [1, -1, 1, -1, -1, 1],
        ],
      },
      nodes: [
        ['Sign', ['x']],
        ['Transpose', ['n0'], { perm: [0, 3, 1, 2] }],
        ['Conv', ['n1', 'w']],
        ['Transpose', ['n2'], { perm: [0, 2, 3, 1] }],
      ],
      output: [1, 4, 6, 2],
    });
    const { binary, input, output } = splitOnnx(file, { from: 'x', to: 'n3' });
    expect([input.layout, output.layout]).toEqual(['NHWC', 'NHWC']);
    const middle = await BinarySession.create(runtime(), await loadModel(binary), { input, output });
    const x = samples(sizeOf([4, 6, 3]));
    const { n3 } = await middle.run({ x: new ort.Tensor('float32', x, [1, 4, 6, 3]) });
    if (n3 === undefined) throw new Error('the binary part gave nothing');
    expect(n3.dims).toEqual([1, 4, 6, 2]);
    expectClose(await download(n3), evaluateOnnx(file, x).data, 1e-6);
    n3.dispose();
    await middle.release();
  });

  test('between two sessions of ONNX Runtime, gives what ONNX Runtime gives for the whole file', async () => {
    const bytes = written(MIXED, 'standard');
    const { head, binary, tail, input, output } = splitOnnx(bytes);
    const [whole, first, last] = await Promise.all([session(bytes), session(head), session(tail)]);
    const middle = await BinarySession.create(runtime(), await loadModel(binary), { input, output });
    expect([middle.inputNames, middle.outputNames]).toEqual([[input.name], [output.name]]);
    for (const batch of [1, 3]) {
      const x = new ort.Tensor('float32', samples(batch * sizeOf([9, 8, 3])), [batch, 3, 9, 8]);
      const expected = (await whole.run({ input: x })).output;
      const value = (await first.run({ input: x }))[input.name];
      if (value === undefined || expected === undefined) throw new Error('a session gave nothing');
      // ONNX Runtime has no GPU in Node: its tensor is put where its WebGPU backend would have left it.
      const placed = gpu().tensor(
        'from the head',
        value.dims,
        'f32',
        Float32Array.from(value.data as Float32Array),
      );
      const fed = ort.Tensor.fromGpuBuffer(placed.placement.buffer as never, {
        dataType: 'float32',
        dims: value.dims,
      });
      const { readbacks } = gpu().counters;
      const given = await middle.run({ [input.name]: fed, other: x });
      const again = await middle.run({ [input.name]: value });
      expect(gpu().counters.readbacks).toBe(readbacks);
      const made = given[output.name];
      const second = again[output.name];
      if (made === undefined || second === undefined) throw new Error('the binary part gave nothing');
      expect([made.location, made.dims]).toEqual(['gpu-buffer', [batch, 33, 2, 2]]);
      const values = await download(made);
      expect(await download(second)).toEqual(values);
      const after = await last.run({ [output.name]: new ort.Tensor('float32', values, made.dims) });
      expectClose(after.output?.data as Float32Array, expected.data as Float32Array, 1e-5);

      const reused = await middle.run({ [input.name]: fed }, { [output.name]: second });
      expect(reused[output.name]).toBe(second);
      const { memory } = middle.network.gpu;
      const before = memory.bytes;
      made.dispose();
      expect(memory.bytes).toBeLessThan(before);
      second.dispose();
      placed.dispose();
    }
    await middle.release();
    await Promise.all([whole.release(), first.release(), last.release()]);
    await expect(middle.run({})).rejects.toThrow(DisposedError);
  });

  test('is on the device of ONNX Runtime, and says when there is none', async () => {
    const own = await gpuOf(runtime());
    expect(own.device).toBe(gpu().device);
    expect(await gpuOf(runtime())).toBe(own);
    own.dispose();
    const next = await gpuOf(runtime());
    expect([next.disposed, next.device]).toEqual([false, gpu().device]);
    await expect(gpuOf({ ...runtime(), env: {} })).rejects.toThrow(DataUnavailableError);
    await expect(gpuOf(runtime('a name'))).rejects.toThrow(/executionProviders: \['webgpu'\]/);
  });

  test('says what is wrong with a tensor', async () => {
    const model = sequential([quantDense({ units: 8, ...BINARY })], { input: [40] });
    using other = await requestGpu();
    const loaded = { model, values: initialValues(model, 1) };
    const middle = await BinarySession.create(runtime(), loaded);
    const { STORAGE, COPY_DST } = BUFFER_USAGE;
    const on = (device: GPUDevice, size: number, dims: number[], usage: number = STORAGE, type = 'float32') =>
      ort.Tensor.fromGpuBuffer(device.createBuffer({ size, usage }) as never, {
        dataType: type as 'float32',
        dims,
      });
    const { device } = gpu();
    const disposed = on(device, 160, [1, 40]);
    disposed.dispose();
    const faults: [ort.Tensor, new (...args: never[]) => Error, RegExp][] = [
      [disposed, OptionError, /disposed.*gpu-buffer/s],
      [on(device, 160, [1, 40], COPY_DST), OptionError, /usage flag.*STORAGE/s],
      [on(device, 64, [1, 40]), ShapeError, /64 bytes/],
      [on(device, 160, [40]), ShapeError, /\[40\].*\[batch, 40\]/s],
      [on(device, 160, [2, 20]), ShapeError, /\[2, 20\]/],
      [on(device, 160, [1, 40], STORAGE, 'int32'), OptionError, /int32.*float32/s],
      [on(other.device, 160, [1, 40]), GpuValidationError, /./],
      [new ort.Tensor('int32', new Int32Array(40), [1, 40]), OptionError, /float32/],
    ];
    for (const [input, kind, message] of faults) {
      const failure = await middle.run({ input }).then(
        () => undefined,
        (error: unknown) => error,
      );
      expect(failure, String(message)).toBeInstanceOf(kind);
      expect(String(failure)).toMatch(message);
    }
    await expect(middle.run({ x: disposed })).rejects.toThrow(/The input is missing/);
    const named = { input: { name: 'x', dims: [1, 41] } };
    await expect(BinarySession.create(runtime(), loaded, named)).rejects.toThrow(ShapeError);
    await middle.release();
  });
});
