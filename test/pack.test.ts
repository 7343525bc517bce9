import { describe, expect, test } from 'vitest';
import { runOnce } from '../src/gpu/index.ts';
import { pack } from '../src/kernels/pack.ts';
import { packSigns, unpackSigns } from '../src/reference/pack.ts';
import { expectSame, Scratch, useGpu } from './helpers/gpu.ts';

describe('packing signs', () => {
  const gpu = useGpu();

  for (const channels of [1, 2, 31, 32, 33, 63, 64, 65, 784]) {
    test(`I5x${channels}`, async () => {
      const x = Float32Array.from(
        { length: 5 * channels },
        (_, i) => [-1, 0, 2, -0, -1e-40, Number.NaN][(i * 7) % 6] ?? 0,
      );
      using scratch = new Scratch(gpu());
      const input = scratch.tensor('x', [5, channels], 'f32', x);
      const bits = scratch.tensor('bits', [5, channels], 'bits');
      using _ = await runOnce(gpu(), 'pack', (b) =>
        b.dispatch(pack, { x: input, bits }, { ROWS: 5, CHANNELS: channels }),
      );
      expectSame(await gpu().readWords(bits), packSigns(x, 5, channels));
    });
  }

  test('unpacking gives the signs back', () => {
    const x = [-3, 4, 0, -0.5, 7, -1];
    expect([...unpackSigns(packSigns(x, 2, 3), 2, 3)]).toEqual([-1, 1, 1, -1, 1, -1]);
  });
});
