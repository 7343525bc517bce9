/** Products of binary weights that take in what follows them. */
import { binaryConv2d, binaryDense, type Layer } from '../../layers/index.ts';
import type { Model, ModelLayer } from '../model.ts';
import { isIntegerProduct } from '../signs.ts';
import type { ParameterValue, ParameterValues } from '../values.ts';
import { kernelValue, type Replacement } from './pass.ts';

/** A product with the end that it has when it is only run, in place of a trained one. */
export function finished(
  entry: ModelLayer,
  values: ParameterValues,
  output: 'real' | 'signs',
  epilogue: Readonly<Record<string, Float32Array>>,
): Replacement {
  return {
    layer: fusedLayer(entry, output),
    values: new Map<string, ParameterValue>([
      ['kernel', kernelValue(entry, values)],
      ...Object.entries(epilogue),
    ]),
  };
}

/** The layer for inference that multiplies as a trained one does. */
function fusedLayer({ name, layer, inputShapes }: ModelLayer, output: 'real' | 'signs'): Layer {
  // What is left of the config is what all kinds of layers call by the same names.
  const { kernelQuantizer, kernelConstraint, kernelInitializer, inputQuantizer, useBias, ...rest } =
    layer.config;
  const { depthwiseQuantizer, depthwiseConstraint, depthwiseInitializer, depthMultiplier, ...shared } = rest;
  const options = { ...shared, name, output };
  const product = layer.traits?.product;
  if (product?.kind === 'dense') return binaryDense(options as Parameters<typeof binaryDense>[0]);
  if (product?.kind === 'conv2d') return binaryConv2d(options as Parameters<typeof binaryConv2d>[0]);
  const groups = inputShapes[0]?.[2] ?? 1;
  const filters = groups * (typeof depthMultiplier === 'number' ? depthMultiplier : 1);
  return binaryConv2d({ ...options, groups, filters } as Parameters<typeof binaryConv2d>[0]);
}

/** The product before a layer, with the pooling and the reshaping of pixels in between, in their order; empty where there is no such chain. */
export function chainBefore(source: Model, readers: readonly number[], index: number): number[] {
  const chain: number[] = [];
  let at = source.layers[index]?.inputs[0] ?? -1;
  while (at >= 0 && readers[at] === 1) {
    chain.unshift(at);
    const entry = source.layers[at];
    if (isIntegerProduct(source, at)) return chain;
    if (entry === undefined || !(isMaximum(entry) || keepsChannels(entry))) return [];
    at = entry.inputs[0] ?? -1;
  }
  return [];
}

/** Whether a layer gives the same pixels under another shape. */
function keepsChannels({ layer, inputShapes, outputShape }: ModelLayer): boolean {
  return layer.traits?.reshapes === true && inputShapes[0]?.at(-1) === outputShape.at(-1);
}

/** Whether a layer gives the largest value of each window. */
export function isMaximum({ layer }: ModelLayer): boolean {
  const { pooling, output } = layer.traits ?? {};
  return pooling !== undefined && output === 'selection';
}
