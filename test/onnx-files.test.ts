/** ONNX files as others write them, read from disk: orders of axes, versions, weights elsewhere, several ends, notes. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zipSync } from 'fflate';
import * as ort from 'onnxruntime-web';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FormatError, OptionError } from '../src/errors.ts';
import { encodeModel, type LoadedModel } from '../src/formats/index.ts';
import { rawFields } from '../src/formats/onnx/container.ts';
import { Names } from '../src/formats/onnx/names.ts';
import { exportOnnx, importOnnx, type OnnxNetwork, splitOnnx } from '../src/formats/onnx.ts';
import { initialValues, Network } from '../src/graph/index.ts';
import { loadDataset, loadModel } from '../src/node/index.ts';
import { normal } from '../src/numerics/random.ts';
import { LONGEST_MESSAGE } from './helpers/attack.ts';
import { expectClose, useGpu } from './helpers/gpu.ts';
import {
  evaluateHandMade,
  evaluateOnnx,
  intoModel,
  type Nd,
  outOfModel,
  resultOf,
} from './helpers/onnx-evaluator.ts';
import { elements, fileOf, type HandMade, type HandMadeConstant, message } from './helpers/onnx-file.ts';

const gpu = useGpu();
let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'webgpu-bnn onnx '));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const product = (dims: readonly number[]) => dims.reduce((all, extent) => all * extent, 1);
const reals = (dims: readonly number[], seed: number): HandMadeConstant => [
  dims,
  Array.from({ length: product(dims) }, (_, i) => Math.fround(normal(7, seed, i))),
];
const sample = (dims: readonly number[], seed = 1): Nd => ({
  dims,
  data: Float64Array.from({ length: product(dims) }, (_, i) => Math.round(8 * normal(8, seed, i)) / 8),
});
const one = (value: number, type?: HandMadeConstant[2]): HandMadeConstant =>
  type === undefined ? [[], [value]] : [[], [value], type];
const list = (...values: number[]): HandMadeConstant => [[values.length], values, 'int64'];

/** A file on disk, through the door of Node. */
async function loaded(file: HandMade) {
  const path = join(folder, `${Math.random()}.onnx`);
  writeFileSync(path, fileOf(file));
  return await loadModel(path);
}

async function predict(
  { model, values }: Pick<LoadedModel, 'model' | 'values'>,
  x: ArrayLike<number>,
): Promise<Float32Array> {
  using network = await Network.create(gpu(), model, { values, forInference: true });
  return await network.predict(Float32Array.from(x));
}

/** Runs a file of one input and one output, read from a Buffer, and compares it with float64. */
async function agrees(file: HandMade, expected?: ArrayLike<number>): Promise<OnnxNetwork> {
  const path = join(folder, 'agrees.onnx');
  writeFileSync(path, fileOf({ single: true, ...file }));
  const network = importOnnx(readFileSync(path));
  const x = sample(file.input);
  const y = await predict(network, intoModel(network.inputs[0], x));
  const last = file.nodes.at(-1)?.[3]?.outputs?.[0] ?? `n${file.nodes.length - 1}`;
  const wanted = expected ?? resultOf(evaluateHandMade(file, { x }), last).data;
  expectClose(outOfModel(network.outputs[0], y), wanted, 2e-5);
  return network;
}

describe('which axis is what', () => {
  const SMALLEST: HandMade = {
    input: [1, 4, 6, 3],
    constants: {
      w: [
        [2, 3, 1, 1],
        [1, -2, 3, 0.5, 0, -1],
      ],
    },
    nodes: [
      ['Transpose', ['x'], { perm: [0, 3, 1, 2] }],
      ['Conv', ['n0', 'w']],
      ['Transpose', ['n1'], { perm: [0, 2, 3, 1] }],
    ],
    output: [1, 4, 6, 2],
  };

  test('an input with channels last is that image, and the transposes at both ends fold away', async () => {
    const model = await loaded(SMALLEST);
    expect(model.model.inputShape).toEqual([4, 6, 3]);
    expect(model.model.outputShape).toEqual([4, 6, 2]);
    expect(model.model.layers.map(({ layer }) => layer.kind)).toEqual(['conv2d']);
    const x = sample([1, 4, 6, 3]);
    // The data as the file has it, and as the answer has it.
    const y = await predict({ model: model.model, values: model.values as OnnxNetwork['values'] }, x.data);
    expectClose(y, resultOf(evaluateHandMade(SMALLEST, { x }), 'n2').data, 1e-5);
  });

  test.each<[string, HandMade, string, readonly number[]]>([
    [
      'a reshape of grey images',
      {
        input: [1, 5, 4, 1],
        constants: { s: list(1, 1, 5, 4), w: reals([2, 1, 2, 2], 1) },
        nodes: [
          ['Reshape', ['x', 's']],
          ['Conv', ['n0', 'w']],
        ],
      },
      'NHWC',
      [5, 4, 1],
    ],
    [
      'arithmetic and signs before the transpose',
      {
        input: [1, 5, 4, 3],
        constants: { c: reals([3], 2), w: reals([2, 3, 2, 2], 3), two: one(2) },
        nodes: [
          ['Sub', ['x', 'c']],
          ['Mul', ['two', 'n0']],
          ['Transpose', ['n1'], { perm: [0, 3, 1, 2] }],
          ['Conv', ['n2', 'w']],
          ['GlobalAveragePool', ['n3']],
          ['Flatten', ['n4']],
        ],
      },
      'NHWC',
      [5, 4, 3],
    ],
    [
      'images that are made flat, which no operator tells of',
      {
        input: [1, 6, 5, 1],
        constants: { s: list(-1, 30), w: reals([30, 3], 4) },
        nodes: [
          ['Reshape', ['x', 's']],
          ['MatMul', ['n0', 'w']],
        ],
      },
      'NHWC',
      [6, 5, 1],
    ],
    [
      'images without an axis of channels',
      {
        input: [1, 6, 5],
        constants: { w: reals([30, 3], 5) },
        nodes: [
          ['Flatten', ['x']],
          ['MatMul', ['n0', 'w']],
        ],
      },
      'NHW',
      [6, 5, 1],
    ],
    [
      'images without an axis of channels, which get one',
      {
        input: [1, 6, 5],
        constants: { one: list(1), w: reals([2, 1, 3, 3], 6) },
        nodes: [
          ['Unsqueeze', ['x', 'one']],
          ['Conv', ['n0', 'w'], { pads: [1, 1, 1, 1] }],
        ],
      },
      'NHW',
      [6, 5, 1],
    ],
    [
      "QONNX' operators with channels last",
      {
        input: [1, 5, 4, 3],
        constants: { w: reals([2, 2, 1, 3], 7), b: reals([2], 8) },
        nodes: [
          ['Conv', ['x', 'w', 'b'], { kernel_shape: [2, 1] }, { domain: 'qonnx.custom_op.channels_last' }],
          ['MaxPool', ['n0'], { kernel_shape: [2, 2] }, { domain: 'qonnx.custom_op.channels_last' }],
        ],
      },
      'NHWC',
      [5, 4, 3],
    ],
    [
      'sequences with channels second',
      {
        input: [1, 3, 8],
        constants: { w: reals([4, 3, 3], 9) },
        nodes: [
          ['Conv', ['x', 'w'], { pads: [1, 2], strides: [2] }],
          ['MaxPool', ['n0'], { kernel_shape: [2] }],
        ],
      },
      'NCW',
      [1, 8, 3],
    ],
    [
      'sequences with channels last, and a matrix over them',
      {
        input: [1, 8, 3],
        constants: { w: reals([3, 4], 10) },
        nodes: [['MatMul', ['x', 'w']]],
      },
      'NWC',
      [1, 8, 3],
    ],
    [
      'a mean over height and width with channels last',
      {
        input: [1, 4, 5, 3],
        constants: { w: reals([2, 3, 1, 1], 11) },
        nodes: [
          ['Transpose', ['x'], { perm: [0, 3, 1, 2] }],
          ['Conv', ['n0', 'w']],
          ['Transpose', ['n1'], { perm: [0, 2, 3, 1] }],
          ['ReduceMean', ['n2'], { axes: [1, 2], keepdims: 0 }],
        ],
      },
      'NHWC',
      [4, 5, 3],
    ],
    [
      'padding with channels last',
      {
        input: [1, 4, 5, 3],
        constants: { p: list(0, 1, 0, 0, 0, 2, 1, 0), v: one(0.5), w: reals([2, 3, 2, 2], 12) },
        nodes: [
          ['Pad', ['x', 'p', 'v']],
          ['Transpose', ['n0'], { perm: [0, 3, 1, 2] }],
          ['Conv', ['n1', 'w']],
        ],
      },
      'NHWC',
      [4, 5, 3],
    ],
    [
      'padding of sequences with channels last',
      {
        input: [1, 5, 3],
        constants: { p: list(0, 2, 0, 0, 1, 0), w: reals([2, 3, 2], 13) },
        nodes: [
          ['Pad', ['x', 'p']],
          ['Transpose', ['n0'], { perm: [0, 2, 1] }],
          ['Conv', ['n1', 'w']],
        ],
      },
      'NWC',
      [1, 5, 3],
    ],
    [
      "FINN's annotation",
      {
        input: [1, 3, 4, 5],
        constants: {},
        nodes: [['Relu', ['x']]],
        annotations: {
          x: { tensor_layout: "['N', 'H', 'W', 'C']" },
          n0: { tensor_layout: "['N', 'H', 'W', 'C']" },
        },
      },
      'NHWC',
      [3, 4, 5],
    ],
  ])('%s', async (_, file, layout, shape) => {
    const network = await agrees(file);
    expect(network.inputs[0]?.layout).toBe(layout);
    expect(network.model.inputShape).toEqual(shape);
  });

  test('the binary layers of such a file are cut out with their order of axes', async () => {
    const file = fileOf({
      input: [1, 4, 6, 3],
      single: true,
      constants: {
        w: [
          [2, 3, 1, 1],
          [1, -1, 1, -1, -1, 1],
        ],
        zero: one(0),
      },
      nodes: [
        ['Sub', ['x', 'zero']],
        ['Sign', ['n0']],
        ['Transpose', ['n1'], { perm: [0, 3, 1, 2] }],
        ['Conv', ['n2', 'w']],
        ['Sigmoid', ['n3']],
      ],
    });
    const { head, binary, tail, input, output } = splitOnnx(file);
    expect(input).toMatchObject({ name: 'n0', dims: [1, 4, 6, 3], layout: 'NHWC' });
    expect(output).toMatchObject({ name: 'n3', dims: [1, 2, 4, 6], layout: 'NCHW' });
    const x = sample([1, 4, 6, 3]);
    const network = importOnnx(binary);
    expect(network.model.inputShape).toEqual([4, 6, 3]);
    const middle = evaluateOnnx(head ?? binary, x.data);
    const y = outOfModel(network.outputs[0], await predict(network, intoModel(network.inputs[0], middle)));
    expectClose(evaluateOnnx(tail ?? binary, y).data, evaluateOnnx(file, x.data).data, 1e-6);
  });
});

describe('operators in all their versions', () => {
  const IMAGE = [1, 3, 4, 5] as const;

  test.each<[string, HandMade]>([
    ['Sigmoid', { input: IMAGE, constants: {}, nodes: [['Sigmoid', ['x']]] }],
    [
      'Tanh of a shifted value',
      {
        input: IMAGE,
        constants: { c: reals([3, 1, 1], 1) },
        nodes: [
          ['Add', ['x', 'c']],
          ['Tanh', ['n0']],
        ],
      },
    ],
    ['LeakyRelu with its default', { input: IMAGE, constants: {}, nodes: [['LeakyRelu', ['x']]] }],
    [
      'LeakyRelu after a scale',
      {
        input: IMAGE,
        constants: { c: reals([3, 1, 1], 2) },
        nodes: [
          ['Mul', ['x', 'c']],
          ['LeakyRelu', ['n0'], { alpha: { float: 0.25 } }],
        ],
      },
    ],
    [
      'Selu',
      {
        input: IMAGE,
        constants: {},
        nodes: [['Selu', ['x'], { alpha: { float: 1.6732632 }, gamma: { float: 1.050701 } }]],
      },
    ],
    [
      'Sum of three',
      {
        input: IMAGE,
        constants: { c: one(2) },
        nodes: [
          ['Neg', ['x']],
          ['Sum', ['x', 'n0', 'c']],
        ],
      },
    ],
    [
      'Max and Min with numbers and values',
      {
        input: IMAGE,
        constants: { c: one(0.5) },
        nodes: [
          ['Max', ['c', 'x']],
          ['Neg', ['x']],
          ['Min', ['n0', 'n1']],
        ],
      },
    ],
    [
      'Slice by inputs, backwards, of constants too',
      {
        input: IMAGE,
        constants: {
          s: list(-1, 1),
          e: list(-9, 5),
          a: list(2, 3),
          t: list(-1, 2),
          c: reals([1, 3, 4, 5], 3),
        },
        nodes: [
          ['Slice', ['x', 's', 'e', 'a', 't']],
          ['Slice', ['c', 's', 'e', 'a', 't']],
          ['Add', ['n0', 'n1']],
        ],
      },
    ],
    [
      'Slice by attributes, of channels with scales of their own',
      {
        input: IMAGE,
        opset: 9,
        constants: { c: reals([3, 1, 1], 4) },
        nodes: [
          ['Mul', ['x', 'c']],
          ['Slice', ['n0'], { starts: [1, 0], ends: [3, -1], axes: [1, 3] }],
        ],
      },
    ],
    [
      'a constant for every value',
      {
        input: IMAGE,
        constants: { c: reals([3, 4, 5], 5), d: reals([4, 5], 6) },
        nodes: [
          ['Mul', ['x', 'c']],
          ['Sub', ['d', 'n0']],
        ],
      },
    ],
  ])('%s', async (_, file) => {
    await agrees(file);
  });

  test('version 6 says by `axis` where a list of numbers belongs', async () => {
    const nodes: HandMade['nodes'] = [
      ['Add', ['x', 'c'], { broadcast: 1, axis: 1 }],
      ['PRelu', ['n0', 'c']],
    ];
    const c = reals([3], 7);
    const wide: HandMadeConstant = [[3, 1, 1], c[1]];
    const x = sample(IMAGE);
    const today = evaluateHandMade({ input: IMAGE, constants: { c: wide }, nodes }, { x });
    await agrees({ input: IMAGE, opset: 6, constants: { c }, nodes }, resultOf(today, 'n1').data);
  });

  test('the first versions of Clip, Pad, Squeeze, Unsqueeze, Dropout, Reshape, Cast and BatchNormalization', async () => {
    const rows = { g: reals([3], 8), b: reals([3], 9), m: reals([3], 10), v: [[3], [1, 2, 0.5]] as const };
    const nodes = (isOld: boolean): HandMade['nodes'] => [
      ['Clip', ['x'], { min: { float: -0.5 }, max: { float: 1 } }],
      ['Pad', ['n0'], { [isOld ? 'paddings' : 'pads']: [0, 0, 1, 0, 0, 0, 0, 2], value: { float: 0.25 } }],
      ['Dropout', ['n1'], { ratio: { float: 0.5 } }, { outputs: ['n2', 'mask'] }],
      [
        'BatchNormalization',
        ['n2', 'g', 'b', 'm', 'v'],
        { consumed_inputs: [0, 0, 0, 1, 1], is_test: 1, spatial: 1 },
      ],
      ['Cast', ['n3'], isOld ? { to: 'FLOAT' } : { to: 1 }],
      ['Reshape', ['n4'], { shape: [1, 3, 35] }],
      ['Unsqueeze', ['n5'], { axes: [2] }],
      ['Squeeze', ['n6'], { axes: [2] }],
    ];
    const x = sample(IMAGE);
    const expected = evaluateHandMade({ input: IMAGE, constants: rows, nodes: nodes(false) }, { x });
    await agrees(
      { input: IMAGE, opset: 5, constants: rows, nodes: nodes(true) },
      resultOf(expected, 'n7').data,
    );
  });

  test.each(['finn', 'qonnx', 'finn.custom_op.general', 'onnx.brevitas', 'qonnx.custom_op.general'])(
    'the domain %s',
    async (domain) => {
      const own = { domain };
      await agrees({
        input: [1, 4],
        constants: {
          s: one(0.5),
          z: one(0),
          bits: one(3),
          t: [
            [1, 2],
            [-0.5, 0.75],
          ],
        },
        nodes: [
          ['Quant', ['x', 's', 'z', 'bits'], {}, own],
          ['MultiThreshold', ['n0', 't'], { out_scale: { float: 2 } }, own],
          ['BipolarQuant', ['n1', 's'], {}, own],
        ],
      });
    },
  );

  test.each<[string, HandMade]>([
    [
      'weights, bias and values in eight bits, with zero points',
      {
        input: IMAGE,
        constants: {
          xs: one(0.125),
          xz: one(3, 'uint8'),
          w: [[2, 3, 2, 2], Array.from({ length: 24 }, (_, i) => ((i * 37) % 200) - 100), 'int8'],
          ws: [[2], [0.5, 0.25]],
          wz: [[2], [0, 0], 'int8'],
          b: [[2], [5, -7], 'int32'],
          bs: one(0.25),
          ys: one(4),
          yz: one(-5, 'int8'),
        },
        nodes: [
          ['QuantizeLinear', ['x', 'xs', 'xz']],
          ['DequantizeLinear', ['n0', 'xs', 'xz']],
          ['DequantizeLinear', ['w', 'ws', 'wz'], { axis: 0 }],
          ['DequantizeLinear', ['b', 'bs']],
          ['Conv', ['n1', 'n2', 'n3'], { pads: [1, 0, 0, 1] }],
          ['QuantizeLinear', ['n4', 'ys', 'yz']],
          ['MaxPool', ['n5'], { kernel_shape: [2, 2] }],
          ['DequantizeLinear', ['n6', 'ys', 'yz']],
        ],
      },
    ],
    [
      'a pair after a pair of the same',
      {
        input: [1, 6],
        constants: { s: one(0.25), z: one(0, 'int8'), w: reals([6, 2], 12) },
        nodes: [
          ['QuantizeLinear', ['x', 's', 'z']],
          ['DequantizeLinear', ['n0', 's', 'z']],
          ['QuantizeLinear', ['n1', 's', 'z']],
          ['DequantizeLinear', ['n2', 's', 'z']],
          ['MatMul', ['n3', 'w']],
        ],
      },
    ],
  ])('QuantizeLinear and DequantizeLinear: %s', async (_, file) => {
    const network = await agrees(file);
    expect(network.model.layers.filter(({ layer }) => layer.kind === 'quantize').length).toBeLessThan(3);
  });

  test('ends in ArgMax: the scores, said to be labels', async () => {
    const file: HandMade = {
      input: [1, 5],
      constants: { w: reals([5, 3], 13) },
      nodes: [
        ['MatMul', ['x', 'w']],
        ['ArgMax', ['n0'], { axis: -1 }],
      ],
    };
    expect(importOnnx(fileOf(file)).output).toBe('labels');
  });

  test.each<[string, HandMade['nodes'][number], RegExp]>([
    [
      'normalises by the batch',
      ['BatchNormalization', ['x', 'c', 'c', 'c', 'c'], { training_mode: 1 }],
      /evaluation mode/,
    ],
    ['drops values', ['Dropout', ['x', 'half', 'yes']], /evaluation mode/],
    ['gives indices', ['MaxPool', ['x'], { kernel_shape: [2, 2] }, { outputs: ['n0', 'places'] }], /indices/],
    ['takes the batch apart', ['Slice', ['x', 'zero', 'none', 'zero']], /nothing is left/],
  ])('what %s is refused', (_, node, message) => {
    const constants = { c: reals([3], 14), half: one(0.5), yes: one(1), zero: list(0), none: list(0) };
    expect(() => importOnnx(fileOf({ input: IMAGE, constants, nodes: [node] }))).toThrow(message);
  });
});

describe('weights', () => {
  const DENSE = (w: HandMadeConstant): HandMade => ({
    input: [1, 3],
    constants: { w },
    nodes: [['MatMul', ['x', 'w']]],
  });

  test('half floats', async () => {
    await agrees(DENSE([[3, 2], [0.5, -1.25, 2 ** -20, 1024, 0, -0.0999755859375], 'float16']));
  });

  test('half floats that stand as integers, and brain floats', async () => {
    const tensor = (type: number, bits: readonly number[]) =>
      message([1, 3], [1, 2], [2, type], [8, 'w'], ...bits.map((own) => [5, own] as const));
    const write = (type: number, bits: readonly number[]) => {
      const whole = DENSE([
        [3, 2],
        [0, 0, 0, 0, 0, 0],
      ]);
      return replaced(fileOf(whole), tensor(type, bits));
    };
    const y = async (bytes: Uint8Array) => [...(await predict(importOnnx(bytes), [1, 0, 0]))];
    expect(await y(write(10, [0x3c00, 0xc000, 0, 0, 0, 0]))).toEqual([1, -2]);
    expect(await y(write(16, [0x3f80, 0xc000, 0, 0, 0, 0]))).toEqual([1, -2]);
  });

  test('in a file beside the model: the one that was given, by its name', async () => {
    const w = reals([3, 2], 15);
    const [, raw] = elements(w[1], 'float');
    writeFileSync(join(folder, 'weights.bin'), new Uint8Array([9, 9, 9, 9, ...raw]));
    const file = { ...DENSE(w), single: true };
    const bytes = fileOf({ ...file, external: { w: ['./weights.bin', 4] } });
    const files = new Map([[join(folder, 'weights.bin'), readFileSync(join(folder, 'weights.bin'))]]);
    const x = sample([1, 3]);
    const y = await predict(importOnnx(bytes, { files }), x.data);
    expectClose(y, resultOf(evaluateHandMade(file, { x }), 'n0').data, 1e-6);
    expect(() => importOnnx(bytes)).toThrow(/weights.bin[\s\S]*importOnnx\(bytes, \{ files \}\)/);
  });

  test('in a file beside the model: from a path, a folder, a list of files and an archive', async () => {
    const w = reals([3, 2], 15);
    const [, raw] = elements(w[1], 'float');
    // A file of weights that begins as an ONNX file does.
    const data = new Uint8Array([8, 9, 9, 9, ...raw]);
    const file = { ...DENSE(w), single: true };
    const bytes = fileOf({ ...file, external: { w: ['weights.data', 4] } });
    const apart = join(folder, 'apart');
    mkdirSync(apart);
    writeFileSync(join(apart, 'weights.data'), data);
    writeFileSync(join(apart, 'dense.onnx'), bytes);
    const model = new File([bytes as Uint8Array<ArrayBuffer>], 'dense.onnx');
    const zip = join(folder, 'dense.zip');
    writeFileSync(zip, zipSync({ 'm/dense.onnx': bytes, 'm/weights.data': data }));
    const x = sample([1, 3]);
    const expected = resultOf(evaluateHandMade(file, { x }), 'n0').data;
    for (const source of [join(apart, 'dense.onnx'), apart, [model, new File([data], 'weights.data')], zip]) {
      expectClose(await predict(await loadModel(source), x.data), expected, 1e-6);
    }
    await expect(loadModel(new Map([['dense.onnx', bytes]]))).rejects.toThrow(/loadModel\(\[model, data\]\)/);
  });

  test.each(['../other/w.data', 'sub/w.data', '/etc/hostname'])(
    'of a path, never in another folder: %s',
    async (location) => {
      const inner = mkdtempSync(join(folder, 'inner-'));
      for (const name of ['sub', '../other']) mkdirSync(join(inner, name), { recursive: true });
      for (const name of ['sub/w.data', '../other/w.data'])
        writeFileSync(join(inner, name), new Uint8Array(24));
      const path = join(inner, 'dense.onnx');
      writeFileSync(
        path,
        fileOf({ ...DENSE(reals([3, 2], 16)), single: true, external: { w: [location, 0] } }),
      );
      await expect(loadModel(path)).rejects.toThrow(/data is in another file/);
    },
  );

  test('a shape that is left open is said to loadModel', async () => {
    const file: HandMade = {
      input: [0, 3, 0, 0],
      constants: { w: reals([2, 3, 3, 3], 30) },
      nodes: [['Conv', ['x', 'w']]],
    };
    const path = join(folder, 'open.onnx');
    writeFileSync(path, fileOf(file));
    await expect(loadModel(path)).rejects.toThrow(/loadModel\(file, \{ input/);
    const { model } = await loadModel(path, { input: [4, 6, 3] });
    expect(model.outputShape).toEqual([2, 4, 2]);
    const own = encodeModel(model, initialValues(model, 1));
    await expect(loadModel(own, { input: [4, 6, 2] })).rejects.toThrow(/says the shape of its input itself/);
  });

  test.each(['../../etc/passwd', '/etc/passwd', 'other.bin', '', '..'])(
    'never anywhere else: %s',
    (location) => {
      const bytes = fileOf({ ...DENSE(reals([3, 2], 16)), external: { w: [location, 0] } });
      expect(() => importOnnx(bytes, { files: new Map([['weights.bin', new Uint8Array(64)]]) })).toThrow(
        FormatError,
      );
    },
  );

  test('no more bytes than the files have, however many tensors name them', () => {
    const files = new Map([['w.bin', new Uint8Array(48)]]);
    const constants = Object.fromEntries(Array.from({ length: 3 }, (_, i) => [`w${i}`, reals([3, 2], 17)]));
    const external = Object.fromEntries(Object.keys(constants).map((name) => [name, ['w.bin', 0] as const]));
    const file: HandMade = {
      input: [1, 3],
      single: true,
      constants,
      external,
      nodes: [['MatMul', ['x', 'w0']]],
    };
    expect(() => importOnnx(fileOf(file), { files })).toThrow(/more bytes than the files/);
    const outside = { ...file, external: { ...external, w1: ['w.bin', 40] as const } };
    expect(() => importOnnx(fileOf(outside), { files })).toThrow(/24 bytes from 40/);
  });
});

describe('several inputs and outputs', () => {
  const FILE: HandMade = {
    input: [],
    inputs: { image: [0, 3, 4, 5], 7: [0, 2] },
    single: true,
    constants: { w: reals([2, 3, 1, 1], 20), v: reals([2, 4], 21) },
    nodes: [
      ['Conv', ['image', 'w']],
      ['GlobalAveragePool', ['n0']],
      ['Flatten', ['n1']],
      ['Add', ['n2', '7']],
      ['MatMul', ['n3', 'v']],
    ],
    outputs: ['n4', 'n0', '7'],
  };

  test('are read, run and named', async () => {
    const { model, values, inputs, outputs } = importOnnx(fileOf(FILE));
    expect(inputs.map(({ name }) => name).sort()).toEqual(['7', 'image']);
    expect(inputs.map(({ name }) => name)).toEqual(model.inputs.map(({ name }) => name));
    expect(outputs.map(({ name }) => name)).toEqual(model.outputs.map(({ name }) => name));
    const [image, vector] = [sample([1, 3, 4, 5], 2), sample([1, 2], 3)];
    using network = await Network.create(gpu(), model, { values, forInference: true });
    const endOf = (name: string) => [...inputs, ...outputs].find((end) => end.name === name);
    const given = {
      image: Float32Array.from(intoModel(endOf('image'), image)),
      7: Float32Array.from(vector.data),
    };
    const results = await network.predict(given);
    const expected = evaluateHandMade(FILE, { image, 7: vector });
    for (const name of ['n4', 'n0', '7']) {
      const y = outOfModel(endOf(name), results[name] ?? new Float32Array());
      expectClose(y, resultOf(expected, name).data, 1e-5, name);
    }
  });

  test('are written again, and ONNX Runtime gives the same', async () => {
    const { model, values } = importOnnx(fileOf(FILE));
    const file = exportOnnx(model, values, { operators: 'standard' });
    ort.env.wasm.numThreads = 1;
    ort.env.logLevel = 'error';
    const session = await ort.InferenceSession.create(file, { executionProviders: ['wasm'] });
    expect([...session.inputNames].sort()).toEqual(['7', 'image']);
    const [image, vector] = [sample([1, 3, 4, 5], 2), sample([1, 2], 3)];
    const run = await session.run({
      image: new ort.Tensor('float32', Float32Array.from(image.data), [1, 3, 4, 5]),
      7: new ort.Tensor('float32', Float32Array.from(vector.data), [1, 2]),
    });
    const expected = evaluateHandMade(FILE, { image, 7: vector });
    expectClose(run.n4?.data as Float32Array, resultOf(expected, 'n4').data, 1e-5);
    expectClose(run.n0?.data as Float32Array, resultOf(expected, 'n0').data, 1e-5);
    await session.release();
  });

  test('what can not be is refused by name', () => {
    const constant = { ...FILE, outputs: ['n4', 'w'] };
    expect(() => importOnnx(fileOf(constant))).toThrow(/w[\s\S]*depend|depend[\s\S]*w/);
    const mask: HandMade = {
      input: [1, 3],
      constants: {},
      nodes: [['Dropout', ['x'], {}, { outputs: ['y', 'mask'] }]],
      outputs: ['y', 'mask'],
    };
    expect(() => importOnnx(fileOf(mask))).toThrow(/"mask" is not made here/);
    const open: HandMade = { ...FILE, inputs: { image: [0, 3, 0, 0], 7: [0, 2] } };
    expect(() => importOnnx(fileOf(open))).toThrow(/image/);
    expect(() => importOnnx(fileOf(open), { input: [4, 5, 3] })).toThrow(OptionError);
    const { model } = importOnnx(fileOf(open), { input: { image: [4, 5, 3] } });
    expect(model.inputs).toContainEqual({ name: 'image', shape: [4, 5, 3] });
  });
});

describe('shapes that a file leaves open', () => {
  const OPEN: HandMade = {
    input: [0, 3, 0, 0],
    constants: { w: reals([2, 3, 3, 3], 30) },
    nodes: [['Conv', ['x', 'w']]],
  };

  test('are named, with what to do', async () => {
    await expect(loaded(OPEN)).rejects.toThrow(
      /\[batch, 3, open, open\][\s\S]*loadModel\(file, \{ input: \[height, width, channels\] \}\)[\s\S]*export/,
    );
    expect(() => importOnnx(fileOf({ ...OPEN, inputs: { x: [] } }))).toThrow(/no shape/);
  });

  test('can be said', () => {
    expect(importOnnx(fileOf(OPEN), { input: [8, 9, 3] }).model.outputShape).toEqual([6, 7, 2]);
    expect(importOnnx(fileOf({ ...OPEN, inputs: { x: [] } }), { input: [8, 9, 3] }).model.inputShape).toEqual(
      [8, 9, 3],
    );
    const last: HandMade = {
      ...OPEN,
      input: [0, 0, 0, 3],
      nodes: [
        ['Transpose', ['x'], { perm: [0, 3, 1, 2] }],
        ['Conv', ['n0', 'w']],
      ],
    };
    expect(importOnnx(fileOf(last), { input: [8, 9, 3] }).inputs).toEqual([
      { name: 'x', dims: [0, 8, 9, 3], layout: 'NHWC' },
    ]);
    expect(() => importOnnx(fileOf(OPEN), { input: [8, 9, 4] })).toThrow(/batch, 3, open, open/);
    expect(() => importOnnx(fileOf(OPEN), { input: [8, 9] })).toThrow(OptionError);
    expect(() => importOnnx(fileOf(OPEN), { size: [8, 9, 3] } as object)).toThrow(/input/);
  });
});

describe('notes', () => {
  test('metadata goes out and comes back, with what wrote the file', () => {
    const { model, values } = importOnnx(
      fileOf({ input: [1, 3], constants: { w: reals([3, 2], 40) }, nodes: [['MatMul', ['x', 'w']]] }),
    );
    const written = exportOnnx(model, values, {
      metadata: { 'webgpu_bnn.pixels': '{"scale":[1],"shift":[0]}', author: 'näme' },
    });
    const { metadata, producer } = importOnnx(written);
    expect(Object.fromEntries(metadata)).toEqual({
      'webgpu_bnn.pixels': '{"scale":[1],"shift":[0]}',
      author: 'näme',
    });
    expect(producer).toBe('webgpu-bnn');
  });

  test('UINT8 of FINN means that bytes are taken as 0 to 255', async () => {
    const file: HandMade = {
      input: [1, 2],
      constants: { w: reals([2, 2], 41) },
      nodes: [['MatMul', ['x', 'w']]],
    };
    const pixels = async (finn_datatype: string) =>
      (await loaded({ ...file, annotations: { x: { finn_datatype } } })).pixels;
    expect(await pixels('UINT8')).toEqual({ scale: [1], shift: [0] });
    expect(await pixels('INT8')).toBeUndefined();
    expect((await loaded(file)).pixels).toBeUndefined();
  });

  test("FINN's own file says so, and classifies the bytes of MNIST", async () => {
    const finn = await loadModel(join(import.meta.dirname, 'fixtures', 'finn-tfc', 'model.onnx'));
    expect(finn.pixels).toEqual({ scale: [1], shift: [0] });
    const { test: split } = await loadDataset('mnist');
    using classifier = await finn.createClassifier(gpu());
    const { results } = await classifier.classify(split.images.subarray(0, 500 * 784));
    const right = results.filter(([best], image) => best?.label === split.labels[image]).length;
    expect(right).toBeGreaterThan(450);
  });
});

describe('hostile files', () => {
  /** A model with these fields in its graph, and nothing else. */
  const graphOf = (...fields: readonly Uint8Array[]) => message([1, 8], [7, Buffer.concat(fields)]);
  const many = (count: number, field: (index: number) => Uint8Array) =>
    Buffer.concat(Array.from({ length: count }, (_, index) => field(index)));
  const node = () => message([1, message([4, 'Relu'])]);

  test.each<[string, () => Uint8Array, RegExp]>([
    ['100,000 nodes', () => graphOf(many(100_000, () => node())), /more nodes[\s\S]*32768 at most/],
    [
      '200,000 constants of nothing',
      () => graphOf(many(200_000, (i) => message([5, message([1, 0], [2, 1], [8, `c${i}`])]))),
      /more constants/,
    ],
    [
      '200,000 inputs',
      () => graphOf(many(200_000, (i) => message([11, message([1, `x${i}`])]))),
      /more inputs/,
    ],
    [
      '1,000 inputs',
      () =>
        graphOf(
          many(1000, (i) => message([11, message([1, `x${i}`])])),
          message([12, message([1, 'y'])]),
        ),
      /1 to 256/,
    ],
    [
      'a node with 100,000 inputs',
      () => graphOf(message([1, Buffer.concat([many(100_000, () => message([1, 'x']))])])),
      /inputs of one node/,
    ],
    [
      'a node with 100,000 attributes',
      () => graphOf(message([1, many(100_000, (i) => message([5, message([1, `${i}`])]))])),
      /attributes of one node/,
    ],
    [
      '200,000 notes',
      () => Buffer.concat([graphOf(), many(200_000, (i) => message([14, message([1, `${i}`])]))]),
      /more notes/,
    ],
    [
      '20,000 nodes of one name',
      () =>
        fileOf({
          input: [1, 4],
          constants: {},
          nodes: Array.from({ length: 20_000 }, (_, i) => [
            'Relu',
            [i ? `n${i - 1}` : 'x'],
            {},
            { name: 'same' },
          ]),
        }),
      /more layers[\s\S]*same[\s\S]*4096 at most/,
    ],
    [
      'one matrix for many products',
      () =>
        fileOf({
          input: [1, 300],
          single: true,
          constants: { w: [[300, 300], new Array<number>(90_000).fill(0.5)] },
          nodes: Array.from({ length: 200 }, (_, i) => ['MatMul', [i ? `n${i - 1}` : 'x', 'w']]),
        }),
      /more memory than its size allows/,
    ],
    [
      'a thousand operators that nobody knows',
      () =>
        fileOf({
          input: [1, 4],
          constants: {},
          nodes: Array.from({ length: 1000 }, () => ['Unknown', ['x']]),
        }),
      /and 980 more/,
    ],
    [
      'an operator of a long name',
      () => fileOf({ input: [1, 4], constants: {}, nodes: [['R'.repeat(1_000_000), ['x']]] }),
      /more characters/,
    ],
  ])('%s', (_, file, message) => {
    const bytes = file();
    let refused: unknown;
    try {
      importOnnx(bytes);
    } catch (error) {
      refused = error;
    }
    expect(refused).toBeInstanceOf(FormatError);
    expect(String(refused)).toMatch(message);
    expect(String(refused).length).toBeLessThan(LONGEST_MESSAGE);
  });

  test('sums of themselves, one after the other, are looked at once each when a file is split', () => {
    // As many ways from the last to the first as there are numbers of 2,000 bits.
    const nodes: HandMade['nodes'] = [
      ['Sign', ['x']],
      ...Array.from({ length: 2000 }, (_, i) => ['Add', [`n${i}`, `n${i}`]] as const),
      ['MatMul', ['n2000', 'w']],
    ];
    const { nodes: parts } = splitOnnx(
      fileOf({
        input: [1, 3],
        constants: {
          w: [
            [3, 2],
            [1, -1, 1, 1, -1, 1],
          ],
        },
        nodes,
      }),
    );
    expect(parts.binary.length).toBe(2002);
  });

  test('4,000 nodes of one name are layers of as many names', () => {
    const nodes: HandMade['nodes'] = Array.from({ length: 4000 }, (_, i) => [
      'Relu',
      [i ? `n${i - 1}` : 'x'],
      {},
      { name: 'same' },
    ]);
    const { model } = importOnnx(fileOf({ input: [1, 4], constants: {}, nodes }));
    expect(model.layers.at(-1)?.name).toBe('same_4000');
    // A search from the first number on would take minutes.
    const names = new Names(['same']);
    for (let count = 2; count < 300_000; count++) names.free('same');
    expect(names.free('same')).toBe('same_300000');
  });
});

/** The same file with another tensor in the place of its only constant. */
function replaced(file: Uint8Array, tensor: Uint8Array): Uint8Array {
  const model = rawFields(file).map(({ number, content, whole }) => {
    if (number !== 7) return whole;
    const graph = rawFields(content).map((field) =>
      field.number === 5 ? message([5, tensor]) : field.whole,
    );
    return message([7, Buffer.concat(graph)]);
  });
  return Buffer.concat(model);
}
