/** This library's models as layers of TensorFlow.js: a network that was trained here goes on there. */
import * as tf from '@tensorflow/tfjs-core';
import { layers, type Sequential, sequential } from '@tensorflow/tfjs-layers';
import { OptionError } from '../../errors.ts';
import { floatValue, type Model, type ModelLayer, type ParameterValues } from '../../graph/index.ts';
import { takesSigns } from '../../graph/signs.ts';
import type { Layer } from './bases.ts';
import { quantConv2d, quantDense } from './layers.ts';
import { ApproxSign, type Quantizer, SteSign, SwishSign } from './quantizers.ts';

/** The parts of layers' configurations that are read here. */
interface Config {
  readonly units?: number;
  readonly filters?: number;
  readonly kernelSize?: number | [number, number];
  readonly strides?: number | [number, number];
  readonly dilations?: number | [number, number];
  readonly groups?: number;
  readonly padding?: 'valid' | 'same';
  readonly padValue?: number;
  readonly useBias?: boolean;
  readonly inputQuantizer?: Quantized;
  readonly kernelQuantizer?: Quantized;
  readonly poolSize?: number | [number, number];
  readonly momentum?: number;
}
type Named = { readonly name: string; readonly clip?: number; readonly beta?: number };
type Quantized = string | Named;

/**
 * A model as a `tf.sequential` of Larq's layers, with the values of its parameters.
 * @param values by `layer/parameter`, as `Network.read` and the file readers give them; drawn anew when absent
 * @throws OptionError for a model that branches, or a layer that has no form there: it says which
 */
export function toLayersModel(model: Model, values?: ParameterValues): Sequential {
  const made = sequential({ name: model.name });
  model.layers.forEach((entry, index) => {
    if (entry.inputs.length !== 1 || entry.inputs[0] !== index - 1) {
      throw new OptionError('Only a model without branches becomes a sequence of layers.', {
        given: `${entry.name} takes ${entry.inputs.length} inputs, or not those of the layer before`,
        where: model.name,
      });
    }
    const layer = layerOf(entry, index === 0 ? { inputShape: [...model.inputShape] } : {});
    made.add(layer);
    if (values !== undefined) setValues(layer, entry, values);
  });
  return made;
}

function layerOf(entry: ModelLayer, first: { inputShape?: number[] }): Layer {
  const { name, layer, parameters, outputShape } = entry;
  const config = layer.config as Config;
  const shared = { name, ...first };
  const constrained = parameters.some(({ role }) => role === 'binary')
    ? ({ kernelConstraint: 'weight_clip' } as const)
    : {};
  const quantized = {
    inputQuantizer: quantizerOf(config.inputQuantizer, name),
    kernelQuantizer: quantizerOf(config.kernelQuantizer, name),
    useBias: config.useBias === true,
    ...constrained,
  };
  const { traits = {} } = layer;
  const windows = () => {
    const { kernelSize = 1, strides = 1, dilations = 1, padValue = 0, groups = 1 } = config;
    const padding = paddingOf(config.padding, name);
    return { kernelSize, strides, dilationRate: dilations, padding, padValues: padValue, groups };
  };
  if (traits.reshapes === true && outputShape.length === 1) return layers.flatten(shared);
  if (takesSigns(entry)) return layers.activation({ ...shared, activation: 'ste_sign' as 'relu' });
  if (traits.product?.kind === 'dense' && traits.product.input !== 'integers') {
    return quantDense({ ...shared, ...quantized, units: config.units ?? 1 });
  }
  if (traits.product?.kind === 'conv2d' && traits.product.input !== 'integers') {
    return quantConv2d({ ...shared, ...quantized, ...windows(), filters: config.filters ?? 1 });
  }
  if (traits.pooling !== undefined && traits.output === 'selection') {
    const { poolSize = 1, strides = poolSize } = config;
    return layers.maxPooling2d({ ...shared, poolSize, strides, padding: paddingOf(config.padding, name) });
  }
  if (traits.channels?.do === 'normalize') {
    // TensorFlow.js can't train one without a scale; a scale of 1 stands in for none.
    const { epsilon } = traits.channels;
    const { momentum = 0.9 } = config;
    return layers.batchNormalization({ ...shared, momentum, epsilon, center: true, scale: true });
  }
  throw new OptionError('This layer has no form in TensorFlow.js here.', {
    given: layer.kind,
    expected: 'flatten, sign, products without depthwise ones, maxPool2d or batchNormalization',
    where: name,
  });
}

/** Hands a layer its weights, in the layout and the order that TensorFlow.js keeps them. */
function setValues(layer: Layer, entry: ModelLayer, values: ParameterValues): void {
  const read = (parameter: string): tf.Tensor | undefined => {
    const spec = entry.parameters.find(({ name }) => name === parameter);
    const value = values.get(`${entry.name}/${parameter}`);
    return spec === undefined || value === undefined
      ? undefined
      : tf.tensor(floatValue(value, spec.shape, `${entry.name}/${parameter}`), [...spec.shape]);
  };
  tf.tidy(() => {
    const kernel = read('kernel');
    const bias = read('bias');
    if (kernel !== undefined) {
      // Outputs come first here and last there.
      const outputsLast = tf.transpose(
        kernel,
        [...kernel.shape.keys()].map((axis) => (axis + 1) % kernel.rank),
      );
      layer.setWeights(bias === undefined ? [outputsLast] : [outputsLast, bias]);
    }
    if (entry.layer.traits?.channels?.do === 'normalize') {
      const mean = read('runningMean');
      const variance = read('runningVariance');
      if (mean === undefined || variance === undefined) return;
      layer.setWeights([
        read('gamma') ?? tf.onesLike(mean),
        read('beta') ?? tf.zerosLike(mean),
        mean,
        variance,
      ]);
    }
  });
}

function quantizerOf(given: Quantized | undefined, where: string): Quantizer | undefined {
  if (given === undefined) return undefined;
  const { name, clip, beta } = typeof given === 'string' ? ({ name: given } as Named) : given;
  const made: Readonly<Record<string, () => Quantizer>> = {
    steSign: () => new SteSign({ clipValue: clip ?? 1 }),
    steIdentity: () => new SteSign({ clipValue: null }),
    approxSign: () => new ApproxSign(),
    swishSign: () => new SwishSign({ beta: beta ?? 5 }),
  };
  const make = Object.hasOwn(made, name) ? made[name] : undefined;
  if (make !== undefined) return make();
  throw new OptionError('This quantizer has no form in TensorFlow.js here.', { given: name, where });
}

function paddingOf(padding: unknown, where: string): 'valid' | 'same' {
  if (padding === undefined || padding === 'valid' || padding === 'same') return padding ?? 'valid';
  throw new OptionError('This padding has no form in TensorFlow.js.', {
    given: JSON.stringify(padding),
    expected: "'valid' or 'same'",
    where,
  });
}
