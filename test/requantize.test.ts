/** Rounding to 8-bit integers: the kernel against its twin, at ties and at the ends of the range. */
import { describe, expect, test } from 'vitest';
import { OptionError } from '../src/errors.ts';
import { runOnce } from '../src/gpu/index.ts';
import { Network, sequential } from '../src/graph/index.ts';
import { requantize as requantizeLayer } from '../src/layers/index.ts';
import { uniform01 } from '../src/numerics/random.ts';
import { requantize } from '../src/ops/requantize.ts';
import * as reference from '../src/reference/requantize.ts';
import { expectSame, Scratch, useGpu } from './helpers/gpu.ts';

const RANGE = { minimum: -128, maximum: 127, zeroPoint: -7 } as const;

describe('requantize', () => {
  const gpu = useGpu();

  test.each([1, 3, 64, 70])(
    '%i channels: integers times powers of two, ties among them',
    async (channels) => {
      const rows = 37;
      const x = Float32Array.from(
        { length: rows * channels },
        (_, i) => Math.round(2000 * uniform01(1, 2, i)) - 1000,
      );
      const scale = Float32Array.from({ length: channels }, (_, c) => 2 ** -(1 + (c % 4)));
      const shift = Float32Array.from({ length: channels }, (_, c) => (c % 5) - 2);
      using scratch = new Scratch(gpu());
      const tensors = {
        scale: scratch.tensor('scale', [channels], 'f32', scale),
        shift: scratch.tensor('shift', [channels], 'f32', shift),
      };
      const input = scratch.tensor('x', [rows, channels], 'f32', x);
      using run = await runOnce(gpu(), 'requantize', (b) =>
        b.keep(requantize(b, input, { ...tensors, ...RANGE })),
      );
      expectSame(await gpu().readFloats(run.result), reference.requantize(x, scale, shift, RANGE));
    },
  );

  test('halves go away from zero, what lies just below them does not, and the ends saturate', async () => {
    const model = sequential([requantizeLayer({ name: 'q', ...RANGE, zeroPoint: 0 })], { input: [1] });
    const values = new Map([
      ['q/scale', Float32Array.of(1)],
      ['q/shift', Float32Array.of(0)],
    ]);
    using network = await Network.create(gpu(), model, { values });
    const below = 0.5 - 2 ** -25;
    const x = Float32Array.of(0.5, -0.5, below, -below, 1.5, 2.5, -2.5, 127.5, 1e9, -128.5, -1e9, 0);
    expect([...(await network.predict(x))].map((value) => value + 0)).toEqual([
      1, -1, 0, 0, 2, 3, -3, 127, 127, -128, -128, 0,
    ]);
  });

  test('a range that is none', () => {
    expect(() => requantizeLayer({ minimum: 1, maximum: 0, zeroPoint: 0 })).toThrow(OptionError);
    expect(() => requantizeLayer({ minimum: 0, maximum: 1.5, zeroPoint: 0 })).toThrow(/maximum = 1.5/);
  });
});
