import wgsl from '../../../shaders/methods/quantizers/ste_identity.wgsl';
import { quantizerOf } from '../quantizer.ts';

/** The gradient passes everywhere. */
export const steIdentity = /* @__PURE__ */ quantizerOf({
  name: 'steIdentity',
  formula: '1',
  source: 'Bengio et al. 2013, arXiv 1308.3432',
  wgsl,
  gradient: () => 1,
  surrogate: (x) => x,
  window: () => Number.POSITIVE_INFINITY,
});
