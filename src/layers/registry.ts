/** Layers by kind: how a layer that a file describes is made again. */
import { FormatError } from '../errors.ts';
import { sign } from './activations.ts';
import { binaryConv2d, binaryDense } from './binary-products.ts';
import { conv2d, quantConv2d } from './conv2d.ts';
import { dense, quantDense } from './dense.ts';
import { quantDepthwiseConv2d, quantSeparableConv2d } from './depthwise.ts';
import { affine, threshold } from './inference.ts';
import type { Layer } from './layer.ts';
import { add, concat, divide, multiply, subtract } from './merging.ts';
import { prelu, relu, softmax } from './nonlinearities.ts';
import { batchNormalization } from './normalization.ts';
import { averagePool2d, globalAveragePool2d, maxPool2d, signPool2d } from './pooling.ts';
import { multiThreshold, quantize } from './quantization.ts';
import { dropout } from './regularization.ts';
import { requantize } from './requantize.ts';
import { flatten, pad2d, reshape, transpose } from './reshaping.ts';

/** Every factory by the `kind` of the layers that it makes, which is its own name. */
const FACTORIES = {
  add,
  affine,
  averagePool2d,
  batchNormalization,
  binaryConv2d,
  binaryDense,
  concat,
  conv2d,
  dense,
  divide,
  dropout,
  flatten,
  globalAveragePool2d,
  maxPool2d,
  multiThreshold,
  multiply,
  pad2d,
  prelu,
  quantConv2d,
  quantDense,
  quantDepthwiseConv2d,
  quantize,
  relu,
  quantSeparableConv2d,
  requantize,
  reshape,
  sign,
  signPool2d,
  softmax,
  subtract,
  threshold,
  transpose,
};

export type LayerKind = keyof typeof FACTORIES;

export const LAYER_KINDS = Object.keys(FACTORIES) as readonly LayerKind[];

/**
 * A layer from its `kind` and its `config`.
 * @param where for errors
 * @throws FormatError for an unknown kind, listing the known ones; what the factory throws for a config that isn't right
 */
export function makeLayer(kind: string, config: Readonly<Record<string, unknown>>, where: string): Layer {
  if (!Object.hasOwn(FACTORIES, kind)) {
    throw new FormatError('There is no layer of this kind.', {
      given: kind.slice(0, 80),
      expected: LAYER_KINDS.join(', '),
      where,
    });
  }
  // A factory checks its options itself.
  const factory = FACTORIES[kind as LayerKind] as (options: Readonly<Record<string, unknown>>) => Layer;
  return factory(config);
}
