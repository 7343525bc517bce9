/** What IR-Net and AdaBin share: signs of standardised weights, and the slope of a tanh in place of the sign's. */
import gradientWgsl from '../../../shaders/methods/quantizers/tanh_slope.wgsl';
import argumentWgsl from '../../../shaders/methods/rows/standardized.wgsl';
import type { RowStatistics } from '../row.ts';

/** A filter of equal weights has no deviation to divide by. */
const LEAST = 1e-20;

/** k·tanh(t·x) and its derivative, with t the steepness and k = max(1/t, 1). */
export const TANH_SLOPE = {
  parameters: {
    steepness: {
      default: { from: 1e-3, to: 10, decay: 'exponential' },
      schedule: true,
      says: "t of the gradient: it grows over the training, as in the code of IR-Net's authors",
    },
  },
  wgsl: gradientWgsl,
  gradient: (x: number, { steepness: t }: { readonly steepness: number }) =>
    Math.max(1 / t, 1) * t * (1 - Math.tanh(t * x) ** 2),
  surrogate: (x: number, { steepness: t }: { readonly steepness: number }) =>
    Math.max(1 / t, 1) * Math.tanh(t * x),
} as const;

export const STANDARDIZED = {
  wgsl: argumentWgsl,
  argument: (x: number, { mean, sd }: RowStatistics) => (x - mean) / Math.max(sd, LEAST),
  slope: (_: number, { sd }: RowStatistics) => 1 / Math.max(sd, LEAST),
} as const;
