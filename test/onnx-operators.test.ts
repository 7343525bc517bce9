/** Every ONNX operator that is read, against float64 evaluators: this repository's own, and ONNX Runtime's. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { importOnnx } from '../src/formats/onnx.ts';
import { Network } from '../src/graph/index.ts';
import { normal, uniform01 } from '../src/numerics/random.ts';
import { expectClose, useGpu } from './helpers/gpu.ts';
import { evaluateOnnx, intoModel, outOfModel } from './helpers/onnx-evaluator.ts';
import { fileOf, type HandMade } from './helpers/onnx-file.ts';

const size = (dims: readonly number[]) => dims.reduce((product, extent) => product * extent, 1);
const reals = (dims: readonly number[], seed: number): readonly [readonly number[], number[]] => [
  dims,
  Array.from({ length: size(dims) }, (_, i) => Math.fround(normal(31, seed, i))),
];
const signs = (dims: readonly number[], seed: number, scale = 1): readonly [readonly number[], number[]] => [
  dims,
  Array.from({ length: size(dims) }, (_, i) => (uniform01(32, seed, i) < 0.5 ? -scale : scale)),
];
const positives = (dims: readonly number[], seed: number): readonly [readonly number[], number[]] => [
  dims,
  reals(dims, seed)[1].map((v) => Math.fround(Math.abs(v) + 0.5)),
];
const ints = (...values: number[]) => [[values.length], values, 'int64'] as const;
const scalar = (value: number) => [[], [value]] as const;

const IMAGE = [1, 3, 5, 6] as const;
type Case = readonly [
  name: string,
  constants: HandMade['constants'],
  nodes: HandMade['nodes'],
  input?: readonly number[],
];

/** Operators that ONNX defines: ONNX Runtime evaluates them too. */
const STANDARD: readonly Case[] = [
  ...['Sigmoid', 'Tanh', 'LeakyRelu', 'Selu', 'Neg'].map(
    (operator): Case => [operator, {}, [[operator, ['x']]]],
  ),
  [
    'Sum, Max and Min of values and numbers',
    { c: scalar(0.25) },
    [
      ['Neg', ['x']],
      ['Sum', ['x', 'n0', 'x', 'c']],
      ['Max', ['n1', 'c']],
      ['Min', ['n2', 'x']],
    ],
  ],
  [
    'Slice, backwards too',
    { s: ints(-1, 1), e: ints(-9, 5), a: ints(2, 3), t: ints(-1, 2) },
    [['Slice', ['x', 's', 'e', 'a', 't']]],
  ],
  [
    'a constant for every value',
    { c: reals([3, 5, 6], 60), d: reals([5, 6], 61) },
    [
      ['Mul', ['x', 'c']],
      ['Sub', ['d', 'n0']],
    ],
  ],
  [
    'QuantizeLinear and DequantizeLinear with zero points, weights in eight bits',
    {
      s: scalar(0.125),
      z: [[], [7], 'uint8'],
      w: [[2, 3, 2, 2], Array.from({ length: 24 }, (_, i) => ((i * 37) % 200) - 100), 'int8'],
      ws: [[2], [0.5, 0.25]],
      wz: [[2], [0, 0], 'int8'],
      ys: scalar(2),
      yz: [[], [-3], 'int8'],
    },
    [
      ['QuantizeLinear', ['x', 's', 'z']],
      ['DequantizeLinear', ['n0', 's', 'z']],
      ['DequantizeLinear', ['w', 'ws', 'wz'], { axis: 0 }],
      ['Conv', ['n1', 'n2'], { pads: [1, 0, 0, 1] }],
      ['QuantizeLinear', ['n3', 'ys', 'yz']],
      ['DequantizeLinear', ['n4', 'ys', 'yz']],
    ],
  ],
  [
    'a convolution and a pool of sequences',
    { w: reals([4, 3, 3], 62), b: reals([4], 63) },
    [
      ['Conv', ['x', 'w', 'b'], { pads: [1, 2], strides: [2], dilations: [2] }],
      ['AveragePool', ['n0'], { kernel_shape: [2], pads: [1, 0] }],
      ['GlobalAveragePool', ['n1']],
    ],
    [1, 3, 11],
  ],
  [
    'channels last at both ends, and a mean over height and width',
    { w: reals([4, 3, 2, 2], 64), p: ints(0, 1, 0, 0, 0, 2, 1, 0) },
    [
      ['Pad', ['x', 'p']],
      ['Transpose', ['n0'], { perm: [0, 3, 1, 2] }],
      ['Conv', ['n1', 'w']],
      ['Transpose', ['n2'], { perm: [0, 2, 3, 1] }],
      ['ReduceMean', ['n3'], { axes: [1, 2] }],
    ],
    [1, 5, 6, 3],
  ],
  ...['GreaterOrEqual', 'Greater', 'LessOrEqual', 'Less'].flatMap((operator): Case[] => [
    [
      `signs by ${operator}, as numbers`,
      // Some of the limits are values of the input.
      {
        c: [
          [3, 1, 1],
          [0, 0.25, -0.5],
        ],
        two: scalar(2),
        one: scalar(1),
      },
      [
        [operator, ['x', 'c']],
        ['Cast', ['n0'], { to: 1 }],
        ['Mul', ['n1', 'two']],
        ['Sub', ['n2', 'one']],
      ],
    ],
    [
      `${operator} of a constant and a value with a scale`,
      {
        s: [
          [3, 1, 1],
          [2, -1, 0.5],
        ],
        t: scalar(0.125),
        c: scalar(0.25),
        a: reals([3, 1, 1], 41),
        b: scalar(-1),
      },
      [
        ['Mul', ['x', 's']],
        ['Add', ['n0', 't']],
        [operator, ['c', 'n1']],
        ['Not', ['n2']],
        ['Where', ['n3', 'a', 'b']],
      ],
    ],
  ]),
  ['Conv with bias', { w: reals([4, 3, 3, 2], 1), b: reals([4], 2) }, [['Conv', ['x', 'w', 'b']]]],
  [
    'Conv with strides, dilations and uneven pads',
    { w: reals([4, 3, 2, 3], 3) },
    [['Conv', ['x', 'w'], { strides: [2, 1], dilations: [1, 2], pads: [1, 2, 0, 1] }]],
  ],
  ['Conv in groups', { w: reals([6, 1, 3, 3], 4) }, [['Conv', ['x', 'w'], { group: 3, pads: [1, 1, 1, 1] }]]],
  [
    'Conv with SAME_UPPER',
    { w: reals([2, 3, 2, 3], 5) },
    [['Conv', ['x', 'w'], { auto_pad: 'SAME_UPPER', strides: [2, 1] }]],
  ],
  [
    'Conv with SAME_LOWER',
    { w: reals([2, 3, 2, 4], 6) },
    [['Conv', ['x', 'w'], { auto_pad: 'SAME_LOWER', strides: [1, 2] }]],
  ],
  ['Conv with VALID', { w: reals([2, 3, 2, 2], 7) }, [['Conv', ['x', 'w'], { auto_pad: 'VALID' }]]],
  [
    'Conv after a shift, padded with real zeros',
    { w: reals([4, 3, 3, 3], 8), s: reals([3, 1, 1], 9), t: reals([3, 1, 1], 10) },
    [
      ['Mul', ['x', 's']],
      ['Add', ['n0', 't']],
      ['Conv', ['n1', 'w'], { pads: [1, 1, 1, 1] }],
    ],
  ],
  [
    'Conv with weights of one magnitude a filter on scaled channels',
    { w: signs([4, 3, 3, 3], 11, 0.25), s: reals([1, 3, 1, 1], 12) },
    [
      ['Mul', ['x', 's']],
      ['Conv', ['n0', 'w'], { pads: [0, 1, 1, 0] }],
    ],
  ],
  [
    'Pad with a number, then Conv with pads',
    { p: ints(0, 0, 1, 2, 0, 0, 0, 1), v: scalar(1), w: reals([2, 3, 3, 3], 13) },
    [
      ['Pad', ['x', 'p', 'v']],
      ['Conv', ['n0', 'w'], { pads: [1, 1, 1, 1] }],
    ],
  ],
  ['Pad alone', { p: ints(0, 0, 1, 2, 0, 0, 0, 1), v: scalar(-2.5) }, [['Pad', ['x', 'p', 'v']]]],
  [
    'Pad after scales that differ',
    { s: reals([3, 1, 1], 14), t: reals([3, 1, 1], 15), p: ints(0, 0, 0, 1, 0, 0, 2, 0), v: scalar(3) },
    [
      ['Mul', ['x', 's']],
      ['Add', ['n0', 't']],
      ['Pad', ['n1', 'p', 'v']],
    ],
  ],
  ['MaxPool', {}, [['MaxPool', ['x'], { kernel_shape: [2, 3], strides: [2, 1], pads: [1, 0, 0, 2] }]]],
  [
    'MaxPool with ceil_mode',
    {},
    [['MaxPool', ['x'], { kernel_shape: [2, 4], strides: [2, 4], ceil_mode: 1 }]],
  ],
  [
    'MaxPool after a negative scale',
    { s: reals([3, 1, 1], 16) },
    [
      ['Mul', ['x', 's']],
      ['MaxPool', ['n0'], { kernel_shape: [2, 2], strides: [1, 1] }],
    ],
  ],
  [
    'AveragePool without its padding',
    {},
    [['AveragePool', ['x'], { kernel_shape: [3, 2], pads: [1, 1, 1, 0], strides: [1, 2] }]],
  ],
  [
    'AveragePool with its padding, after a shift',
    { t: reals([3, 1, 1], 17) },
    [
      ['Add', ['x', 't']],
      [
        'AveragePool',
        ['n0'],
        { kernel_shape: [3, 2], pads: [1, 1, 1, 0], strides: [1, 2], count_include_pad: 1 },
      ],
    ],
  ],
  [
    'AveragePool with SAME_UPPER',
    {},
    [['AveragePool', ['x'], { kernel_shape: [2, 2], auto_pad: 'SAME_UPPER', strides: [2, 2] }]],
  ],
  [
    'GlobalAveragePool, Flatten, Gemm',
    { w: reals([2, 3], 18), b: reals([2], 19) },
    [
      ['GlobalAveragePool', ['x']],
      ['Flatten', ['n0']],
      ['Gemm', ['n1', 'w', 'b'], { transB: 1, alpha: { float: 0.5 }, beta: { float: 2 } }],
    ],
  ],
  ['ReduceMean over the image', {}, [['ReduceMean', ['x'], { axes: [2, 3], keepdims: 0 }]]],
  ['Flatten alone', {}, [['Flatten', ['x']]]],
  [
    'Flatten of an image, arithmetic, MatMul',
    { c: reals([90], 20), w: reals([90, 2], 21) },
    [
      ['Flatten', ['x']],
      ['Mul', ['n0', 'c']],
      ['MatMul', ['n1', 'w']],
    ],
  ],
  [
    'Reshape that only looks at the same values otherwise',
    { a: ints(1, 3, 30), b: ints(0, -1, 5, 6), w: reals([2, 3, 1, 1], 22) },
    [
      ['Reshape', ['x', 'a']],
      ['Reshape', ['n0', 'b']],
      ['Conv', ['n1', 'w']],
    ],
  ],
  [
    'Reshape of features to an image',
    { a: ints(1, 3, 2, 2), w: reals([2, 3, 2, 1], 23) },
    [
      ['Reshape', ['x', 'a']],
      ['Conv', ['n0', 'w']],
    ],
    [1, 12],
  ],
  [
    'Transpose there and back, with a constant by the last axis between',
    { c: reals([3], 24) },
    [
      ['Transpose', ['x'], { perm: [0, 2, 3, 1] }],
      ['Mul', ['n0', 'c']],
      ['Transpose', ['n1'], { perm: [0, 3, 1, 2] }],
    ],
  ],
  ['Transpose of height and width', {}, [['Transpose', ['x'], { perm: [0, 1, 3, 2] }]]],
  [
    'MatMul over the last axis of an image',
    { w: reals([3, 4], 25) },
    [
      ['Transpose', ['x'], { perm: [0, 2, 3, 1] }],
      ['MatMul', ['n0', 'w']],
    ],
  ],
  ['a constant that varies along the width', { c: reals([6], 26) }, [['Add', ['x', 'c']]]],
  [
    'Squeeze and Unsqueeze',
    { w: reals([3, 2], 27), last: ints(2, 3) },
    [
      ['GlobalAveragePool', ['x']],
      ['Squeeze', ['n0', 'last']],
      ['MatMul', ['n1', 'w']],
      ['Unsqueeze', ['n2', 'last']],
    ],
  ],
  ['Relu', {}, [['Relu', ['x']]]],
  [
    'Relu after a scale by channel',
    { s: positives([3, 1, 1], 28), t: reals([1, 3, 1, 1], 29) },
    [
      ['Mul', ['x', 's']],
      ['Relu', ['n0']],
      ['Add', ['n1', 't']],
      ['Relu', ['n2']],
    ],
  ],
  ['PRelu by channel', { a: reals([3, 1, 1], 30) }, [['PRelu', ['x', 'a']]]],
  [
    'PRelu of one slope after a scale',
    { s: scalar(-2), a: scalar(0.25) },
    [
      ['Mul', ['x', 's']],
      ['PRelu', ['n0', 'a']],
    ],
  ],
  ['Clip', { low: scalar(-0.5), high: scalar(1) }, [['Clip', ['x', 'low', 'high']]]],
  ['Clip without a minimum', { high: scalar(0.25) }, [['Clip', ['x', '', 'high']]]],
  [
    'Softmax of scores',
    { s: scalar(3) },
    [
      ['Mul', ['x', 's']],
      ['Softmax', ['n0']],
    ],
    [1, 7],
  ],
  ['Softmax over channels', {}, [['Softmax', ['x'], { axis: 1 }]]],
  ['Softmax over the width', {}, [['Softmax', ['x'], { axis: -1 }]]],
  [
    'BatchNormalization of an image',
    { g: reals([3], 31), b: reals([3], 32), m: reals([3], 33), v: positives([3], 34) },
    [['BatchNormalization', ['x', 'g', 'b', 'm', 'v'], { epsilon: { float: 0.01 } }]],
  ],
  [
    'BatchNormalization of a flat image',
    { g: reals([90], 35), b: reals([90], 36), m: reals([90], 37), v: positives([90], 38) },
    [
      ['Flatten', ['x']],
      ['BatchNormalization', ['n0', 'g', 'b', 'm', 'v']],
    ],
  ],
  [
    'Add, Sub, Mul and Div of two values',
    { w: reals([3, 3, 1, 1], 39), s: reals([3, 1, 1], 40), one: scalar(4) },
    [
      ['Conv', ['x', 'w']],
      ['Mul', ['n0', 's']],
      ['Add', ['n1', 'x']],
      ['Mul', ['n2', 'x']],
      ['Sub', ['n3', 'n0']],
      ['Mul', ['x', 'x']],
      ['Add', ['n5', 'one']],
      ['Div', ['n4', 'n6']],
    ],
  ],
  [
    'a value a channel times an image (squeeze and excitation)',
    { w: reals([3, 3, 1, 1], 41) },
    [
      ['GlobalAveragePool', ['x']],
      ['Conv', ['n0', 'w']],
      ['Mul', ['x', 'n1']],
    ],
  ],
  [
    'Pow',
    { two: scalar(2), three: scalar(3) },
    [
      ['Pow', ['x', 'two']],
      ['Pow', ['x', 'three']],
      ['Add', ['n0', 'n1']],
    ],
  ],
  [
    'Concat along channels, of scaled values',
    { s: reals([3, 1, 1], 42), w: reals([2, 3, 1, 1], 43), v: reals([1, 8, 1, 1], 44) },
    [
      ['Mul', ['x', 's']],
      ['Conv', ['x', 'w']],
      ['Concat', ['n0', 'n1', 'x'], { axis: 1 }],
      ['Conv', ['n2', 'v']],
    ],
  ],
  [
    'Concat along the height',
    { s: reals([3, 1, 1], 45) },
    [
      ['Mul', ['x', 's']],
      ['Concat', ['x', 'n0'], { axis: 2 }],
    ],
  ],
  [
    'the pattern that exporters flatten with',
    { zero: [[], [0], 'int64'], axes: ints(0), rest: ints(-1), w: reals([90, 2], 46) },
    [
      ['Shape', ['x']],
      ['Gather', ['n0', 'zero']],
      ['Unsqueeze', ['n1', 'axes']],
      ['Concat', ['n2', 'rest'], { axis: 0 }],
      ['Reshape', ['x', 'n3']],
      ['MatMul', ['n4', 'w']],
      ['Identity', ['n5']],
      ['Cast', ['n6'], { to: 1 }],
      ['Dropout', ['n7']],
    ],
  ],
];

const quant = (bits: number) => ({ s: scalar(0.5), z: scalar(0), bits: scalar(bits) });

/** Operators of QONNX and FINN. */
const CUSTOM: readonly Case[] = [
  [
    'BipolarQuant of values and weights in a Conv that pads with zeros',
    { s: scalar(0.5), w: reals([5, 3, 3, 3], 50), a: positives([5, 1, 1, 1], 51) },
    [
      ['BipolarQuant', ['w', 'a']],
      ['BipolarQuant', ['x', 's']],
      ['Conv', ['n1', 'n0'], { pads: [1, 1, 1, 1] }],
    ],
  ],
  [
    'BipolarQuant with a scale a channel, negative ones too',
    { s: reals([3, 1, 1], 52), w: signs([4, 3, 2, 2], 53) },
    [
      ['BipolarQuant', ['x', 's']],
      ['Conv', ['n0', 'w']],
    ],
  ],
  [
    'signs padded with −1 by zeros of {0, 1}, and a threshold after batch normalization',
    {
      t: reals([3, 1], 54),
      w: signs([6, 3, 3, 3], 55),
      g: reals([6], 56),
      b: reals([6], 57),
      m: reals([6], 58),
      v: positives([6], 59),
    },
    [
      ['MultiThreshold', ['x', 't']],
      ['Conv', ['n0', 'w'], { pads: [1, 1, 1, 1] }],
      ['BatchNormalization', ['n1', 'g', 'b', 'm', 'v']],
      ['Sign', ['n2']],
    ],
  ],
  [
    'signs padded with +1 by Pad',
    { s: scalar(1), p: ints(0, 0, 1, 1, 0, 0, 1, 1), one: scalar(1), w: signs([4, 3, 3, 3], 60) },
    [
      ['BipolarQuant', ['x', 's']],
      ['Pad', ['n0', 'p', 'one']],
      ['Conv', ['n1', 'w']],
    ],
  ],
  [
    'MultiThreshold of several levels, a scale and a bias, after negative scales',
    { s: reals([3, 1, 1], 61), t: reals([3, 7], 62) },
    [
      ['Mul', ['x', 's']],
      ['MultiThreshold', ['n0', 't'], { out_scale: { float: 0.5 }, out_bias: { float: -2 } }],
    ],
  ],
  [
    'MultiThreshold with the channels last, of one row for all',
    { t: reals([1, 3], 63), u: reals([3, 3], 64) },
    [
      ['Transpose', ['x'], { perm: [0, 2, 3, 1] }],
      ['MultiThreshold', ['n0', 't'], { data_layout: 'NHWC' }],
      ['MultiThreshold', ['n1', 'u'], { data_layout: 'NHWC' }],
      ['Transpose', ['n2'], { perm: [0, 3, 1, 2] }],
    ],
  ],
  [
    'MultiThreshold of sums of integers, right at its thresholds',
    {
      s: scalar(1),
      w: signs([4, 3, 2, 2], 65, 0.1),
      t: [[4, 3], Array.from({ length: 12 }, (_, i) => (2 * (i % 7) - 6) * 0.1)],
    },
    [
      ['BipolarQuant', ['x', 's']],
      ['Conv', ['n0', 'w']],
      ['MultiThreshold', ['n1', 't']],
    ],
  ],
  [
    'XnorPopcountMatMul',
    { t: reals([12, 1], 66), w: [[12, 5], signs([12, 5], 67)[1].map((v) => (v + 1) / 2)] },
    [
      ['MultiThreshold', ['x', 't']],
      ['XnorPopcountMatMul', ['n0', 'w']],
    ],
    [1, 12],
  ],
  ...['ROUND', 'FLOOR', 'CEIL', 'ROUND_TO_ZERO', 'UP', 'HALF_UP', 'HALF_DOWN'].map(
    (mode, index): Case => [
      `Quant with ${mode}`,
      quant(2 + (index % 3)),
      [['Quant', ['x', 's', 'z', 'bits'], { signed: index % 2, narrow: index & 1, rounding_mode: mode }]],
    ],
  ),
  [
    'Quant with a scale and a zero point a channel, after a scale',
    {
      k: scalar(3),
      s: positives([1, 3, 1, 1], 68),
      z: [
        [1, 3, 1, 1],
        [1, 0, 2],
      ],
      bits: scalar(4),
    },
    [
      ['Mul', ['x', 'k']],
      ['Quant', ['n0', 's', 'z', 'bits'], { signed: 0 }],
    ],
  ],
  [
    'Quant of one signed bit is bipolar',
    { s: scalar(0.5), z: scalar(0), bits: scalar(1), w: reals([4, 3, 2, 2], 69) },
    [
      ['Quant', ['w', 's', 'z', 'bits']],
      ['Quant', ['x', 's', 'z', 'bits']],
      ['Conv', ['n1', 'n0'], { pads: [1, 0, 0, 1] }],
    ],
  ],
  [
    'Quant of weights and values to four bits, twice the same, then a threshold',
    {
      ...quant(4),
      ws: scalar(0.125),
      w: reals([4, 3, 3, 3], 70),
      t: [
        [4, 1],
        [0.25, -0.5, 1, 0],
      ],
    },
    [
      ['Quant', ['w', 'ws', 'z', 'bits'], { narrow: 1 }],
      ['Quant', ['x', 's', 'z', 'bits']],
      ['Quant', ['n1', 's', 'z', 'bits']],
      ['Conv', ['n2', 'n0'], { pads: [1, 1, 1, 1] }],
      ['MultiThreshold', ['n3', 't']],
    ],
  ],
];

const pixels = fc.integer({ min: 0, max: 2 });
const pair = fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 }));
const PLACEMENT = fc.oneof(
  fc.tuple(pixels, pixels, pixels, pixels).map((pads) => ({ pads })),
  fc.constantFrom('SAME_UPPER', 'SAME_LOWER', 'VALID').map((rule) => ({ auto_pad: rule })),
);

/** Drawn combinations of attributes, on signs and on reals. */
const DRAWN: readonly Case[] = [
  ...fc
    .sample(
      fc.record({
        placement: PLACEMENT,
        kernel: pair,
        strides: pair,
        dilations: fc.tuple(fc.integer({ min: 1, max: 2 }), fc.integer({ min: 1, max: 2 })),
        group: fc.constantFrom(1, 2, 4),
        isBinary: fc.boolean(),
      }),
      { seed: 3, numRuns: 10 },
    )
    .map(({ placement, kernel, strides, dilations, group, isBinary }, index): Case => {
      const attributes = { ...placement, strides, dilations, group };
      const dims = [4, 4 / group, ...kernel];
      const nodes: HandMade['nodes'] = isBinary
        ? [
            ['BipolarQuant', ['x', 's']],
            ['Conv', ['n0', 'w'], attributes],
          ]
        : [['Conv', ['x', 'w'], attributes]];
      const w = isBinary ? signs(dims, 80 + index, 0.5) : reals(dims, 80 + index);
      const name = `Conv${isBinary ? ' of signs' : ''} ${JSON.stringify({ kernel, ...attributes })}`;
      return [name, { w, ...(isBinary ? { s: scalar(2) } : {}) }, nodes, [1, 4, 7, 6]];
    }),
  ...fc
    .sample(
      fc.record({
        operator: fc.constantFrom('MaxPool', 'AveragePool'),
        strides: pair,
        pads: fc.tuple(pixels, pixels, pixels, pixels),
        ceil_mode: fc.constantFrom(0, 1),
      }),
      { seed: 4, numRuns: 8 },
    )
    .map(({ operator, strides, pads, ceil_mode }): Case => {
      const attributes = { kernel_shape: [3, 3], strides, pads, ceil_mode };
      return [`${operator} ${JSON.stringify(attributes)}`, {}, [[operator, ['x'], attributes]], [1, 2, 7, 8]];
    }),
];

/** Random, on eighths where something rounds or compares. */
function inputFor(dims: readonly number[], seed: number, inEighths: boolean): Float32Array<ArrayBuffer> {
  const step = inEighths ? 8 : 2 ** 16;
  return Float32Array.from({ length: size(dims) }, (_, i) => Math.round(normal(33, seed, i) * step) / step);
}

describe('operators against float64', () => {
  const gpu = useGpu();

  /** Scores in the file's own order. */
  async function ours(file: Uint8Array, dims: readonly number[], x: Float32Array): Promise<Float32Array> {
    const { model, values, inputs, outputs } = importOnnx(file);
    using network = await Network.create(gpu(), model, { values });
    const [, ...rest] = dims;
    const given = intoModel(inputs[0], { dims: [1, ...rest], data: Float64Array.from(x) });
    return outOfModel(outputs[0], await network.predict(Float32Array.from(given)));
  }

  test('the output of a binary network that ONNX would call 0 is +1, and said to be', () => {
    const { folded } = importOnnx(fileOf({ input: [1, 2], constants: {}, nodes: [['Sign', ['x']]] }));
    expect(folded).toEqual(['node0 (0 counts as +1)']);
  });

  for (const [name, constants, nodes, input = IMAGE] of [...STANDARD, ...CUSTOM, ...DRAWN]) {
    test(name, async () => {
      const file = fileOf({ input, constants, nodes, single: true });
      const compares = nodes.some(([operator]) => /Quant|Sign|Threshold|Greater|Less/.test(operator));
      const x = inputFor(input, 1, compares);
      expectClose(await ours(file, input, x), evaluateOnnx(file, x).data, 2e-5, 'scores');
    });
  }
});

test('ONNX Runtime agrees with this float64 evaluator on every standard operator', async () => {
  const ort = await import('onnxruntime-web');
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = 'error';
  for (const [name, constants, nodes, input = IMAGE] of STANDARD) {
    const x = inputFor(input, 2, false);
    const expected = evaluateOnnx(fileOf({ input, constants, nodes, single: true }), x);
    const file = fileOf({ input, constants, nodes, single: true, output: expected.dims });
    const session = await ort.InferenceSession.create(file, { executionProviders: ['wasm'] });
    const { data, dims } = Object.values(
      await session.run({ x: new ort.Tensor('float32', x, input) }),
    )[0] ?? {
      data: [],
      dims: [],
    };
    expect(dims, name).toEqual(expected.dims);
    expectClose(Float32Array.from(data as Float32Array), expected.data, 2e-5, name);
    await session.release();
  }
});
