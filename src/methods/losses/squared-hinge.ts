import wgsl from '../../../shaders/methods/losses/squared_hinge.wgsl';
import { defineLoss } from '../loss.ts';

/** The squared hinge: the loss of the papers. */
export const squaredHinge = /* @__PURE__ */ defineLoss({
  name: 'squaredHinge',
  formula: 'mean over outputs of max(0, 1 - t o)²; t = 1 where an output is wanted, else -1',
  source: "Courbariaux et al. 2016; Keras' squared_hinge",
  wgsl,
  twin({ outputs, wanted, shares = false }) {
    if (shares) {
      const both = outputs.map((o, c) => {
        const t = wanted[c] ?? 0;
        return { t, above: Math.max(0, 1 - o), below: Math.max(0, 1 + o) };
      });
      const sum = both.reduce((all, { t, above, below }) => all + t * above ** 2 + (1 - t) * below ** 2, 0);
      return {
        loss: sum / outputs.length,
        gradient: both.map(({ t, above, below }) => (2 * ((1 - t) * below - t * above)) / outputs.length),
      };
    }
    const sides = wanted.map((t) => (t > 0.5 ? 1 : -1));
    const margins = outputs.map((o, c) => Math.max(0, 1 - (sides[c] ?? 0) * o));
    return {
      loss: margins.reduce((sum, margin) => sum + margin ** 2, 0) / outputs.length,
      gradient: margins.map((margin, c) => (-2 * (sides[c] ?? 0) * margin) / outputs.length),
    };
  },
});
