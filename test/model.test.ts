/** Models as descriptions: graphs, shapes, names, errors, summaries. No GPU. */
import { describe, expect, test } from 'vitest';
import { OptionError, ShapeError } from '../src/errors.ts';
import { apply, input, model, sequential, summarize } from '../src/graph/index.ts';
import {
  add,
  averagePool2d,
  batchNormalization,
  concat,
  conv2d,
  dense,
  dropout,
  flatten,
  globalAveragePool2d,
  maxPool2d,
  quantConv2d,
  quantDense,
  sign,
} from '../src/layers/index.ts';
import { binarynet, cnn, mlp } from '../src/zoo/index.ts';

describe('shape inference', () => {
  test('a chain', () => {
    const chain = sequential(
      [
        quantConv2d({ filters: 8, kernelSize: 3, kernelQuantizer: 'steSign', padding: 'same', strides: 2 }),
        maxPool2d({ poolSize: 2 }),
        sign(),
        flatten(),
        quantDense({ units: 10, kernelQuantizer: 'steSign' }),
      ],
      { input: [9, 9, 3] },
    );
    expect(chain.layers.map(({ outputShape }) => outputShape)).toEqual([
      [5, 5, 8],
      [2, 2, 8],
      [2, 2, 8],
      [32],
      [10],
    ]);
    expect(chain.layers.map(({ name }) => name)).toEqual([
      'quantConv2d_1',
      'maxPool2d_1',
      'sign_1',
      'flatten_1',
      'quantDense_1',
    ]);
  });

  test('branches that join again', () => {
    const x = input([8, 8, 4]);
    const left = apply(conv2d({ filters: 4, kernelSize: 1 }), x);
    const sum = apply(add(), left, x);
    const both = apply(concat(), sum, left);
    const branching = model({ input: x, output: apply(globalAveragePool2d(), both) });
    expect(branching.outputShape).toEqual([8]);
    expect(branching.layers.map(({ inputs }) => inputs)).toEqual([[-1], [0, -1], [1, 0], [2]]);
  });

  test('a very deep chain does not overflow the stack', () => {
    const deep = sequential(
      Array.from({ length: 20_000 }, () => flatten()),
      { input: [4] },
    );
    expect(deep.layers.length).toBe(20_000);
  });

  test.each([
    [
      'dense on an image',
      () => sequential([dense({ units: 3 })], { input: [4, 4, 1] }),
      /dense_1[\s\S]*flatten\(\)/,
    ],
    [
      'a kernel larger than the image',
      () => sequential([conv2d({ name: 'wide', filters: 1, kernelSize: 5 })], { input: [4, 4, 1] }),
      /wide/,
    ],
    [
      'a sum of different shapes',
      () => {
        const x = input([4]);
        return model({ input: x, output: apply(add({ name: 'sum' }), x, apply(dense({ units: 3 }), x)) });
      },
      /sum/,
    ],
    ['one input where two are needed', () => sequential([add({ name: 'lonely' })], { input: [4] }), /lonely/],
  ])('%s is a shape error that names the layer', (_, build, message) => {
    expect(build).toThrow(ShapeError);
    expect(build).toThrow(message);
  });
});

describe('options', () => {
  test.each([
    [
      'an unknown quantizer lists the known ones',
      () => quantDense({ units: 1, kernelQuantizer: 'foo' as 'steSign' }),
      /steSign.*swishSign/,
    ],
    ['units must be positive', () => dense({ units: 0 }), /units = 0/],
    ['filters must be whole', () => conv2d({ filters: 1.5, kernelSize: 1 }), /filters = 1.5/],
    ['a dropout rate is below 1', () => dropout({ rate: 1 }), /dropout/],
    ['a momentum is below 1', () => batchNormalization({ momentum: 1 }), /momentum = 1/],
    [
      'weightClip needs binary weights',
      () =>
        sequential([quantDense({ units: 1, inputQuantizer: 'steSign', kernelConstraint: 'weightClip' })], {
          input: [4],
        }),
      /kernelQuantizer/,
    ],
    [
      'two layers of one name',
      () => sequential([flatten({ name: 'a' }), flatten({ name: 'a' })], { input: [4] }),
      /same name/,
    ],
    [
      'a layer used twice',
      () => {
        const layer = flatten();
        return sequential([layer, layer], { input: [4] });
      },
      /used twice/,
    ],
    [
      "another model's input",
      () => model({ input: input([4]), output: apply(flatten(), input([4])) }),
      /isn't the model's/,
    ],
    ['no layer at all', () => sequential([], { input: [4] }), /at least one/],
  ])('%s', (_, build, message) => {
    expect(build).toThrow(OptionError);
    expect(build).toThrow(message);
  });
});

describe('ready-made models', () => {
  test('binarynet is the network of the paper', () => {
    const paper = binarynet({ input: [32, 32, 3], classes: 10 });
    const { total } = summarize(paper);
    // 14.02 million weights, 1 bit each.
    expect(total.binaryParameters).toBe(14_022_016);
    const fans = paper.layers.flatMap(({ parameters }) => parameters.filter(({ role }) => role === 'binary'));
    expect(fans.slice(0, 6).map(({ fanIn }) => fanIn)).toEqual([27, 1152, 1152, 2304, 2304, 4608]);
    expect(fans.slice(6).map(({ shape }) => shape)).toEqual([
      [1024, 8192],
      [1024, 1024],
      [10, 1024],
    ]);
  });

  test('the summary counts bits, bytes and operations', () => {
    const text = mlp({ input: [28, 28, 1], classes: 10 }).summary();
    expect(text).toMatchInlineSnapshot(`
      "mlp
      -------------------------------------------------------------------------
      layer      output         1-bit  32-bit    bytes  binary MACs  float MACs
      -------------------------------------------------------------------------
      input      28 x 28 x 1
      flatten_1  784                -       -        -            -           -
      dense1     512          401,408       -  50.0 kB            -     401,408
      norm1      512                -   2,048   8.0 kB            -           -
      dense2     512          262,144       -  32.0 kB      262,144           -
      norm2      512                -   2,048   8.0 kB            -           -
      dense3     10             5,120       -    640 B        5,120           -
      norm3      10                 -      40    160 B            -           -
      -------------------------------------------------------------------------
      total                   668,672   4,136  98.8 kB      267,264     401,408"
    `);
    expect(cnn({ input: [28, 28, 1], classes: 10 }).outputShape).toEqual([10]);
  });

  test('averagePool2d is there too', () => {
    expect(sequential([averagePool2d({ poolSize: 2 })], { input: [4, 4, 3] }).outputShape).toEqual([2, 2, 3]);
  });

  test('a product of binary weights with signs of another layer is binary work', () => {
    const { layers } = summarize(
      sequential(
        [
          quantConv2d({ filters: 8, kernelSize: 3, kernelQuantizer: 'steSign' }),
          sign(),
          quantConv2d({ filters: 8, kernelSize: 3, kernelQuantizer: 'steSign' }),
          sign(),
          flatten(),
          quantDense({ units: 4, kernelQuantizer: 'steSign', useBias: true }),
          quantDense({ units: 4, kernelQuantizer: 'steSign' }),
        ],
        { input: [6, 6, 2] },
      ),
    );
    expect(layers.map(({ operations }) => operations)).toEqual([
      { binary: 0, float: 4 * 4 * 8 * 18 },
      { binary: 0, float: 0 },
      { binary: 2 * 2 * 8 * 72, float: 0 },
      { binary: 0, float: 0 },
      { binary: 0, float: 0 },
      { binary: 32 * 4, float: 0 },
      { binary: 0, float: 16 },
    ]);
  });
});
