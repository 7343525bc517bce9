export { type SignOptions, sign } from './activations.ts';
export {
  type BinaryConv2dOptions,
  type BinaryDenseOptions,
  type BinaryOutputOptions,
  binaryConv2d,
  binaryDense,
} from './binary-products.ts';
export type { Guest, LayerFactory } from './common.ts';
export { type Conv2dLayerOptions, conv2d, type QuantConv2dOptions, quantConv2d } from './conv2d.ts';
export {
  type ChoiceOption,
  type DefinedForward,
  type DefinedLayerFactory,
  defineLayer,
  type FlagOption,
  type GivenOptions,
  type Inputs,
  type LayerDefinition,
  type LayerOption,
  type LayerOptions,
  type NumberOption,
  type OptionValues,
  type QuantizerOption,
} from './define.ts';
export { type DenseOptions, dense, type QuantDenseOptions, quantDense } from './dense.ts';
export {
  type QuantDepthwiseConv2dOptions,
  type QuantSeparableConv2dOptions,
  quantDepthwiseConv2d,
  quantSeparableConv2d,
} from './depthwise.ts';
export { affine, elementwiseAffine, threshold } from './inference.ts';
export {
  type Activation,
  asReal,
  asSigns,
  type Backward,
  declareParameter,
  type Forward,
  type ForwardContext,
  type Initializer,
  type Layer,
  type Operations,
  type Parameter,
  type ParameterRole,
  type ParameterSpec,
  type ProductTraits,
  type Traits,
} from './layer.ts';
export { add, concat, divide, maximum, minimum, multiply, subtract } from './merging.ts';
export {
  type Pad2dOptions,
  pad2d,
  type SliceOptions,
  slice,
  type TransposeOptions,
  transpose,
} from './moving.ts';
export {
  DEFAULT_SLOPE,
  type LeakyReluOptions,
  leakyRelu,
  prelu,
  type ReluOptions,
  relu,
  selu,
  sigmoid,
  softmax,
  tanh,
} from './nonlinearities.ts';
export { type BatchNormalizationOptions, batchNormalization, DEFAULT_EPSILON } from './normalization.ts';
export {
  averagePool2d,
  globalAveragePool2d,
  maxPool2d,
  type Pool2dLayerOptions,
  signPool2d,
} from './pooling.ts';
export {
  type MultiThresholdOptions,
  multiThreshold,
  type QuantizeOptions,
  quantize,
} from './quantization.ts';
export { LAYER_KINDS, type LayerKind, makeLayer } from './registry.ts';
export { type DropoutOptions, dropout } from './regularization.ts';
export { type RequantizeOptions, requantize } from './requantize.ts';
export { flatten, type ReshapeOptions, reshape } from './reshaping.ts';
export { type RowTensors, rowTensors } from './rows.ts';
export type { KernelOptions, KernelRotation, RotationOptions } from './weights.ts';
