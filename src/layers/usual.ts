/**
 * The layers that most networks are made of, but for those with quantizers, which `named.ts` and `plain.ts` have. Files name
 * layers as below.
 */
export { binaryConv2d, binaryDense } from './binary-products.ts';
export { affine, threshold } from './inference.ts';
export { batchNormalization } from './normalization.ts';
export { maxPool2d, signPool2d } from './pooling.ts';
export { flatten } from './reshaping.ts';
