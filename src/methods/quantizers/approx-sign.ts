import { quantizerOf } from '../quantizer.ts';
import { BI_REAL } from './bi-real.ts';

/** The derivative of a piecewise polynomial that comes close to the sign. */
export const approxSign = /* @__PURE__ */ quantizerOf({
  name: 'approxSign',
  formula: '2 - 2|x| where |x| <= 1, else 0',
  source: 'Liu et al. 2018 (Bi-Real Net), arXiv 1808.00278, eq. 6',
  ...BI_REAL,
});
