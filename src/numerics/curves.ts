/** The functions of single values that activations are. */

/** Their numbers in the kernel are their places here. */
export const CURVES = ['sigmoid', 'tanh', 'leakyRelu', 'selu'] as const;
/** A function of single values. */
export type Curve = (typeof CURVES)[number];

/** The slope of a `leakyRelu` below zero: 0.3 where its configuration doesn't say, as in Keras. */
export function slopeOf({ alpha = 0.3 }: { readonly alpha?: number | undefined }): number {
  return alpha;
}
