/** Products of weights that are scale·sign + offset by filter, from products of signs. */
import { ShapeError } from '../errors.ts';
import { describe, type ProgramBuilder, type Tensor } from '../gpu/index.ts';
import { rowColumns } from '../kernels/rows.ts';
import { assertDType, assertFloats } from './checks.ts';

/**
 * x·scale + sums·offset, by column.
 * @param x f32 [..., C]
 * @param options.scale f32 [C]; 1 when absent
 * @param options.offset f32 [C], with `sums`, f32 [..., G] for a G that divides C: a group of columns shares one
 * @returns f32 [..., C]
 * @throws ShapeError
 */
export function affineColumns(
  b: ProgramBuilder,
  x: Tensor,
  options: {
    readonly scale?: Tensor | undefined;
    readonly offset?: { readonly factor: Tensor; readonly sums: Tensor } | undefined;
  },
): Tensor {
  const where = 'affineColumns';
  assertDType(x, 'f32', where);
  const { scale, offset } = options;
  const COLUMNS = x.shape.at(-1) ?? 1;
  for (const factor of [scale, offset?.factor]) {
    if (factor !== undefined) assertFloats(factor, [COLUMNS], where);
  }
  const GROUPS = offset?.sums.shape.at(-1) ?? 1;
  if (offset !== undefined && (COLUMNS % GROUPS !== 0 || offset.sums.size * COLUMNS !== x.size * GROUPS)) {
    throw new ShapeError('There is a sum for every group of columns.', {
      given: describe(offset.sums.shape, offset.sums.dtype),
      expected: `${describe(x.shape)} with a last axis that divides ${COLUMNS}`,
      where,
    });
  }
  const y = b.transient('scaled', x.shape, 'f32');
  const unused = scale ?? offset?.factor ?? x;
  b.dispatch(
    rowColumns,
    { x, scales: scale ?? unused, offsets: offset?.factor ?? unused, sums: offset?.sums ?? unused, y },
    {
      ROWS: x.size / COLUMNS,
      COLUMNS,
      GROUPS,
      HAS_SCALE: scale === undefined ? 0 : 1,
      HAS_OFFSET: offset === undefined ? 0 : 1,
    },
  );
  return y;
}
