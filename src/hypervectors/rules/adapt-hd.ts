import type { ClassifierRule } from './rule.ts';

/** The sum of a class's vectors, corrected by mistakes. */
export const adaptHd: ClassifierRule = {
  name: 'adaptHd',
  about:
    'begins as centroid; in every later pass a vector that is taken for another class is added to its own and taken from the other',
  source:
    'Imani et al. 2019, "AdaptHD: Adaptive Efficient Training for Brain-Inspired Hyperdimensional Computing", with a constant rate',
  passes: 20,
  asks: (pass) => pass > 0,
  changes({ label, taken, pass }) {
    if (pass === 0) return [[label, 1]];
    if (taken === label) return [];
    return [
      [label, 1],
      [taken, -1],
    ];
  },
};
