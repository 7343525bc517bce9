/** Layers whose quantizers give signs and nothing else, for readers of formats that can say no others. */
import { PLAIN_QUANTIZER_NAMES, resolvePlainQuantizer } from '../methods/quantizers/plain.ts';
import { makeSign, type SignOptions } from './activations.ts';
import { type Conv2dLayerOptions, makeConv2d, makeQuantConv2d, type QuantConv2dOptions } from './conv2d.ts';
import { type DenseOptions, makeDense, makeQuantDense, type QuantDenseOptions } from './dense.ts';
import { makeQuantDepthwiseConv2d, type QuantDepthwiseConv2dOptions } from './depthwise.ts';
import type { Layer } from './layer.ts';
import type { LayerParts } from './parts.ts';

/** Quantizers that give signs and nothing else; no rotations, no groups. */
export const PLAIN_PARTS: LayerParts = {
  quantizer: resolvePlainQuantizer,
  quantizers: PLAIN_QUANTIZER_NAMES,
  rotation: undefined,
  groups: undefined,
};

export function sign(options: SignOptions = {}): Layer {
  return makeSign(options, PLAIN_PARTS);
}

export function conv2d(options: Omit<Conv2dLayerOptions, 'kernelQuantizer' | 'kernelConstraint'>): Layer {
  return makeConv2d(options, PLAIN_PARTS);
}

export function quantConv2d(options: QuantConv2dOptions): Layer {
  return makeQuantConv2d(options, PLAIN_PARTS);
}

export function dense(options: Omit<DenseOptions, 'kernelQuantizer' | 'kernelConstraint'>): Layer {
  return makeDense(options, PLAIN_PARTS);
}

export function quantDense(options: QuantDenseOptions): Layer {
  return makeQuantDense(options, PLAIN_PARTS);
}

export function quantDepthwiseConv2d(options: QuantDepthwiseConv2dOptions): Layer {
  return makeQuantDepthwiseConv2d(options, PLAIN_PARTS);
}
