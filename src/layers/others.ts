/** Factories of the layers that few networks have, by the `kind` of the layers that they make. */
import { quantDepthwiseConv2d, quantSeparableConv2d } from './depthwise.ts';
import { elementwiseAffine } from './inference.ts';
import { add, concat, divide, maximum, minimum, multiply, subtract } from './merging.ts';
import { pad2d, slice, transpose } from './moving.ts';
import { leakyRelu, prelu, relu, selu, sigmoid, softmax, tanh } from './nonlinearities.ts';
import { averagePool2d, globalAveragePool2d } from './pooling.ts';
import { multiThreshold, quantize } from './quantization.ts';
import { dropout } from './regularization.ts';
import { requantize } from './requantize.ts';
import { reshape } from './reshaping.ts';

export const OTHERS = {
  add,
  averagePool2d,
  concat,
  divide,
  dropout,
  elementwiseAffine,
  globalAveragePool2d,
  leakyRelu,
  maximum,
  minimum,
  multiThreshold,
  multiply,
  pad2d,
  prelu,
  quantDepthwiseConv2d,
  quantSeparableConv2d,
  quantize,
  relu,
  requantize,
  reshape,
  selu,
  sigmoid,
  slice,
  softmax,
  subtract,
  tanh,
  transpose,
};
