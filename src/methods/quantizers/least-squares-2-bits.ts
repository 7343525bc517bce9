import { defineQuantizer } from '../define-quantizer.ts';
import { WINDOW } from './window.ts';

/** The two bits that are nearest to a row. */
export const leastSquares2Bits = /* @__PURE__ */ defineQuantizer({
  name: 'leastSquares2Bits',
  about: 'four values of each row, ±v1 ± v2: those of least squared error',
  formula:
    'v1 sign(x) + v2 sign(x - v1 sign(x)); v1 = (mean of the |x| above v1 + mean of those below it) / 2, v2 = mean ||x| - v1|; gradient: 1 where |x| <= clip',
  source:
    'Pouransari et al. 2020 (least squares binary quantization), arXiv 2001.02786, and the code of its authors',
  provenance: 'authors',
  recipe:
    'Weights by filter, activations by sample, where a moving average of v (0.99) takes its place in use. LeNet-5 on MNIST with one bit: Adadelta, rate 1, times 0.7 an epoch, batches of 64; they report 99.2 % after 10 epochs.',
  remarks:
    'v1 is found by iteration from mean |x|; theirs scans sorted values for the best of all that fulfil the equation. One bit is magnitudeAwareSign. Activations keep the v of their own sample in use, too.',
  ...WINDOW,
  row: {
    wgsl: `
      override PLANE: u32;
      fn scale(row: RowStatistics) -> f32 {
        // What the first plane leaves over is as large as ||x| - v1|.
        return select(row.mean_magnitude, 0.5 * (row.lower_magnitude + row.upper_magnitude), PLANE == 0u);
      }`,
    straight: true,
    planes: { count: () => 2, of: 'remainder' },
    scale: ({ meanMagnitude, lowerMagnitude, upperMagnitude }, { plane }) =>
      plane === 0 ? (lowerMagnitude + upperMagnitude) / 2 : meanMagnitude,
  },
});
