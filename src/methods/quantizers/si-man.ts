import gradient from '../../../shaders/methods/quantizers/ste_identity.wgsl';
import row from '../../../shaders/methods/rows/si_man.wgsl';
import { defineQuantizer } from '../define-quantizer.ts';

/** Half of each filter's weights are +1: those of the larger magnitude. */
export const siMan = /* @__PURE__ */ defineQuantizer({
  name: 'siMan',
  formula: 'weights: sign(|v| - median |v|) with v = (w - mean) / sd of the filter; gradient: sign(v) / sd',
  source:
    'Lin et al. 2021 (SiMaN), arXiv 2102.07981; here v is not clipped at percentiles, and statistics pass no gradient of their own',
  wgsl: gradient,
  gradient: () => 1,
  surrogate: (x) => x,
  window: () => Number.POSITIVE_INFINITY,
  row: {
    wgsl: row,
    argument: (x, { mean, sd, medianDeviation }) =>
      (Math.abs(x - mean) - medianDeviation) / Math.max(sd, 1e-20),
    slope: (x, { mean, sd }) => Math.sign(x - mean) / Math.max(sd, 1e-20),
  },
});
