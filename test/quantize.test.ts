/** Quantizers: every one that there is, and a guest's, against its float64 twin. */
import { describe, expect, test } from 'vitest';
import { OptionError, ShapeError } from '../src/errors.ts';
import { ProgramBuilder, runOnce } from '../src/gpu/index.ts';
import {
  approxSign,
  defineQuantizer,
  QUANTIZERS,
  type Quantizer,
  resolveQuantizer,
  steIdentity,
  steSign,
  swishSign,
} from '../src/methods/index.ts';
import { packSigns } from '../src/numerics/pack.ts';
import { binarize, binarizeGrad } from '../src/ops/quantize.ts';
import { expectClose, expectSame, Scratch, useGpu } from './helpers/gpu.ts';

/** A piecewise polynomial that nobody ships. */
const cubic = defineQuantizer({
  name: 'cubic',
  formula: '(1 - (x / width)²)³ where |x| <= width, else 0',
  source: 'this test',
  parameters: { width: { default: 1, above: 0, says: 'half width of the window' } },
  wgsl: `override WIDTH: f32;
    fn gradient(x: f32) -> f32 {
      let y = max(0.0, 1.0 - x * x / (WIDTH * WIDTH));
      return y * y * y;
    }`,
  gradient: (x, { width }) => Math.max(0, 1 - (x / width) ** 2) ** 3,
});

const quantizers: readonly Quantizer[] = [
  // Those whose gradient changes from step to step have kernels of their own: rules.test.ts.
  ...Object.values(QUANTIZERS)
    .map((make) => (make as () => Quantizer)())
    .filter(({ scalars }) => scalars.length === 0),
  steSign({ clip: 0.5 }),
  swishSign({ beta: 2 }),
  cubic(),
  cubic({ width: 1.5 }),
];
const titleOf = (quantizer: Quantizer) => JSON.stringify(quantizer);

/** Values of every kind that a quantizer distinguishes, the edges of the windows among them. */
const EDGES = [0, -0, 1e-40, -1e-40, 1, -1, 1.0000001, -1.0000001, 0.5, -0.5, 1.5, 3, -30, 1e30, -1e30];

/** `count` values from −2 to 2 with the edges in between. */
function samples(count: number): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: count }, (_, i) =>
    i % 3 === 0 ? (EDGES[(i / 3) % EDGES.length] ?? 0) : 2 * Math.sin(i * 12.9898),
  );
}

describe('twins', () => {
  for (const quantizer of quantizers) {
    test(`${titleOf(quantizer)}: the gradient is the derivative of its surrogate`, () => {
      if (quantizer.surrogate(0) === undefined) return expect(quantizer.definition.surrogate).toBeUndefined();
      const step = 1e-5;
      const at = (x: number) => quantizer.surrogate(x) ?? Number.NaN;
      for (let x = -2.505; x < 2.5; x += 0.01) {
        const slope = (at(x + step) - at(x - step)) / (2 * step);
        expect(Math.abs(quantizer.gradient(x) - slope)).toBeLessThan(1e-7);
      }
    });

    test(`${titleOf(quantizer)}: a window is where the gradient is 1, and 0 outside`, () => {
      const { window } = quantizer;
      if (window === undefined) return expect(quantizer.definition.window).toBeUndefined();
      for (const x of samples(100)) expect(quantizer.gradient(x)).toBe(Math.abs(x) <= window ? 1 : 0);
    });
  }

  test('known values', () => {
    expect(approxSign().gradient(0)).toBe(2);
    expect(approxSign().gradient(-0.75)).toBe(0.5);
    expect(swishSign().gradient(0)).toBe(5);
    expect(swishSign({ beta: 2 }).gradient(0)).toBe(2);
    expect([1, -1, 1.0001].map(steSign().gradient)).toEqual([1, 1, 0]);
    expect([-5, 0, 5].map((x) => Math.round(swishSign().surrogate(x) ?? 9))).toEqual([-1, 0, 1]);
  });
});

describe('binarizing', () => {
  const gpu = useGpu();

  for (const shape of [[1], [4, 31], [3, 32], [2, 33], [2, 3, 5, 64], [100, 512], [7, 100]]) {
    test(`I${shape.join('x')}: signs, and the gates of those with a window`, async () => {
      const channels = shape.at(-1) ?? 1;
      const size = shape.reduce((product, extent) => product * extent, 1);
      const values = samples(size);
      if (size > 3) values[3] = Number.NaN;
      using scratch = new Scratch(gpu());
      const x = scratch.tensor('x', shape, 'f32', values);
      using run = await runOnce(gpu(), 'binarize', (b) =>
        quantizers.map((quantizer) => {
          const { bits, gate } = binarize(b, x, quantizer);
          return { quantizer, bits: b.keep(bits), gate: gate && b.keep(gate) };
        }),
      );
      for (const { quantizer, bits, gate } of run.result) {
        const { window = Number.POSITIVE_INFINITY } = quantizer;
        const signs = packSigns(values, size / channels, channels);
        expectSame(await gpu().readWords(bits), signs, `signs of ${quantizer.name}`);
        expect(gate !== undefined, quantizer.name).toBe(Number.isFinite(window));
        if (gate === undefined) continue;
        // Packing marks what is below zero.
        const passes = values.map((value) => (Math.abs(value) <= window ? -1 : 1));
        expectSame(await gpu().readWords(gate), packSigns(passes, size / channels, channels), 'gate');
      }
    });
  }
});

describe('gradients through quantizers', () => {
  const gpu = useGpu();
  const rows = 9;

  for (const channels of [1, 33, 64, 100]) {
    test(`I${rows}x${channels}`, async () => {
      const values = samples(rows * channels);
      const gradients = values.map((_, i) => Math.cos(i * 78.233));
      using scratch = new Scratch(gpu());
      const x = scratch.tensor('x', [rows, channels], 'f32', values);
      const g = scratch.tensor('g', [rows, channels], 'f32', gradients);
      using run = await runOnce(gpu(), 'gradients', (b) =>
        quantizers.flatMap((quantizer) => {
          const { gate } = binarize(b, x, quantizer);
          const ways = [
            binarizeGrad(b, g, { quantizer, x }),
            ...(gate ? [binarizeGrad(b, g, { quantizer, gate })] : []),
          ];
          return ways.map((out) => ({ quantizer, out: out === g ? g : b.keep(out) }));
        }),
      );
      expect(run.result.length).toBeGreaterThan(quantizers.length);
      for (const { quantizer, out } of run.result) {
        const expected = gradients.map((gradient, i) => gradient * quantizer.gradient(values[i] ?? 0));
        expectClose(await gpu().readFloats(out), expected, 1e-4, titleOf(quantizer));
      }
    });
  }

  test('steIdentity hands the gradient on as it is', () => {
    using scratch = new Scratch(gpu());
    const g = scratch.tensor('g', [2, 3], 'f32');
    expect(binarizeGrad(new ProgramBuilder(gpu(), 'same'), g, { quantizer: steIdentity() })).toBe(g);
  });
});

describe('what a quantizer refuses', () => {
  const gpu = useGpu();

  test('wrong tensors', () => {
    using scratch = new Scratch(gpu());
    const b = new ProgramBuilder(gpu(), 'refused');
    const x = scratch.tensor('x', [2, 3], 'f32');
    const other = scratch.tensor('other', [3, 2], 'f32');
    const bits = scratch.tensor('bits', [2, 3], 'bits');
    expect(() => binarize(b, bits, steSign())).toThrow(ShapeError);
    expect(() => binarizeGrad(b, x, { quantizer: approxSign() })).toThrow(/without x/);
    expect(() => binarizeGrad(b, x, { quantizer: swishSign(), x: other })).toThrow(ShapeError);
    expect(() => binarizeGrad(b, x, { quantizer: steSign(), gate: x })).toThrow(ShapeError);
  });

  test('names and numbers', () => {
    expect(() => resolveQuantizer('ste_sign' as 'steSign', 'here')).toThrow(/did you mean steSign/);
    expect(() => resolveQuantizer('sign' as 'steSign', 'here')).toThrow(/steIdentity, steSign/);
    expect(() => resolveQuantizer({ name: 'steSign', clip: 0 }, 'here')).toThrow(OptionError);
    expect(() => resolveQuantizer({ name: 'steSign', clp: 1 } as never, 'here')).toThrow(/clip/);
    expect(() => swishSign({ beta: Number.NaN })).toThrow(OptionError);
  });
});
