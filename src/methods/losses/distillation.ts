import wgsl from '../../../shaders/methods/losses/distillation.wgsl';
import { defineLoss } from '../loss.ts';
import { logSoftmax } from './softmax.ts';

/** A teacher's softened outputs beside the label: the training has a `teacher`. */
export const distillation = /* @__PURE__ */ defineLoss({
  name: 'distillation',
  formula: '(1 - share) CE(label) + share T² KL(softmax(teacher / T) || softmax(o / T))',
  source: 'Hinton et al. 2015, arXiv 1503.02531; ReActNet (Liu et al. 2020) takes share 1 and T 1',
  parameters: {
    temperature: { default: 1, above: 0, says: 'T' },
    share: { default: 1, from: 0, to: 1, says: "how much of the loss is the teacher's" },
  },
  wgsl,
  teacher: true,
  twin({ outputs, wanted, taught }, { temperature: T, share }) {
    const [hard, soft, teacher] = [logSoftmax(outputs), logSoftmax(outputs, T), logSoftmax(taught, T)];
    const total = wanted.reduce((sum, value) => sum + value, 0);
    const loss = outputs.reduce((sum, _, c) => {
      const [h = 0, s = 0, t = 0] = [hard[c], soft[c], teacher[c]];
      return sum - (1 - share) * (wanted[c] ?? 0) * h + share * T * T * Math.exp(t) * (t - s);
    }, 0);
    const gradient = outputs.map((_, c) => {
      const [h = 0, s = 0, t = 0] = [hard[c], soft[c], teacher[c]];
      return (1 - share) * (total * Math.exp(h) - (wanted[c] ?? 0)) + share * T * (Math.exp(s) - Math.exp(t));
    });
    return { loss, gradient };
  },
});
