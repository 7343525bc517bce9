import wgsl from '../../../shaders/methods/penalties/towards_signs.wgsl';
import { definePenalty } from '../penalty.ts';

/**
 * A concave penalty without a cusp at 0, least at −1 and 1: it drives latent weights to their signs. Of the kind of ConQ
 * (2024), whose own formula its abstract does not give: this one is inferred, and no replication.
 */
export const towardsSigns = /* @__PURE__ */ definePenalty({
  name: 'towardsSigns',
  formula: 'λ (1 - w²)',
  source: 'inferred from the abstract of ConQ (MLSP 2024); not its formula',
  parameters: { strength: { default: 1e-4, from: 0, says: 'λ' } },
  wgsl,
  twin: (w, g, { strength }) => g - 2 * strength * w,
  value: (w, { strength }) => strength * (1 - w * w),
});
