import { quantizerOf } from '../quantizer.ts';
import { WINDOW } from './window.ts';

/** The gradient passes inside a window. */
export const steSign = /* @__PURE__ */ quantizerOf({
  name: 'steSign',
  formula: '1 where |x| <= clip, else 0',
  source: 'Hubara et al. 2016, arXiv 1602.02830, eq. 4',
  ...WINDOW,
});
