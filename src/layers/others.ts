/** The layers that few networks have: what stands here is loaded when a file names one of them. Files name layers as below. */

export { bitPlanes } from './bit-planes.ts';
export { quantComplexConv2d } from './complex.ts';
export { quantGatedConv2d } from './gated.ts';
export { elementwiseAffine } from './inference.ts';
export { maxout } from './maxout.ts';
export { add, concat, divide, maximum, minimum, multiply, subtract } from './merging.ts';
export { pad2d, slice, transpose } from './moving.ts';
export { quantDepthwiseConv2d, quantSeparableConv2d } from './named.ts';
export { leakyRelu, prelu, relu, selu, sigmoid, softmax, tanh } from './nonlinearities.ts';
export {
  averagePool1d,
  conv1d,
  globalAveragePool1d,
  maxPool1d,
  quantConv1d,
} from './one-axis.ts';
export { averagePool2d, globalAveragePool2d } from './pooling.ts';
export { quantProxyConv2d, quantProxyDense } from './proxy.ts';
export { multiThreshold, quantize } from './quantization.ts';
export { dropout } from './regularization.ts';
export { requantize } from './requantize.ts';
export { reshape } from './reshaping.ts';
export { rotate } from './rotate.ts';
export { rPReLU } from './rprelu.ts';
export { thermometer } from './thermometer.ts';
export { upsample2d } from './upsample.ts';
