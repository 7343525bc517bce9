export { DEFAULT_EPSILON } from '../numerics/epilogue.ts';
export type { SignOptions } from './activations.ts';
export type {
  BinaryConv2dOptions,
  BinaryDenseOptions,
  BinaryOutputOptions,
} from './binary-products.ts';
export type { Guest, LayerFactory } from './common.ts';
export type { QuantComplexConv2dOptions } from './complex.ts';
export type { Conv2dLayerOptions, QuantConv2dOptions } from './conv2d.ts';
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
export type { DenseOptions, QuantDenseOptions } from './dense.ts';
export type { QuantDepthwiseConv2dOptions, QuantSeparableConv2dOptions } from './depthwise.ts';
export type { QuantGatedConv2dOptions } from './gated.ts';
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
  type LayerPart,
  type MadeParameter,
  type Operations,
  type Parameter,
  type ParameterRole,
  type ParameterSpec,
  type ProductTraits,
  type Traits,
} from './layer.ts';
export type { Pad2dOptions, SliceOptions, TransposeOptions } from './moving.ts';
export * from './named.ts';
export type { LeakyReluOptions, ReluOptions } from './nonlinearities.ts';
export type { BatchNormalizationOptions } from './normalization.ts';
export type { Conv1dOptions, Padding1d, Pool1dOptions, QuantConv1dOptions } from './one-axis.ts';
export * from './others.ts';
export type { Pool2dLayerOptions } from './pooling.ts';
export type { QuantProxyConv2dOptions, QuantProxyDenseOptions } from './proxy.ts';
export type { MultiThresholdOptions, QuantizeOptions } from './quantization.ts';
export type { InputOptions } from './quantized-input.ts';
export { LAYER_KINDS, type LayerKind, makeLayer } from './registry.ts';
export type { DropoutOptions } from './regularization.ts';
export type { RequantizeOptions } from './requantize.ts';
export type { ReshapeOptions } from './reshaping.ts';
export { type RowTensors, rowTensors } from './rows.ts';
export * from './usual.ts';
export type { KernelOptions, KernelRotation, WeightOptions } from './weights.ts';
