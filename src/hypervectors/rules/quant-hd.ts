import type { ClassifierRule } from './rule.ts';

/** What a mistake weighs beside a vector of the first pass: 0.035 in torchhd's; a power of two keeps sums exact. */
const RATE = 1 / 32;

/** The sum of a class's vectors, corrected by the mistakes of its signs. */
export const quantHd: ClassifierRule = {
  name: 'quantHd',
  about: `as adaptHd, with the mistakes that the signs of the sums make, which are taken anew after every pass; a correction weighs ${RATE}`,
  source: 'Imani et al. 2019, "QuantHD: A Quantization Framework for Hyperdimensional Computing", of one bit',
  passes: 20,
  compares: 'signs',
  asks: (pass) => pass > 0,
  changes({ label, taken, pass }) {
    if (pass === 0) return [[label, 1]];
    if (taken === label) return [];
    return [
      [label, RATE],
      [taken, -RATE],
    ];
  },
};
