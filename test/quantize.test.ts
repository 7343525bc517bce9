import { describe, expect, test } from 'vitest';
import { OptionError, ShapeError } from '../src/errors.ts';
import { ProgramBuilder, runOnce } from '../src/gpu/index.ts';
import { binarize, binarizeGrad, type QuantizerName } from '../src/ops/quantize.ts';
import * as reference from '../src/reference/quantize.ts';
import { surrogate, surrogateGradient } from '../src/reference/quantize.ts';
import { expectClose, expectSame, Scratch, useGpu } from './helpers/gpu.ts';

const QUANTIZERS: readonly QuantizerName[] = ['steSign', 'steIdentity', 'approxSign', 'swishSign'];

/** Values of every kind that a quantizer distinguishes, the edges of the windows among them. */
const EDGES = [0, -0, 1e-40, -1e-40, 1, -1, 1.0000001, -1.0000001, 0.5, -0.5, 1.5, 3, -30, 1e30, -1e30];

/** `count` values from −2 to 2 with the edges in between. */
function samples(count: number): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: count }, (_, i) =>
    i % 3 === 0 ? (EDGES[(i / 3) % EDGES.length] ?? 0) : 2 * Math.sin(i * 12.9898),
  );
}

describe('surrogates of sign', () => {
  for (const quantizer of QUANTIZERS) {
    for (const options of [{}, { clip: 0.5, beta: 2 }]) {
      test(`${quantizer} ${JSON.stringify(options)}: the gradient is the derivative`, () => {
        const step = 1e-5;
        for (let x = -2.505; x < 2.5; x += 0.01) {
          const slope =
            (surrogate(quantizer, x + step, options) - surrogate(quantizer, x - step, options)) / (2 * step);
          expect(Math.abs(surrogateGradient(quantizer, x, options) - slope)).toBeLessThan(1e-7);
        }
      });
    }
  }

  test('known values', () => {
    expect(surrogateGradient('approxSign', 0)).toBe(2);
    expect(surrogateGradient('approxSign', -0.75)).toBe(0.5);
    expect(surrogateGradient('swishSign', 0)).toBe(5);
    expect(surrogateGradient('swishSign', 0, { beta: 2 })).toBe(2);
    expect([1, -1, 1.0001].map((x) => surrogateGradient('steSign', x))).toEqual([1, 1, 0]);
    expect([-5, 0, 5].map((x) => Math.round(surrogate('swishSign', x)))).toEqual([-1, 0, 1]);
  });
});

describe('binarizing', () => {
  const gpu = useGpu();

  for (const shape of [[1], [4, 31], [3, 32], [2, 33], [2, 3, 5, 64], [100, 512], [7, 100]]) {
    for (const clip of [undefined, 0.5, 1.25]) {
      test(`I${shape.join('x')} steSign, clip ${clip ?? 'default'}`, async () => {
        const channels = shape.at(-1) ?? 1;
        const size = shape.reduce((product, extent) => product * extent, 1);
        const values = samples(size);
        if (size > 3) values[3] = Number.NaN;
        using scratch = new Scratch(gpu());
        const x = scratch.tensor('x', shape, 'f32', values);
        using run = await runOnce(gpu(), 'binarize', (b) => {
          const { bits, gate } = binarize(b, x, { quantizer: 'steSign', clip });
          if (gate === undefined) throw new Error('steSign has a gate');
          return { bits: b.keep(bits), gate: b.keep(gate) };
        });
        const expected = reference.binarize(values, size / channels, channels, clip);
        expectSame(await gpu().readWords(run.result.bits), expected.bits, 'signs');
        expectSame(await gpu().readWords(run.result.gate), expected.gate, 'gate');
      });
    }
  }

  for (const quantizer of ['steIdentity', 'approxSign', 'swishSign'] as const) {
    test(`${quantizer}: signs, no gate`, async () => {
      const values = samples(165);
      using scratch = new Scratch(gpu());
      const x = scratch.tensor('x', [5, 33], 'f32', values);
      using run = await runOnce(gpu(), 'binarize', (b) => {
        const { bits, gate } = binarize(b, x, { quantizer });
        expect(gate).toBeUndefined();
        return b.keep(bits);
      });
      expectSame(await gpu().readWords(run.result), reference.binarize(values, 5, 33).bits);
    });
  }
});

describe('gradients through quantizers', () => {
  const gpu = useGpu();
  const rows = 9;

  for (const channels of [1, 33, 64, 100]) {
    for (const options of [{}, { clip: 0.5, beta: 2 }]) {
      test(`I${rows}x${channels} ${JSON.stringify(options)}`, async () => {
        const values = samples(rows * channels);
        const gradients = values.map((_, i) => Math.cos(i * 78.233));
        using scratch = new Scratch(gpu());
        const x = scratch.tensor('x', [rows, channels], 'f32', values);
        const g = scratch.tensor('g', [rows, channels], 'f32', gradients);
        using run = await runOnce(gpu(), 'gradients', (b) => {
          const { gate } = binarize(b, x, { quantizer: 'steSign', ...options });
          const gated = binarizeGrad(b, g, { quantizer: 'steSign', gate });
          return [
            { quantizer: 'steSign' as const, out: b.keep(gated) },
            ...QUANTIZERS.map((quantizer) => {
              const out = binarizeGrad(b, g, { quantizer, x, ...options });
              return { quantizer, out: quantizer === 'steIdentity' ? out : b.keep(out) };
            }),
          ];
        });
        for (const { quantizer, out } of run.result) {
          const expected = reference.binarizeGrad(gradients, values, quantizer, options);
          expectClose(await gpu().readFloats(out), expected, 1e-4, quantizer);
        }
      });
    }
  }

  test('steIdentity hands the gradient on as it is', () => {
    using scratch = new Scratch(gpu());
    const g = scratch.tensor('g', [2, 3], 'f32');
    expect(binarizeGrad(new ProgramBuilder(gpu(), 'same'), g, { quantizer: 'steIdentity' })).toBe(g);
  });
});

describe('what a quantizer refuses', () => {
  const gpu = useGpu();

  test('wrong tensors and options', () => {
    using scratch = new Scratch(gpu());
    const b = new ProgramBuilder(gpu(), 'refused');
    const x = scratch.tensor('x', [2, 3], 'f32');
    const other = scratch.tensor('other', [3, 2], 'f32');
    const bits = scratch.tensor('bits', [2, 3], 'bits');
    expect(() => binarize(b, bits, { quantizer: 'steSign' })).toThrow(ShapeError);
    expect(() => binarize(b, x, { quantizer: 'steSign', clip: 0 })).toThrow(OptionError);
    expect(() => binarize(b, x, { quantizer: 'sign' as 'steSign' })).toThrow(/steSign, steIdentity/);
    expect(() => binarizeGrad(b, x, { quantizer: 'approxSign' })).toThrow(/without x/);
    expect(() => binarizeGrad(b, x, { quantizer: 'steSign' })).toThrow(/without x or gate/);
    expect(() => binarizeGrad(b, x, { quantizer: 'swishSign', x: other })).toThrow(ShapeError);
    expect(() => binarizeGrad(b, x, { quantizer: 'swishSign', x, beta: Number.NaN })).toThrow(OptionError);
    expect(() => binarizeGrad(b, x, { quantizer: 'steSign', gate: x })).toThrow(ShapeError);
  });
});
