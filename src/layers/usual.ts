/** The layers that most networks are made of. Files name layers as below. */
export { sign } from './activations.ts';
export { binaryConv2d, binaryDense } from './binary-products.ts';
export { conv2d, quantConv2d } from './conv2d.ts';
export { dense, quantDense } from './dense.ts';
export { affine, threshold } from './inference.ts';
export { batchNormalization } from './normalization.ts';
export { maxPool2d, signPool2d } from './pooling.ts';
export { flatten } from './reshaping.ts';
