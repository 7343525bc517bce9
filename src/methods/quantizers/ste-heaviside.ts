import row from '../../../shaders/methods/rows/heaviside.wgsl';
import { defineQuantizer } from '../define-quantizer.ts';
import { WINDOW } from './window.ts';

/** 1 or 0. */
export const steHeaviside = /* @__PURE__ */ defineQuantizer({
  name: 'steHeaviside',
  formula: '1 where x > 0, else 0; gradient: 1 where |x| <= clip, else 0',
  source: "Larq's SteHeaviside",
  ...WINDOW,
  row: {
    wgsl: row,
    straight: true,
    argument: (x) => (x > 0 ? 1 : -1),
    scale: () => 0.5,
    offset: () => 0.5,
  },
});
