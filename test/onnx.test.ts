/** ONNX files of FINN and QONNX, run on the GPU; operators assembled by hand; files that aren't right. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { FormatError } from '../src/errors.ts';
import { importOnnx } from '../src/formats/onnx.ts';
import { Network, summarize } from '../src/graph/index.ts';
import { loadDataset } from '../src/node/index.ts';
import { uniform01 } from '../src/numerics/random.ts';
import { attack } from './helpers/attack.ts';
import { HELD } from './helpers/costly.ts';
import { expectClose, useGpu } from './helpers/gpu.ts';
import { fileOf, type HandMade } from './helpers/onnx-file.ts';

const fixture = (path: string) => new Uint8Array(readFileSync(join(import.meta.dirname, 'fixtures', path)));
const FINN = fixture('finn-tfc/model.onnx');
const QONNX = fixture('qonnx-tfc/TFC_1W1A.onnx');

/** The data of a version 1 `.npy` file. */
function npyData(bytes: Uint8Array<ArrayBuffer>): ArrayBuffer {
  return bytes.slice(10 + new DataView(bytes.buffer).getUint16(8, true)).buffer;
}

function largest(scores: Float32Array): number {
  return scores.indexOf(Math.max(...scores));
}

describe('published networks', () => {
  const gpu = useGpu();

  test("FINN's TFC gives the expected output for its input", async () => {
    const network = importOnnx(FINN);
    const pixels = new Float32Array(npyData(fixture('finn-tfc/input.npy')));
    const [expected] = new BigInt64Array(npyData(fixture('finn-tfc/expected_output.npy')));
    using runner = await Network.create(gpu(), network.model, { values: network.values });
    expect(network.output).toBe('labels');
    expect(largest(await runner.predict(pixels))).toBe(Number(expected));
    expect(Number(expected)).toBe(2);
  });

  test("QONNX' TFC: 92.96 % of the MNIST test set", async () => {
    const network = importOnnx(QONNX);
    expect(network.output).toBe('scores');
    const { test: split } = await loadDataset('mnist');
    using runner = await Network.create(gpu(), network.model, { values: network.values });
    const scores = await runner.predict(Float32Array.from(split.images, (byte) => byte / 255));
    let right = 0;
    for (const [index, label] of split.labels.entries()) {
      if (largest(scores.subarray(10 * index, 10 * index + 10)) === label) right += 1;
    }
    expect(right).toBe(9296);
  });

  test('every weight is one bit, and thresholds stand for the rest', () => {
    for (const bytes of [FINN, QONNX]) {
      const { model, folded } = importOnnx(bytes);
      const { total } = summarize(model);
      expect(total.binaryParameters).toBe(784 * 64 + 2 * 64 * 64 + 64 * 10);
      expect(total.operations).toEqual({ binary: total.binaryParameters, float: 0 });
      expect(model.layers.map(({ layer }) => layer.kind)).toEqual([
        'flatten',
        ...['threshold', 'quantDense', 'threshold', 'quantDense', 'threshold', 'quantDense', 'threshold'],
        ...['quantDense', 'affine'],
      ]);
      expect(folded.length).toBeGreaterThan(8);
    }
  });
});

const MATRIX = [1, -1, 1, 1, -1, -1] as const; // [3, 2]

describe('operators', () => {
  const gpu = useGpu();
  const x = [0.5, -2, 3];

  const cases: [string, HandMade, readonly number[]][] = [
    [
      'arithmetic with scalars and channels, from both sides',
      {
        input: [1, 3],
        constants: {
          two: [[], [2]],
          c: [[3], [1, 2, 3]],
          r: [
            [1, 3],
            [10, 20, 30],
          ],
        },
        nodes: [
          ['Mul', ['x', 'two']],
          ['Sub', ['r', 'n0']],
          ['Div', ['n1', 'c']],
          ['Add', ['n2', 'two']],
          ['Sub', ['n3', 'c']],
        ],
      },
      [10, 12, 7],
    ],
    [
      'MatMul with weights of one magnitude a column, after a sign',
      {
        input: [1, 3],
        constants: { w: [[3, 2], MATRIX.map((v, i) => v * (i % 2 ? 0.5 : 2))] },
        nodes: [
          ['Sign', ['x']],
          ['MatMul', ['n0', 'w']],
        ],
      },
      [-2, -1.5],
    ],
    [
      'Gemm with real weights, transposed, with a bias, on shifted input',
      {
        input: [1, 3],
        constants: {
          w: [
            [2, 3],
            [1, 2, 3, 4, 5, 6],
          ],
          b: [[2], [0.5, -0.5]],
          c: [[3], [1, 1, 1]],
        },
        nodes: [
          ['Add', ['x', 'c']],
          ['Gemm', ['n0', 'w', 'b'], { transB: 1 }],
        ],
      },
      [1.5 - 2 + 12 + 0.5, 6 - 5 + 24 - 0.5],
    ],
    [
      'BipolarQuant with a scale, of weights and values, weights transposed',
      {
        input: [1, 3],
        constants: {
          w: [
            [2, 3],
            [0.3, 0, -7, -1, -1, 2],
          ],
          s: [[], [0.5]],
        },
        nodes: [
          ['BipolarQuant', ['w', 's']],
          ['Transpose', ['n0'], { perm: [1, 0] }],
          ['BipolarQuant', ['x', 's']],
          ['MatMul', ['n2', 'n1']],
        ],
      },
      [-0.25, 0.25],
    ],
    [
      'MultiThreshold by channel, after a negative scale',
      {
        input: [1, 3],
        constants: {
          minus: [[], [-1]],
          t: [
            [3, 1],
            [-0.5, 3, -3],
          ],
        },
        nodes: [
          ['Mul', ['x', 'minus']],
          ['MultiThreshold', ['n0', 't']],
        ],
      },
      [1, 0, 1],
    ],
    [
      'a scale of 0 makes a constant',
      {
        input: [1, 3],
        constants: { s: [[3], [0, 0, 1]], b: [[3], [-1, 1, 0]] },
        nodes: [
          ['Mul', ['x', 's']],
          ['Add', ['n0', 'b']],
          ['Sign', ['n1']],
        ],
      },
      [-1, 1, 1],
    ],
    [
      'MatMul where channels have different scales',
      {
        input: [1, 3],
        constants: { s: [[3], [1, 2, 3]], w: [[3, 2], MATRIX] },
        nodes: [
          ['Mul', ['x', 's']],
          ['MatMul', ['n0', 'w']],
        ],
      },
      [0.5 - 4 - 9, -0.5 - 4 - 9],
    ],
    [
      'an integer sum right at its threshold',
      {
        input: [1, 3],
        constants: { w: [[3, 2], MATRIX], b: [[2], [0.1, 0.3]], s: [[], [0.1]] },
        nodes: [
          ['Sign', ['x']],
          ['MatMul', ['n0', 'w']],
          ['Mul', ['n1', 's']],
          ['Add', ['n2', 'b']],
          ['Sign', ['n3']],
        ],
      },
      [1, 1],
    ],
  ];

  test.each(cases)('%s', async (_, file, expected) => {
    const network = importOnnx(fileOf(file));
    using runner = await Network.create(gpu(), network.model, { values: network.values });
    expectClose(await runner.predict(Float32Array.from(x)), expected, 1e-6);
  });

  test('an image of several channels made flat keeps the meaning of its weights', async () => {
    const weights = Array.from({ length: 12 }, (_, i) => i + 1);
    const file = fileOf({
      input: [1, 3, 2, 2],
      constants: {
        c: [
          [3, 1, 1],
          [1, 10, 100],
        ],
        w: [[12, 1], weights],
      },
      nodes: [
        ['Mul', ['x', 'c']],
        ['Flatten', ['n0']],
        ['MatMul', ['n1', 'w']],
      ],
    });
    const network = importOnnx(file);
    using runner = await Network.create(gpu(), network.model, { values: network.values });
    // NHWC: pixel by pixel, the channels of a pixel side by side.
    const image = Float32Array.from({ length: 12 }, (_, i) => i);
    const expected = weights.reduce((sum, weight, i) => {
      const [channel, pixel] = [Math.floor(i / 4), i % 4];
      return sum + weight * (image[pixel * 3 + channel] ?? 0) * 10 ** channel;
    }, 0);
    expectClose(await runner.predict(image), [expected], 1e-6);
  });
});

describe('files that are not right', () => {
  const chain = (nodes: HandMade['nodes']) =>
    fileOf({
      input: [1, 3],
      constants: {
        w: [[3, 2], MATRIX],
        t: [
          [1, 2],
          [0, 1],
        ],
      },
      nodes,
    });

  test.each<[string, Uint8Array, RegExp]>([
    [
      'all unsupported operators are listed, with their nodes',
      chain([
        ['LSTM', ['x']],
        ['Sign', ['n0']],
        ['Einsum', ['n1']],
      ]),
      /LSTM \(node0\), Einsum \(node2\)/,
    ],
    ['an input from nowhere', chain([['Sign', ['n7']]]), /node0[\s\S]*n7/],
    [
      'a cycle',
      chain([
        ['Add', ['n1', 'x']],
        ['Sign', ['n0']],
      ]),
      /n1/,
    ],
    [
      'a matrix that does not fit',
      chain([
        ['MatMul', ['x', 'w']],
        ['MatMul', ['n0', 'w']],
      ]),
      /node1[\s\S]*3 rows/,
    ],
    ['weights that stand on the left', chain([['MatMul', ['w', 'x']]]), /constant/],
    ['a division by the network', chain([['Div', ['w', 'x']]]), /node0/],
    ['a constant as the network', chain([['Relu', ['w']]]), /constant/],
    ['an output that is a constant', chain([['Sign', ['w']]]), /n0/],
    ['nothing', new Uint8Array(0), /no graph/],
    ['text', new TextEncoder().encode('{"not": "onnx"}'), /ONNX/],
    ['a cut-off file', QONNX.subarray(0, 100_000), /ONNX/],
    [
      'a tensor shorter than its shape',
      fileOf({ input: [1, 3], constants: { w: [[3, 1e9], MATRIX] }, nodes: [['MatMul', ['x', 'w']]] }),
      /6 elements/,
    ],
  ])('%s', (_, bytes, message) => {
    expect(() => importOnnx(bytes)).toThrow(FormatError);
    expect(() => importOnnx(bytes)).toThrow(message);
  });

  test.each<[string, HandMade]>([
    [
      'flatten a large image again and again',
      {
        input: [1, 2, 1000, 1000],
        constants: { a: [[4], [1, 1000, 2, 1000], 'int64'], b: [[2], [1, -1], 'int64'] },
        nodes: Array.from({ length: 60 }, (_, i) => ['Reshape', [i ? `n${i - 1}` : 'x', i % 2 ? 'a' : 'b']]),
      },
    ],
    [
      'double their channels with every node',
      {
        input: [1, 4000],
        constants: {},
        nodes: Array.from({ length: 400 }, (_, i) => {
          const from = i ? `n${i - 1}` : 'x';
          return ['Concat', [from, from], { axis: 1 }];
        }),
      },
    ],
    [
      'multiply a column by a row',
      {
        input: [1, 4],
        constants: {
          a: [[3000, 1], new Array<number>(3000).fill(1)],
          b: [[1, 3000], new Array<number>(3000).fill(1)],
        },
        nodes: [['Mul', ['a', 'b']]],
      },
    ],
  ])('small files that %s are refused before they take memory', (_, file) => {
    const bytes = fileOf(file);
    expect(bytes.length).toBeLessThan(100_000);
    expect(() => importOnnx(bytes)).toThrow(/would be made|would have|larger than/);
  });

  test('100,000 mutated files: an error of ours or a network, never anything else', () => {
    const sources = [
      fileOf({
        input: [1, 3],
        constants: { w: [[3, 2], MATRIX], s: [[], [0.5]], g: [[2], [1, 2]] },
        nodes: [
          ['BipolarQuant', ['x', 's']],
          ['MatMul', ['n0', 'w']],
          ['BatchNormalization', ['n1', 'g', 'g', 'g', 'g']],
          ['Sign', ['n2']],
        ],
      }),
      fileOf({
        input: [1, 2, 4, 4],
        constants: {
          w: [[2, 2, 2, 2], Array.from({ length: 16 }, (_, i) => (i % 3 ? 1 : -1))],
          t: [
            [2, 3],
            [-1, 0, 2, -2, 0, 1],
          ],
          s: [[], [0.5]],
          shape: [[2], [1, -1], 'int64'],
          m: [
            [8, 1],
            [1, -1, 1, 1, -1, 1, 1, 1],
          ],
        },
        nodes: [
          ['BipolarQuant', ['x', 's']],
          ['Pad', ['n0'], { pads: [0, 0, 1, 1, 0, 0, 0, 0] }],
          ['Conv', ['n1', 'w'], { pads: [1, 0, 0, 1], strides: [1, 2], auto_pad: 'NOTSET' }],
          ['MultiThreshold', ['n2', 't'], { out_scale: { float: 0.5 } }],
          ['MaxPool', ['n3'], { kernel_shape: [2, 2], ceil_mode: 1 }],
          ['Transpose', ['n4'], { perm: [0, 2, 3, 1] }],
          ['Transpose', ['n5'], { perm: [0, 3, 1, 2] }],
          ['Concat', ['n6', 'n6'], { axis: 2 }],
          ['Reshape', ['n7', 'shape']],
          ['Identity', ['n8']],
        ],
      }),
      fileOf({
        input: [1, 4, 5, 2],
        constants: {
          w: [[2, 2, 2, 2], Array.from({ length: 16 }, (_, i) => i - 7), 'int8'],
          s: [[2], [0.5, 0.25]],
          one: [[], [0.5]],
          z: [[], [3], 'uint8'],
          from: [[2], [1, 0], 'int64'],
          to: [[2], [9, 2], 'int64'],
          axes: [[2], [2, 3], 'int64'],
          h: [[2, 1, 1], [1, -1], 'float16'],
        },
        nodes: [
          ['QuantizeLinear', ['x', 'one', 'z']],
          ['DequantizeLinear', ['n0', 'one', 'z']],
          ['Transpose', ['n1'], { perm: [0, 3, 1, 2] }],
          ['DequantizeLinear', ['w', 's'], { axis: 0 }],
          ['Conv', ['n2', 'n3'], { pads: [1, 0, 0, 1] }],
          ['Mul', ['n4', 'h']],
          ['Slice', ['n5', 'from', 'to', 'axes']],
          ['LeakyRelu', ['n6'], { alpha: { float: 0.25 } }],
          ['Max', ['n7', 'one']],
          ['Transpose', ['n8'], { perm: [0, 2, 3, 1] }],
        ],
        annotations: { x: { tensor_layout: "['N', 'H', 'W', 'C']", finn_datatype: 'UINT8' } },
        outputs: ['n9', 'n6'],
        metadata: { key: 'value' },
      }),
    ] as const;
    const make = (round: number) => {
      const random = (stream: number, below: number) => Math.floor(below * uniform01(round, stream, 0));
      const source = sources[round % 6 === 5 ? 2 : round & 1] ?? sources[0];
      const bytes = source.slice(0, round % 5 === 0 ? 1 + random(0, source.length) : source.length);
      for (let change = 1; change <= 1 + (round % 4); change++) {
        bytes[random(2 * change, bytes.length)] = random(2 * change + 1, 256);
      }
      return bytes;
    };
    const held = HELD.onnx(Math.min(...sources.map(({ length }) => length)));
    const { refused } = attack(100_000, make, importOnnx, { allocation: held, held });
    expect(refused).toBeGreaterThan(10_000);
  });
});
