import wgsl from '../../../shaders/methods/penalties/weight_decay.wgsl';
import { definePenalty } from '../penalty.ts';

/** Half the squared length of the latent weights. */
export const weightDecay = /* @__PURE__ */ definePenalty({
  name: 'weightDecay',
  formula: 'λ w² / 2',
  source: 'Hanson & Pratt 1988; as `l2` in Keras with half its factor',
  parameters: { strength: { default: 1e-4, from: 0, says: 'λ' } },
  wgsl,
  twin: (w, g, { strength }) => g + strength * w,
  value: (w, { strength }) => (strength * w * w) / 2,
});
