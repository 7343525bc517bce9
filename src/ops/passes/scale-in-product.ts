/**
 * Products of signs whose outputs are scaled, as weights of scale·sign are, end in the scale: one kernel in place of two, and the
 * sums are never written. To the bit the same, but for the sign of zeros.
 */
import { matched, type Recording } from '../../gpu/index.ts';
import { BINARY_FORWARD } from '../../kernels/conv.ts';
import { fill1 } from '../../kernels/elementwise.ts';
import { FUSED_REAL } from '../../kernels/fused.ts';
import { rowColumns } from '../../kernels/rows.ts';
import { choose } from '../../kernels/variants.ts';
import { clampRange } from '../../numerics/epilogue.ts';

const PRODUCTS = BINARY_FORWARD.variants.map(({ kernel }) => kernel);
const [LOWEST, HIGHEST] = clampRange(undefined);

export function scaleInProduct(recording: Recording): void {
  for (const { dispatch, operands, constants } of recording.of(rowColumns)) {
    const product = matched(recording.onlyWriter(operands.x), ...PRODUCTS);
    const isShared = recording.isKept(operands.x) || recording.readers(operands.x).length !== 1;
    if (product === undefined || isShared || constants.HAS_OFFSET === 1) continue;
    const { INTEGER: _, ...windows } = product.constants;
    const all = { ...windows, LOWEST, HIGHEST, HAS_SCALE: 1, HAS_RESIDUAL: 0, HAS_SLOPE: 0 };
    const kernel = choose(FUSED_REAL, all, recording.gpu);
    if (kernel === undefined) continue;
    const { scales, y } = operands;
    const zeros = recording.another(scales.reshape(scales.shape));
    const { a, w, edges } = product.operands;
    // What isn't read is bound to what is.
    const unread = { slope: scales, residual: scales };
    recording.exchange(
      dispatch,
      recording.make(dispatch, fill1, { out: zeros }, { LANES: zeros.size, VALUE: 0 }),
      recording.make(
        dispatch,
        kernel,
        { a, w, edges, multiplier: scales, bias: zeros, ...unread, out: y },
        all,
      ),
    );
    recording.exchange(product.dispatch);
  }
}
