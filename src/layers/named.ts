/** Layers whose quantizers are objects, or the names of any that the library ships. */
import { QUANTIZER_NAMES, resolveQuantizer } from '../methods/quantizers/index.ts';
import * as rotation from '../ops/rotation.ts';
import { makeSign, type SignOptions } from './activations.ts';
import { type Conv2dLayerOptions, makeConv2d, makeQuantConv2d, type QuantConv2dOptions } from './conv2d.ts';
import { type DenseOptions, makeDense, makeQuantDense, type QuantDenseOptions } from './dense.ts';
import {
  makeQuantDepthwiseConv2d,
  makeQuantSeparableConv2d,
  type QuantDepthwiseConv2dOptions,
  type QuantSeparableConv2dOptions,
} from './depthwise.ts';
import * as groups from './groups.ts';
import { withInputGroups } from './input-groups.ts';
import type { Layer } from './layer.ts';
import type { LayerParts } from './parts.ts';

/** All quantizers that the library ships, rotations and groups. */
const PARTS: LayerParts = {
  quantizer: resolveQuantizer,
  quantizers: QUANTIZER_NAMES,
  rotation,
  groups,
};

/**
 * sign(x), sign(0) = +1; the output travels as packed bits. Backward by the quantizer's surrogate.
 * @example
 * ```ts
 * import { sequential, sign } from 'webgpu-bnn';
 *
 * sequential([sign({ quantizer: 'approxSign' })], { input: [64] });
 * ```
 */
export function sign(options: SignOptions = {}): Layer {
  return makeSign(options, PARTS);
}

/**
 * 2-D convolution with real weights, OHWI (Keras `Conv2D`). Input and output [height, width, channels].
 * @example
 * ```ts
 * import { conv2d, sequential } from 'webgpu-bnn';
 *
 * sequential([conv2d({ filters: 32, kernelSize: 3, padding: 'same' })], { input: [28, 28, 1] });
 * ```
 */
export function conv2d(options: Omit<Conv2dLayerOptions, 'kernelQuantizer' | 'kernelConstraint'>): Layer {
  return makeConv2d(options, PARTS);
}

/**
 * Binary 2-D convolution (Larq's `QuantConv2D`). Input and output [height, width, channels].
 * With both quantizers it is a direct XNOR-popcount convolution over packed bits, and the backward pass keeps bits
 * only. `padValue` 0 (the default) pads a binary input exactly: taps outside the image count nothing.
 * @example
 * ```ts
 * import { quantConv2d, sequential } from 'webgpu-bnn';
 *
 * sequential([quantConv2d({ filters: 32, kernelSize: 3, inputQuantizer: 'steSign', kernelQuantizer: 'steSign' })], { input: [8, 8, 16] });
 * ```
 */
export function quantConv2d(options: QuantConv2dOptions): Layer {
  return withInputGroups((own) => makeQuantConv2d(own, PARTS), options);
}

/**
 * y = x·Wᵀ + b with real weights [units, inputs] (Keras `Dense`, whose kernel is the transpose).
 * @example
 * ```ts
 * import { dense, sequential } from 'webgpu-bnn';
 *
 * sequential([dense({ units: 10, useBias: true })], { input: [64] });
 * ```
 */
export function dense(options: Omit<DenseOptions, 'kernelQuantizer' | 'kernelConstraint'>): Layer {
  return makeDense(options, PARTS);
}

/**
 * Binary fully connected layer (Larq's `QuantDense`). Input [features], output [units].
 * With both quantizers the product is XNOR-popcount over packed bits, and the backward pass keeps bits only.
 * @example
 * ```ts
 * import { quantDense, sequential } from 'webgpu-bnn';
 *
 * sequential([quantDense({ units: 10, inputQuantizer: 'steSign', kernelQuantizer: 'steSign' })], { input: [64] });
 * ```
 */
export function quantDense(options: QuantDenseOptions): Layer {
  return withInputGroups((own) => makeQuantDense(own, PARTS), options);
}

/**
 * Every input channel is convolved with filters of its own (Larq's `QuantDepthwiseConv2D`). Input [height, width, channels],
 * output [height, width, channels·depthMultiplier]; output c·depthMultiplier + m belongs to channel c. Parameter `kernel`
 * [channels·depthMultiplier, height, width, 1]. With both quantizers the products are of bits.
 * @example
 * ```ts
 * import { quantDepthwiseConv2d, sequential } from 'webgpu-bnn';
 *
 * sequential([quantDepthwiseConv2d({ kernelSize: 3, inputQuantizer: 'steSign', depthwiseQuantizer: 'steSign' })], { input: [8, 8, 16] });
 * ```
 */
export function quantDepthwiseConv2d(options: QuantDepthwiseConv2dOptions): Layer {
  return makeQuantDepthwiseConv2d(options, PARTS);
}

/**
 * A depthwise convolution followed by one of single pixels that mixes the channels (Larq's `QuantSeparableConv2D`). The input
 * quantizer is for the first one; the second takes its reals. Parameters `depthwiseKernel` [channels·depthMultiplier,
 * height, width, 1] and `pointwiseKernel` [filters, 1, 1, channels·depthMultiplier].
 * @example
 * ```ts
 * import { quantSeparableConv2d, sequential } from 'webgpu-bnn';
 *
 * sequential([quantSeparableConv2d({ filters: 8, kernelSize: 3, depthwiseQuantizer: 'steSign', pointwiseQuantizer: 'steSign' })], { input: [8, 8, 16] });
 * ```
 */
export function quantSeparableConv2d(options: QuantSeparableConv2dOptions): Layer {
  return makeQuantSeparableConv2d(options, PARTS);
}
