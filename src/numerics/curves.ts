/** The functions of single values that activations are. */

/** Their numbers in the kernel are their places here. */
export const CURVES = ['sigmoid', 'tanh', 'leakyRelu', 'selu'] as const;
export type Curve = (typeof CURVES)[number];

/** Of `leakyRelu`, as in Keras. */
export const DEFAULT_SLOPE = 0.3;
