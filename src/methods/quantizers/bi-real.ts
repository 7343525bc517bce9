/** What Bi-Real Net and ReActNet share: the slope of a piecewise polynomial in place of the sign's. */
import wgsl from '../../../shaders/methods/quantizers/bi_real.wgsl';

/** 2x - x|x| where |x| <= 1, else the sign; and its derivative. */
export const BI_REAL = {
  wgsl,
  gradient: (x: number) => (Math.abs(x) <= 1 ? 2 - 2 * Math.abs(x) : 0),
  surrogate: (x: number) => (Math.abs(x) >= 1 ? Math.sign(x) : 2 * x - x * Math.abs(x)),
} as const;
