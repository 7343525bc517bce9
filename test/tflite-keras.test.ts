/**
 * `.tflite` files as Keras, PyTorch and Larq's users have them, written by the tests' own writer, put on disk and read by
 * path: what makes them differ from the plain ones.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { FormatError } from '../src/errors.ts';
import { importTflite } from '../src/formats/tflite/index.ts';
import { Network } from '../src/graph/index.ts';
import { loadModel } from '../src/node/index.ts';
import { uniform01 } from '../src/numerics/random.ts';
import { expectClose, expectSame, useGpu } from './helpers/gpu.ts';
import { assemble, type FileSpec, type TensorSpec, TfliteSketch } from './helpers/tflite.ts';
import { evaluate } from './helpers/tflite-reference.ts';

const folder = mkdtempSync(join(tmpdir(), 'keras files '));
afterAll(() => rmSync(folder, { recursive: true }));
let files = 0;

function onDisk(spec: FileSpec): string {
  const path = join(folder, `${files++}.tflite`);
  writeFileSync(path, assemble(spec));
  return path;
}

const real = (shape: readonly number[]): TensorSpec => ({ shape, type: 'float32' });
const int = (shape: readonly number[], type: 'int32' | 'int64' = 'int32'): TensorSpec => ({ shape, type });
const product = (shape: readonly number[]) => shape.reduce((size, extent) => size * extent, 1);
const draw = (count: number, seed: number) =>
  Array.from({ length: count }, (_, i) => Math.fround(2 * uniform01(seed, 3, i) - 1));
const plain = (file: TfliteSketch, shape: readonly number[], seed = 1) =>
  file.constant('float32', shape, draw(product(shape), seed));

describe('files of Keras', () => {
  const gpu = useGpu();

  /** Reads a file from disk, runs it on samples, and compares all outputs with the evaluator. */
  async function check(spec: FileSpec, ...inputs: number[][]) {
    const loaded = await loadModel(onDisk(spec));
    using network = await Network.create(gpu(), loaded.model, { values: loaded.values });
    const byName = await network.predict(inputs.map((values) => Float32Array.from(values)));
    const results = loaded.model.outputs.map(({ name }) => byName[name]);
    const evaluated = evaluate(spec, ...inputs);
    expect(results).toHaveLength(spec.outputs.length);
    for (const [i, output] of spec.outputs.entries()) {
      expectClose(results[i] ?? [], evaluated[output]?.values ?? [], 1e-5, `output ${i}`);
    }
    return loaded;
  }

  const mask = { beginMask: 0, endMask: 0, ellipsisMask: 0, newAxisMask: 0, shrinkAxisMask: 1 };

  test.each(['int32', 'int64'] as const)(
    'Flatten and Reshape of an unknown batch are constants: SHAPE, STRIDED_SLICE, PACK, CONCATENATION, GATHER, CAST in %s',
    async (type) => {
      const file = new TfliteSketch();
      const list = (values: readonly number[]) => file.constant(type, [values.length], values);
      const one = (value: number) => file.constant(type, [], [value]);
      const ranges = () => [
        file.constant('int32', [1], [0]),
        file.constant('int32', [1], [1]),
        file.constant('int32', [1], [1]),
      ];
      const x = file.input([1, 4, 3, 2]);
      const whole = file.op('SHAPE', [x], int([4], type), { outType: type === 'int32' ? 2 : 4 });
      const first = file.op('STRIDED_SLICE', [whole, ...ranges()], int([], type), mask);
      const flat = file.op('PACK', [first, one(24)], int([2], type), { valuesCount: 2, axis: 0 });
      const y = file.op('RESHAPE', [x, flat], real([1, 24]), { newShape: [] });
      const batch = file.op('GATHER', [whole, file.constant('int32', [1], [0])], int([1], type), {
        axis: 0,
        batchDims: 0,
      });
      const joined = file.op('CONCATENATION', [batch, list([6, -1])], int([3], type), { axis: 0 });
      const cast = file.op('CAST', [joined], int([3]), { inType: 2, outType: 2 });
      const z = file.op('RESHAPE', [y, cast], real([1, 6, 4]), { newShape: [] });
      const rows = file.op('RELU', [z], real([1, 6, 4]));
      const { folded } = await check(file.build(rows), draw(24, 1));
      expect(folded).toEqual(
        expect.arrayContaining(['SHAPE 0', 'STRIDED_SLICE 1', 'PACK 2', 'GATHER 4', 'CAST 6']),
      );
    },
  );

  test('one output: LOGISTIC, after TANH, LEAKY_RELU and a per-value PRELU', async () => {
    const file = new TfliteSketch();
    const x = file.input([1, 3, 2]);
    const a = file.op('TANH', [x], real([1, 3, 2]));
    const b = file.op('LEAKY_RELU', [a], real([1, 3, 2]), { alpha: 0.2 });
    const c = file.op('PRELU', [b, plain(file, [3, 2])], real([1, 3, 2]));
    const inputs = [c, plain(file, [1, 6], 2)];
    const d = file.op('FULLY_CONNECTED', inputs, real([1, 1]), {
      activation: 0,
      weightsFormat: 0,
      keepNumDims: false,
    });
    await check(file.build(file.op('LOGISTIC', [d], real([1, 1]))), draw(6, 2));
  });

  test('weights in half floats go through DEQUANTIZE', async () => {
    const file = new TfliteSketch();
    const halves = [0x3c00, 0xb800, 0x0001, 0x4248, 0x8400, 0x7bff];
    const weights = file.op('DEQUANTIZE', [file.constant('float16', [2, 3], halves)], real([2, 3]));
    const options = { activation: 0, weightsFormat: 0, keepNumDims: false };
    const y = file.op('FULLY_CONNECTED', [file.input([1, 3]), weights], real([1, 2]), options);
    const loaded = await loadModel(onDisk(file.build(y)));
    using network = await Network.create(gpu(), loaded.model, { values: loaded.values });
    const expected = [1 - 2 * 0.5 + 3 * 2 ** -24, 3.140625 - 2 * 2 ** -14 + 3 * 65504];
    expectClose(await network.predict(Float32Array.of(1, 2, 3)), expected, 1e-6);
  });

  test('constants of whole tensors, and bounds that are not zero', async () => {
    const file = new TfliteSketch();
    const shape = [1, 3, 2, 4];
    let x = file.input(shape);
    for (const [kind, own, isFirst] of [
      ...([
        ['MUL', [3, 2, 4], false],
        ['ADD', [1, 3, 1, 1], true],
        ['SUB', [3, 2, 1], true],
      ] as const),
      ...([
        ['DIV', [4], false],
        ['MINIMUM', [3, 2, 4], true],
        ['MAXIMUM', [], false],
      ] as const),
    ]) {
      const constant = plain(file, own, own.length + 3);
      x = file.op(
        kind,
        isFirst ? [constant, x] : [x, constant],
        real(shape),
        kind.length === 3 ? { activation: 0 } : {},
      );
    }
    await check(file.build(x), draw(24, 3));
  });

  test('several inputs and outputs are read, run and called as in the file', async () => {
    const named = (name: string, shape: readonly number[]): TensorSpec => ({ ...real(shape), name });
    const file = new TfliteSketch();
    const [a, b] = [file.input([1, 2, 3]), file.input([1, 2, 3])];
    const sum = file.op('ADD', [a, b], named('StatefulPartitionedCall:0', [1, 2, 3]), { activation: 0 });
    const less = file.op('SUB', [a, b], named('7', [1, 2, 3]), { activation: 0 });
    const spec = file.build(sum, less, a);
    const loaded = await check(spec, draw(6, 1), draw(6, 2));
    expect(loaded.model.inputs.map(({ name }) => name)).toEqual(['tensor0', 'tensor1']);
    expect(loaded.model.outputs.map(({ name }) => name)).toEqual([
      'StatefulPartitionedCall:0',
      '7',
      'tensor0',
    ]);
    expect(loaded.model.summary()).toContain('tensor1');
    const { inputs, outputs } = importTflite(readFileSync(onDisk(spec)));
    expect(inputs.map(({ type }) => type)).toEqual(['float32', 'float32']);
    expect(outputs).toHaveLength(3);
  });

  test('ends that no network can have are refused by name', () => {
    const twice = () => {
      const file = new TfliteSketch();
      const [x, other] = [file.input([1, 2]), file.input([2, 2])];
      return file.build(file.op('RELU', [x], real([1, 2])), file.op('RELU', [other], real([2, 2])));
    };
    expect(() => importTflite(assemble(twice()))).toThrow(/batch of 1, as the first input[\s\S]*/);
    expect(() => importTflite(assemble(twice()))).toThrow(/tensor1/);
    const constant = () => {
      const file = new TfliteSketch();
      const x = file.op('RELU', [file.input([1, 2])], real([1, 2]));
      return file.build(x, plain(file, [1, 2]));
    };
    expect(() => importTflite(assemble(constant()))).toThrow(/isn't computed[\s\S]*a constant/);
    const one = new TfliteSketch();
    const x = one.input([1, 2]);
    const doubled = { ...one.build(one.op('RELU', [x], real([1, 2]))), inputs: [x, x] };
    expect(() => importTflite(assemble(doubled))).toThrow(/one tensor as two inputs/);
    expect(() => importTflite(assemble(doubled))).toThrow(FormatError);
  });

  test.each([3, 32, 45])('packed int32 inputs of %i channels are signs', async (channels) => {
    const words = Math.ceil(channels / 32);
    const file = new TfliteSketch();
    const x = file.input([1, 4, 3, words], 'int32');
    const pooled = file.op('LceBMaxPool2d', [x], int([1, 2, 2, words]), {
      ...{ padding: 0, filter_height: 2, filter_width: 2, stride_height: 2, stride_width: 2 },
    });
    const bits = (seed: number, rows: number) =>
      Array.from({ length: rows * words }, (_, i) =>
        Math.floor(2 ** Math.min(30, channels - 32 * (i % words)) * uniform01(seed, 1, i)),
      );
    const row = (value: number) => file.constant('float32', [5], new Array<number>(5).fill(value));
    const filters = file.constant('int32', [5, 2, 2, words], bits(1, 20));
    const sums = file.op('LceBconv2d', [pooled, filters, row(1), row(0), -1], real([1, 1, 1, 5]), {
      ...{ channels_in: channels, dilation_height_factor: 1, dilation_width_factor: 1 },
      ...{ fused_activation_function: 0, pad_values: 0, padding: 1, stride_height: 1, stride_width: 1 },
    });
    const spec = file.build(sums);
    const packed = bits(2, 12);
    const path = onDisk(spec);
    const { input } = importTflite(readFileSync(path));
    expect(input.type).toBe('signs');
    const loaded = await loadModel(path);
    expect(loaded.model.inputShape).toEqual([4, 3, channels]);
    const signs = Float32Array.from({ length: 12 * channels }, (_, i) => {
      const [pixel, channel] = [Math.floor(i / channels), i % channels];
      return ((packed[pixel * words + Math.floor(channel / 32)] ?? 0) >> (channel % 32)) & 1 ? -1 : 1;
    });
    using network = await Network.create(gpu(), loaded.model, { values: loaded.values });
    expectSame(await network.predict(signs), evaluate(spec, packed)[sums]?.values ?? []);
  });

  test('an int32 input that other operators read is refused, and says which', () => {
    const file = new TfliteSketch();
    const x = file.input([1, 4, 3, 1], 'int32');
    const spec = file.build(file.op('RELU', [x], int([1, 4, 3, 1])));
    expect(() => importTflite(assemble(spec))).toThrow(/packed signs[\s\S]*RELU 0/);
  });

  test('int8: LOGISTIC, TANH, LEAKY_RELU, SUB, MINIMUM and MAXIMUM are the integer next to the exact value', async () => {
    const grid = { scale: [0.05], zeroPoint: [3] };
    const shape = [1, 64, 2];
    const at = (scale: number, zeroPoint: number): TensorSpec => ({
      ...{ shape, type: 'int8', scale: [scale], zeroPoint: [zeroPoint] },
    });
    const file = new TfliteSketch();
    const x = file.input(shape, 'int8', grid);
    const other = file.op('LEAKY_RELU', [x], at(0.04, -5), { alpha: 0.25 });
    const constant = file.constant(
      'int8',
      [64, 2],
      draw(128, 9).map((v) => Math.round(90 * v)),
      grid,
    );
    const outputs = [
      other,
      file.op('LOGISTIC', [x], at(1 / 256, -128)),
      file.op('TANH', [x], at(1 / 128, 0)),
      file.op('SUB', [x, other], at(0.07, 1), { activation: 0 }),
      file.op('SUB', [constant, x], at(0.1, 2), { activation: 3 }),
      file.op('MINIMUM', [x, constant], at(0.05, 3)),
      file.op('MAXIMUM', [other, x], at(0.06, 0)),
    ];
    const spec = file.build(...outputs);
    const loaded = await loadModel(onDisk(spec));
    const integers = draw(128, 4).map((value) => Math.round(127 * value));
    using network = await Network.create(gpu(), loaded.model, { values: loaded.values });
    const results = Object.values(await network.predict([Float32Array.from(integers)]));
    const evaluated = evaluate(spec, integers);
    for (const [i, output] of outputs.entries()) {
      for (const [place, exact] of (evaluated[output]?.exact ?? []).entries()) {
        const off = Math.abs((results[i]?.[place] ?? Number.NaN) - exact);
        // Inputs of an operator may themselves lie at a tie.
        if (!(off <= (i === 3 || i === 6 ? 1.1 : 0.502)))
          expect.fail(`output ${i} at ${place}: off by ${off}`);
      }
    }
  });

  test('slices that leave samples whole, and no others', async () => {
    const file = new TfliteSketch();
    const ints = (...values: number[]) => file.constant('int32', [values.length], values);
    const x = file.input([1, 5, 4, 3]);
    const masks = { beginMask: 1, endMask: 1, ellipsisMask: 0, newAxisMask: 0, shrinkAxisMask: 4 };
    const row = file.op(
      'STRIDED_SLICE',
      [x, ints(0, 4, 1, 0), ints(0, 0, 2, 3), ints(1, -2, 1, 1)],
      real([1, 2, 3]),
      masks,
    );
    const part = file.op('SLICE', [x, ints(0, 1, 0, 2), ints(-1, 3, -1, 1)], real([1, 3, 4, 1]));
    await check(file.build(row, part), draw(60, 5));
    const mixed = new TfliteSketch();
    const y = mixed.input([4, 3]);
    const of = (...values: number[]) => mixed.constant('int32', [values.length], values);
    const spec = mixed.build(mixed.op('SLICE', [y, of(1, 0), of(2, 3)], real([2, 3])));
    expect(() => importTflite(assemble(spec))).toThrow(/no part of every sample/);
  });

  test('metadata: texts are read, others and broken ones left out', () => {
    const bytes = (text: string) => new TextEncoder().encode(text);
    const file = new TfliteSketch();
    const spec = file.build(file.op('RELU', [file.input([1, 2])], real([1, 2])));
    const metadata = [
      ['min_runtime_version', bytes('1.5.0\0\0\0')],
      ['webgpu_bnn.classes', bytes('["ζ","b"]')],
      ['TFLITE_METADATA', Uint8Array.of(0xff, 0xfe, 0x80)],
      ['missing', undefined],
      ['large', new Uint8Array(2 ** 20 + 1).fill(65)],
      ['largest', new Uint8Array(2 ** 20).fill(65)],
    ] as const;
    const read = importTflite(assemble({ ...spec, metadata })).metadata;
    expect([...read].map(([name, text]) => [name, text.slice(0, 10)])).toEqual([
      ['min_runtime_version', '1.5.0'],
      ['webgpu_bnn.classes', '["ζ","b"]'],
      ['largest', 'AAAAAAAAAA'],
    ]);
    expect(importTflite(assemble(spec)).metadata.size).toBe(0);
  });

  test('a name of control characters, each spelled out, stays on one screen', () => {
    const file = new TfliteSketch();
    const spec = file.build(file.op('\u0001'.repeat(3000), [file.input([1, 2])], real([1, 2])));
    const read = () => importTflite(assemble(spec));
    expect(read).toThrow(/\\u0001/);
    expect(read).toThrow(expect.objectContaining({ message: expect.not.stringMatching(/^[\s\S]{4000}/) }));
  });

  test('a message about a constant names its length, not its numbers', () => {
    const file = new TfliteSketch();
    const inputs = [file.input([1, 2]), plain(file, [3, 2]), plain(file, [25_000])];
    const options = { activation: 0, weightsFormat: 0, keepNumDims: false };
    const spec = file.build(file.op('FULLY_CONNECTED', inputs, real([1, 3]), options));
    expect(() => importTflite(assemble(spec))).toThrow(/25000 biases for 3 filters/);
    const asked = new TfliteSketch();
    const shape = asked.constant(
      'int32',
      [25_000],
      draw(25_000, 1).map((v) => Math.round(1e6 * v)),
    );
    const reshape = asked.build(
      asked.op('RESHAPE', [asked.input([1, 2]), shape], real([1, 2]), { newShape: [] }),
    );
    const read = () => importTflite(assemble(reshape));
    expect(read).toThrow(/and 24980 more/);
    expect(read).toThrow(expect.objectContaining({ message: expect.not.stringMatching(/^[\s\S]{1000}/) }));
  });
});
