import type { ClassifierRule } from './rule.ts';

/** Vectors count by how unlike their class's sum they are. */
export const onlineHd: ClassifierRule = {
  name: 'onlineHd',
  about:
    'as adaptHd from the first pass on, where a vector counts 1 − its cosine with the sum; in the first pass those that are taken for their own class are added, too',
  source:
    'Hernandez-Cano et al. 2021, "OnlineHD: Robust, Efficient, and Single-Pass Online Learning Using Hyperdimensional System"',
  passes: 20,
  asks: () => true,
  changes({ label, taken, cosines, pass }) {
    const unlike = (one: number) => 1 - (cosines[one] ?? 0);
    if (taken !== label) {
      return [
        [label, unlike(label)],
        [taken, -unlike(taken)],
      ];
    }
    return pass === 0 ? [[label, unlike(label)]] : [];
  },
};
