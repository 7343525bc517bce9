import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { OptionError, ShapeError } from '../src/errors.ts';
import { ProgramBuilder, sizeOf, type Tensor } from '../src/gpu/index.ts';
import { Network, sequential } from '../src/graph/index.ts';
import { maxPool2d as maxPool2dLayer, sign, signPool2d as signPool2dLayer } from '../src/layers/index.ts';
import { packSigns } from '../src/numerics/pack.ts';
import {
  averagePool2d,
  averagePool2dGrad,
  globalAveragePool2d,
  globalAveragePool2dGrad,
  maxPool2d,
  maxPool2dGrad,
  type Pool2dOptions,
  resolvePool2d,
  signPool2d,
} from '../src/ops/pool.ts';
import * as reference from '../src/reference/pool.ts';
import { expectClose, expectSame, Scratch, useGpu } from './helpers/gpu.ts';

interface Case extends Pool2dOptions {
  readonly input: readonly [n: number, h: number, w: number, c: number];
}

function nameOf({ input, poolSize, strides, padding }: Case): string {
  const pair = (value: Pool2dOptions['strides']) =>
    typeof value === 'object' ? value.join('x') : `${value ?? 'pool'}`;
  const pad = typeof padding === 'object' ? `pad${padding.flat().join('-')}` : (padding ?? 'valid');
  return `I${input.join('x')}_P${pair(poolSize)}_S${pair(strides)}_${pad}`;
}

/** Small integers, so that maxima tie often. */
function integers(count: number, seed: number): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: count }, (_, i) => {
    const h = Math.imul(i + 1, 0x9e3779b1) ^ Math.imul(seed + 1, 0x85ebca6b);
    return (Math.imul(h ^ (h >>> 15), 0x2c1b3c6d) >>> 29) - 4;
  });
}

describe('pooling', () => {
  const gpu = useGpu();

  const named: Case[] = [
    { input: [2, 4, 4, 3], poolSize: 2 },
    { input: [1, 7, 7, 5], poolSize: 3, strides: 2 },
    { input: [1, 7, 7, 5], poolSize: 3, strides: 2, padding: 'same' },
    { input: [1, 5, 6, 2], poolSize: 3, strides: 1, padding: 'same' },
    { input: [1, 9, 9, 1], poolSize: 2, strides: 4 },
    {
      input: [1, 4, 5, 64],
      poolSize: [1, 3],
      strides: [2, 1],
      padding: [
        [0, 0],
        [2, 1],
      ],
    },
  ];
  const axis = (least: number, most: number) => fc.integer({ min: least, max: most });
  const arbitrary = fc
    .record({
      input: fc.tuple(axis(1, 4), axis(1, 9), axis(1, 9), axis(1, 9)),
      poolSize: fc.tuple(axis(1, 4), axis(1, 4)),
      strides: fc.option(fc.tuple(axis(1, 5), axis(1, 5)), { nil: undefined }),
      padding: fc.oneof(
        fc.constantFrom('valid' as const, 'same' as const),
        fc.tuple(fc.tuple(axis(0, 2), axis(0, 2)), fc.tuple(axis(0, 2), axis(0, 2))),
      ),
    })
    .filter((shape) => {
      try {
        resolvePool2d(shape.input, shape);
        return true;
      } catch {
        return false;
      }
    });
  const random = fc.sample(arbitrary, { seed: 5, numRuns: 80 });

  for (const [title, cases] of [
    ...named.map((shape) => [nameOf(shape), [shape]] as const),
    ['80 random geometries', random] as const,
  ]) {
    test(title, async () => {
      using scratch = new Scratch(gpu());
      const b = new ProgramBuilder(gpu(), 'pool');
      const checks: { name: string; out: Tensor; expected: ArrayLike<number> }[] = [];
      cases.forEach((shape, i) => {
        const geometry = resolvePool2d(shape.input, shape);
        const values = integers(sizeOf(shape.input), 3 * i);
        const gradient = integers(sizeOf(geometry.outputShape), 3 * i + 1);
        const x = scratch.tensor('x', shape.input, 'f32', values);
        const g = scratch.tensor('g', geometry.outputShape, 'f32', gradient);
        const check = (name: string, out: Tensor, expected: ArrayLike<number>) =>
          checks.push({ name: `${name} ${nameOf(shape)}`, out: b.keep(out), expected });
        check('max', maxPool2d(b, x, shape), reference.maxPool2d(values, geometry));
        check('max grad', maxPool2dGrad(b, g, x, shape), reference.maxPool2dGrad(gradient, values, geometry));
        check('average', averagePool2d(b, x, shape), reference.averagePool2d(values, geometry));
        check(
          'average grad',
          averagePool2dGrad(b, g, x, shape),
          reference.averagePool2dGrad(gradient, geometry),
        );
      });
      using program = await b.compile();
      await gpu().scoped('pool', () => program.run());
      for (const { name, out, expected } of checks) expectClose(await gpu().read(out), expected, 1e-5, name);
    });
  }

  for (const shape of [
    [1, 1, 1, 1],
    [3, 4, 5, 7],
    [2, 8, 8, 64],
  ] as const) {
    test(`global average I${shape.join('x')}`, async () => {
      const [n, h, w, c] = shape;
      const geometry = reference.wholeImage(n, h, w, c);
      const values = integers(sizeOf(shape), 1);
      const gradient = integers(shape[0] * shape[3], 2);
      using scratch = new Scratch(gpu());
      const x = scratch.tensor('x', shape, 'f32', values);
      const g = scratch.tensor('g', [shape[0], shape[3]], 'f32', gradient);
      const b = new ProgramBuilder(gpu(), 'pool');
      const mean = b.keep(globalAveragePool2d(b, x));
      const back = b.keep(globalAveragePool2dGrad(b, g, x));
      using program = await b.compile();
      await gpu().scoped('pool', () => program.run());
      expectClose(await gpu().read(mean), reference.averagePool2d(values, geometry), 1e-5, 'mean');
      expectClose(await gpu().read(back), reference.averagePool2dGrad(gradient, geometry), 1e-5, 'gradient');
    });
  }

  test('the first of equal maxima takes the gradient', () => {
    const geometry = resolvePool2d([1, 2, 2, 1], { poolSize: 2 });
    expect([...reference.maxPool2dGrad([5], [1, 3, 3, 3], geometry)]).toEqual([0, 5, 0, 0]);
  });

  test('the gradients are those of the forward pass', () => {
    const geometry = resolvePool2d([1, 5, 5, 2], { poolSize: 3, strides: 2, padding: 'same' });
    // Distinct values, further apart than the step, so that no maximum changes hands.
    const x = Float64Array.from({ length: 50 }, (_, i) => ((i * 17) % 50) / 10);
    const g = Float64Array.from(integers(18, 4));
    for (const [pool, gradient] of [
      [reference.maxPool2d, reference.maxPool2dGrad(g, x, geometry)],
      [reference.averagePool2d, reference.averagePool2dGrad(g, geometry)],
    ] as const) {
      const loss = () => pool(x, geometry).reduce((sum, out, i) => sum + out * (g[i] ?? 0), 0);
      const differences = x.map((value, i) => {
        x[i] = value + 0.01;
        const up = loss();
        x[i] = value - 0.01;
        const down = loss();
        x[i] = value;
        return (up - down) / 0.02;
      });
      expectClose(gradient, differences, 1e-9);
    }
  });

  test('what pooling refuses', () => {
    expect(() => resolvePool2d([4, 4, 1], { poolSize: 2 })).toThrow(ShapeError);
    expect(() => resolvePool2d([1, 4, 4, 1], { poolSize: 5 })).toThrow(ShapeError);
    expect(() => resolvePool2d([1, 4, 4, 1], { poolSize: 0 })).toThrow(OptionError);
    expect(() =>
      resolvePool2d([1, 4, 4, 1], {
        poolSize: 2,
        padding: [
          [2, 0],
          [0, 0],
        ],
      }),
    ).toThrow(OptionError);
    expect(() =>
      resolvePool2d([1, 4, 4, 1], {
        poolSize: 2,
        padding: [
          [0, 2],
          [0, 0],
        ],
      }),
    ).toThrow(OptionError);
  });
});

describe('pooling of signs', () => {
  const gpu = useGpu();

  test("Larq Compute Engine's channels, largest and by direction", async () => {
    const cases: Case[] = [];
    for (const channels of [1, 64, 130, 200]) {
      for (const [poolSize, strides, padding] of [
        [2, 2, 'valid'],
        [3, 2, 'same'],
        [[3, 2], [1, 2], 'same'],
      ] as const) {
        cases.push({ input: [2, 7, 6, channels], poolSize, strides, padding });
      }
    }
    cases.push({
      input: [1, 4, 5, 33],
      poolSize: 3,
      strides: 1,
      padding: [
        [1, 2],
        [2, 0],
      ],
    });
    using scratch = new Scratch(gpu());
    const b = new ProgramBuilder(gpu(), 'signs');
    const checks = cases.flatMap((shape, i) => {
      const geometry = resolvePool2d(shape.input, shape);
      const channels = shape.input[3];
      const words = packSigns(integers(sizeOf(shape.input), i), sizeOf(shape.input) / channels, channels);
      const signs = integers(channels, 100 + i);
      const x = scratch.tensor('x', shape.input, 'bits', words);
      const direction = scratch.tensor('direction', [channels], 'bits', packSigns(signs, 1, channels));
      return [
        {
          name: `largest ${nameOf(shape)}`,
          out: b.keep(signPool2d(b, x, shape)),
          expected: reference.signPool2d(words, geometry),
        },
        {
          name: `directed ${nameOf(shape)}`,
          out: b.keep(signPool2d(b, x, { ...shape, direction })),
          expected: reference.signPool2d(words, geometry, signs),
        },
      ];
    });
    using program = await b.compile();
    await gpu().scoped('signs', () => program.run());
    for (const { name, out, expected } of checks) expectSame(await gpu().read(out), expected, name);
  });

  test('the twin: the largest sign is -1 where all are, the smallest where any is', () => {
    const geometry = resolvePool2d([1, 1, 2, 3], { poolSize: [1, 2] });
    const words = packSigns([-1, -1, 1, -1, 1, 1], 2, 3);
    expect([...reference.signPool2d(words, geometry)]).toEqual([0b001]);
    expect([...reference.signPool2d(words, geometry, [-1, -1, 1])]).toEqual([0b011]);
  });

  test('the layers keep signs packed, and agree with pooling of reals', async () => {
    const samples = integers(3 * 5 * 6 * 40, 9);
    const outputs: Float32Array[] = [];
    for (const pool of [maxPool2dLayer, signPool2dLayer]) {
      const source = sequential([sign(), pool({ poolSize: 2 })], { input: [5, 6, 40] });
      using network = await Network.create(gpu(), source);
      outputs.push(await network.predict(samples));
    }
    const geometry = resolvePool2d([3, 5, 6, 40], { poolSize: 2 });
    const expected = reference.maxPool2d(
      samples.map((x) => (x < 0 ? -1 : 1)),
      geometry,
    );
    for (const output of outputs) expectSame(output, expected);
  });

  test('operands that are not right are refused', () => {
    using scratch = new Scratch(gpu());
    const b = new ProgramBuilder(gpu(), 'refused');
    const x = scratch.tensor('x', [1, 4, 4, 40], 'bits');
    const short = scratch.tensor('short', [39], 'bits');
    expect(() => signPool2d(b, x, { poolSize: 2, direction: short })).toThrow(ShapeError);
    expect(() => signPool2d(b, x, { poolSize: 5 })).toThrow(ShapeError);
    expect(() => maxPool2d(b, x, { poolSize: 2 })).toThrow(/element type/);
  });
});
