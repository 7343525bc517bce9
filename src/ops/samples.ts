/** Products of activations that are scale·sign + offset by sample, from products of their signs. */
import type { ProgramBuilder, Tensor } from '../gpu/index.ts';
import { rowSamples } from '../kernels/rows.ts';
import { assertDType, assertFloats, assertShapeIs } from './checks.ts';

/**
 * x·scale + constants·offset + added, by sample.
 * @param x f32 [B, ...]
 * @param options.scale f32 [B], or [1] for all samples; 1 when absent
 * @param options.offset with `factor`, f32 [B] or [1], and `constants`, f32 [1, ...]: the same for every sample
 * @param options.added f32 of the shape of x
 * @returns f32 of the shape of x
 * @throws ShapeError
 */
export function affineSamples(
  b: ProgramBuilder,
  x: Tensor,
  options: {
    readonly scale?: Tensor | undefined;
    readonly offset?: { readonly factor: Tensor; readonly constants: Tensor } | undefined;
    readonly added?: Tensor | undefined;
  },
): Tensor {
  const where = 'affineSamples';
  const { scale, offset, added } = options;
  assertDType(x, 'f32', where);
  const [samples = 1] = x.shape;
  const factors = [scale, offset?.factor].filter((factor) => factor !== undefined);
  const byRow = factors.some(({ size }) => size !== 1);
  for (const factor of factors) assertFloats(factor, [byRow ? samples : 1], where);
  if (offset !== undefined) assertShapeIs(offset.constants, [1, ...x.shape.slice(1)], where);
  if (added !== undefined) assertFloats(added, x.shape, where);
  const y = b.transient('scaled samples', x.shape, 'f32');
  const unused = factors[0] ?? x;
  b.dispatch(
    rowSamples,
    {
      x,
      scales: scale ?? unused,
      offsets: offset?.factor ?? unused,
      constants: offset?.constants ?? unused,
      added: added ?? unused,
      y,
    },
    {
      SIZE: x.size,
      LENGTH: x.size / samples,
      BY_ROW: byRow ? 1 : 0,
      HAS_SCALE: scale === undefined ? 0 : 1,
      HAS_OFFSET: offset === undefined ? 0 : 1,
      HAS_ADDED: added === undefined ? 0 : 1,
    },
  );
  return y;
}
