/** An example of every layer. */

import type { Layer, LayerKind } from '../../src/layers/index.ts';
import * as layers from '../../src/layers/index.ts';

/** A layer, and the shapes of what it takes. */
type Example = readonly [Layer, ...(readonly number[])[]];

/** Layers that need options, or take several inputs, and those whose options have more to tell than their defaults. */
const OWN: Partial<Readonly<Record<LayerKind, Example>>> = {
  add: [layers.add(), [3, 4], [3, 4]],
  averagePool2d: [layers.averagePool2d({ poolSize: 2, strides: [1, 2], padding: 'same' }), [4, 5, 3]],
  batchNormalization: [layers.batchNormalization({ momentum: 0.5, epsilon: 1e-3, scale: false }), [2, 3]],
  binaryConv2d: [
    layers.binaryConv2d({
      filters: 6,
      kernelSize: 3,
      output: 'real',
      padding: 'same',
      residual: true,
      prelu: true,
    }),
    [4, 5, 6],
    [4, 5, 6],
  ],
  binaryDense: [layers.binaryDense({ units: 33, output: 'signs', activation: 'relu6' }), [70]],
  concat: [layers.concat(), [3, 4], [3, 4]],
  averagePool1d: [layers.averagePool1d({ poolSize: 3, strides: 2, padding: 'same' }), [8, 3]],
  conv1d: [
    layers.conv1d({ filters: 4, kernelSize: 3, padding: 'causal', dilations: 2, groups: 2, useBias: true }),
    [9, 4],
  ],
  maxPool1d: [layers.maxPool1d({ poolSize: 2, padding: [1, 0] }), [7, 33]],
  quantConv1d: [
    layers.quantConv1d({
      filters: 5,
      kernelSize: 4,
      strides: 2,
      inputQuantizer: 'steSign',
      kernelQuantizer: 'steSign',
    }),
    [11, 35],
  ],
  conv2d: [
    layers.conv2d({ filters: 4, kernelSize: [2, 3], strides: 2, groups: 2, useBias: true }),
    [5, 6, 4],
  ],
  dense: [layers.dense({ units: 3, kernelInitializer: { kind: 'normal', deviation: 2 } }), [7]],
  divide: [layers.divide(), [3, 4], [3, 4]],
  dropout: [layers.dropout({ rate: 0.25 }), [6]],
  leakyRelu: [layers.leakyRelu({ alpha: 0.125 }), [3]],
  maximum: [layers.maximum(), [3, 4], [3, 4]],
  maxPool2d: [layers.maxPool2d({ poolSize: [2, 1] }), [4, 3, 33]],
  minimum: [layers.minimum(), [3, 4], [3, 4]],
  multiThreshold: [layers.multiThreshold({ levels: 3 }), [2, 5]],
  multiply: [layers.multiply(), [3, 4], [3, 4]],
  pad2d: [
    layers.pad2d({
      padding: [
        [1, 0],
        [0, 2],
      ],
    }),
    [3, 4, 2],
  ],
  quantComplexConv2d: [
    layers.quantComplexConv2d({
      filters: 3,
      kernelSize: [3, 2],
      inputQuantizer: 'steSign',
      kernelQuantizer: 'steSign',
      padding: 'same',
    }),
    [5, 4, 34],
  ],
  quantConv2d: [
    layers.quantConv2d({
      filters: 4,
      kernelSize: 3,
      inputQuantizer: { name: 'swishSign', beta: 3 },
      kernelQuantizer: { name: 'steSign', clip: 1.3 },
      padding: [
        [1, 0],
        [0, 2],
      ],
      padValue: -1,
      dilations: 2,
      kernelConstraint: 'none',
    }),
    [7, 8, 35],
  ],
  quantDense: [layers.quantDense({ units: 3, kernelQuantizer: 'approxSign', useBias: true }), [70]],
  quantGatedConv2d: [
    layers.quantGatedConv2d({
      filters: 4,
      kernelSize: [2, 3],
      kernelQuantizer: { name: 'steSign', clip: 1.3 },
      padding: 'same',
      strides: 2,
      threshold: 0.5,
    }),
    [5, 6, 35],
  ],
  quantize: [layers.quantize({ bits: 4, signed: false, rounding: 'floor', output: 'integers' }), [4]],
  relu: [layers.relu({ minimum: -1, maximum: 6 }), [4]],
  quantDepthwiseConv2d: [
    layers.quantDepthwiseConv2d({ kernelSize: [3, 2], depthMultiplier: 2, depthwiseQuantizer: 'steSign' }),
    [5, 4, 3],
  ],
  quantProxyConv2d: [
    layers.quantProxyConv2d({
      filters: 3,
      kernelSize: [3, 2],
      inputQuantizer: 'steSign',
      kernelQuantizer: 'steSign',
      groups: 1,
      padding: 'same',
    }),
    [5, 4, 34],
  ],
  quantProxyDense: [layers.quantProxyDense({ units: 3, kernelQuantizer: 'approxSign', useBias: true }), [70]],
  quantSeparableConv2d: [
    layers.quantSeparableConv2d({ filters: 7, kernelSize: 3, pointwiseQuantizer: 'steSign', useBias: true }),
    [5, 4, 3],
  ],
  requantize: [layers.requantize({ minimum: -128, maximum: 127, zeroPoint: 3 }), [4]],
  reshape: [layers.reshape({ shape: [6, 2] }), [3, 4]],
  sign: [layers.sign({ quantizer: 'steIdentity' }), [4]],
  signPool2d: [layers.signPool2d({ poolSize: [2, 1] }), [4, 3, 33]],
  slice: [layers.slice({ begin: [1, 3], size: [2, 2], strides: [1, -3] }), [3, 5]],
  subtract: [layers.subtract(), [3, 4], [3, 4]],
  transpose: [layers.transpose({ permutation: [2, 0, 1] }), [2, 3, 4]],
};

/** What layers may take, until one fits. */
const SHAPES = [[4, 5, 6], [5, 6], [7]];

function withDefaults(kind: LayerKind): Example {
  const layer = layers.makeLayer(kind, {}, 'example');
  const fitting = SHAPES.find((shape) => {
    try {
      return layer.outputShape([shape], kind).length > 0;
    } catch {
      return false;
    }
  });
  if (fitting === undefined) throw new Error(`${kind} needs an example`);
  return [layer, fitting];
}

/** Of every kind that there is. */
export const EXAMPLES = Object.fromEntries(
  layers.LAYER_KINDS.map((kind) => [kind, OWN[kind] ?? withDefaults(kind)]),
) as Readonly<Record<LayerKind, Example>>;

/** Those that are made of others when a network is run. */
export const IN_PARTS = layers.LAYER_KINDS.filter((kind) => EXAMPLES[kind][0].traits?.parts !== undefined);
