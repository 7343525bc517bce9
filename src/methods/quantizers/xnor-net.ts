import { defineQuantizer } from '../define-quantizer.ts';
import { throughRow } from '../through.ts';
import { WINDOW } from './window.ts';

/** Signs times the mean magnitude of their row, which passes the gradient on to all of the row. */
export const xnorNet = /* @__PURE__ */ defineQuantizer({
  name: 'xnorNet',
  about: 'signs times the mean magnitude α of their row, with the gradient through α',
  formula:
    'α sign(w) with α = mean |w| of the row of n; gradient: α g where |w| <= clip, plus sign(w) / n times the sum of g sign(w) over the row',
  source: 'Rastegari et al. 2016 (XNOR-Net), arXiv 1603.05279, eq. 11',
  provenance: 'replication',
  remarks:
    'The gradient is the whole derivative, as replications have it: eq. 11 keeps of the sum over the row its own term. magnitudeAwareSign is the same without the gradient through α.',
  ...WINDOW,
  row: {
    wgsl: `
      fn scale(row: RowStatistics) -> f32 { return row.mean_magnitude; }
      fn through(x: f32, sign: f32, passed: f32, row: RowStatistics) -> vec3f { return vec3f(0.0, sign, 0.0); }`,
    scale: ({ meanMagnitude }) => meanMagnitude,
    through: throughRow(({ sign }) => [0, sign, 0]),
  },
});
