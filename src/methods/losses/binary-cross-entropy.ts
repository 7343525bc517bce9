import wgsl from '../../../shaders/methods/losses/binary_cross_entropy.wgsl';
import { defineLoss } from '../loss.ts';

/** The cross-entropy of a logistic output each: several labels a sample, or one output for two classes. */
export const binaryCrossEntropy = /* @__PURE__ */ defineLoss({
  name: 'binaryCrossEntropy',
  formula: 'mean over outputs of log(1 + exp(o)) - t o',
  source: "Keras' binary_crossentropy from logits",
  wgsl,
  twin({ outputs, wanted }) {
    const softplus = (o: number) => Math.max(o, 0) + Math.log1p(Math.exp(-Math.abs(o)));
    return {
      loss: outputs.reduce((sum, o, c) => sum + softplus(o) - (wanted[c] ?? 0) * o, 0) / outputs.length,
      gradient: outputs.map((o, c) => (1 / (1 + Math.exp(-o)) - (wanted[c] ?? 0)) / outputs.length),
    };
  },
});
