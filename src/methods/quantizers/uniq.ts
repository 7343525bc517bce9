import gradient from '../../../shaders/methods/quantizers/ste_identity.wgsl';
import { defineQuantizer } from '../define-quantizer.ts';

/** Where the cumulative normal distribution is 3/4, and the middles between its quarters. */
const [QUARTER, INNER, OUTER] = [0.6744897501960817, 0.3186393639643751, 1.1503493803760079];

/** Values that are equally likely, of a few bits: the quantiles of a normal distribution. */
export const uniq = /* @__PURE__ */ defineQuantizer({
  name: 'uniq',
  about: 'values at quantiles of a normal distribution, each of which is as likely, of one bit or two',
  formula:
    'μ + σ Φ⁻¹((round(2^bits Φ((w - μ) / σ) - 1/2) + 1/2) / 2^bits) with μ mean and σ standard deviation of the row; gradient: 1',
  source: 'Baskin et al. 2018 (UNIQ), arXiv 1804.10969, and the code of its authors',
  provenance: 'authors',
  recipe: 'Two to five bits, layer by layer. No accuracy of theirs is quoted here.',
  remarks:
    'This is the form in use. Theirs trains with noise of the width of a bin in place of rounding, as the optimizer uniqNoise does; without it signs are multiplied, too. Three bits and more are no sums of as many signs. μ and σ are of a filter, theirs of a layer.',
  parameters: { bits: { default: 2, from: 1, to: 2, says: 'a whole number' } },
  wgsl: gradient,
  gradient: () => 1,
  surrogate: (x) => x,
  row: {
    wgsl: `
      override PLANE: u32;
      override BITS: u32;
      fn argument(x: f32, row: RowStatistics) -> f32 {
        let z = x - row.mean;
        return select(z - select(${QUARTER}, -${QUARTER}, z < 0.0) * row.sd, z, PLANE == 0u);
      }
      fn scale(row: RowStatistics) -> f32 {
        let of_two = select(${(OUTER - INNER) / 2}, ${(OUTER + INNER) / 2}, PLANE == 0u);
        return row.sd * select(of_two, ${QUARTER}, BITS == 1u);
      }
      fn offset(row: RowStatistics) -> f32 { return select(0.0, row.mean, PLANE == 0u); }`,
    straight: true,
    planes: { count: ({ bits }) => bits, of: 'value' },
    argument(x, { mean, sd }, { plane }) {
      const z = x - mean;
      return plane === 0 ? z : z - (z < 0 ? -QUARTER : QUARTER) * sd;
    },
    scale({ sd }, { bits, plane }) {
      if (bits === 1) return sd * QUARTER;
      return (sd * (plane === 0 ? OUTER + INNER : OUTER - INNER)) / 2;
    },
    offset: ({ mean }, { plane }) => (plane === 0 ? mean : 0),
  },
});
