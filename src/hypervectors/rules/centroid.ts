import type { ClassifierRule } from './rule.ts';

/** The sum of a class's vectors. */
export const centroid: ClassifierRule = {
  name: 'centroid',
  about: 'adds every vector to its class, once',
  source:
    'Rahimi, Kanerva & Rabaey 2016, "A Robust and Energy-Efficient Classifier Using Brain-Inspired Hyperdimensional Computing"',
  passes: 1,
  asks: () => false,
  changes: ({ label }) => [[label, 1]],
};
