/** Layers over [steps, channels], as time series have them: those of images that are one pixel high. */
import { OptionError, ShapeError } from '../errors.ts';
import { describe, type Shape } from '../gpu/index.ts';
import { notedConfig } from '../methods/index.ts';
import type { Padding } from '../numerics/windows.ts';
import { layerName, namesOf } from '../options.ts';
import { type Conv2dLayerOptions, QUANT_CONV2D_OPTIONS, type QuantConv2dOptions } from './conv2d.ts';
import { type Activation, type Layer, onlyInput } from './layer.ts';
import { conv2d, quantConv2d } from './named.ts';
import { averagePool2d, globalAveragePool2d, maxPool2d, type Pool2dLayerOptions } from './pooling.ts';
import { reshape } from './reshaping.ts';

/** `causal`: a step's window ends with it. [before, after]: steps on either side. */
export type Padding1d = 'valid' | 'same' | 'causal' | readonly [before: number, after: number];

interface Windows1d {
  /** Steps from one window to the next. Default 1. */
  readonly strides?: number;
  /** Steps from one tap of a window to the next. Default 1. */
  readonly dilations?: number;
  /** Default `valid`. */
  readonly padding?: Padding1d;
  /** Steps of a window. */
  readonly kernelSize: number;
}

type Windows2d = 'kernelSize' | 'strides' | 'dilations' | 'padding';
type Real2d = Omit<Conv2dLayerOptions, Windows2d | 'kernelQuantizer' | 'kernelConstraint'>;
/** Options of `conv1d`. */
export interface Conv1dOptions extends Real2d, Windows1d {}
/** Options of `quantConv1d`. */
export interface QuantConv1dOptions
  extends Omit<QuantConv2dOptions, Windows2d | 'inputGroupScale'>,
    Windows1d {}

/** Options of `maxPool1d` and `averagePool1d`. */
export interface Pool1dOptions {
  /** What the layer is called in a model, its files and errors. Default: its kind, with a number. */
  readonly name?: string;
  /** Steps of a window. */
  readonly poolSize: number;
  /** Steps from one window to the next; the window's size when absent. */
  readonly strides?: number;
  /** Default `valid`. */
  readonly padding?: Padding1d;
}

const POOL1D_OPTIONS = namesOf<Pool1dOptions>({ name: true, poolSize: true, strides: true, padding: true });

/**
 * 1-D convolution with real weights [filters, 1, kernelSize, channels/groups] (Keras `Conv1D`). Input [steps, channels].
 * @example
 * ```ts
 * import { conv1d, sequential } from 'webgpu-bnn';
 *
 * sequential([conv1d({ filters: 8, kernelSize: 3 })], { input: [16, 8] });
 * ```
 */
export function conv1d(options: Conv1dOptions): Layer {
  layerName(options, QUANT_CONV2D_OPTIONS, 'conv1d');
  return onImages('conv1d', options, conv2d({ ...options, ...windowsOf(options, 'conv1d') }));
}

/**
 * Binary 1-D convolution (Larq's `QuantConv1D`): `quantConv2d` on [steps, channels].
 * @example
 * ```ts
 * import { quantConv1d, sequential } from 'webgpu-bnn';
 *
 * sequential([quantConv1d({ filters: 8, kernelSize: 3, inputQuantizer: 'steSign', kernelQuantizer: 'steSign' })], { input: [16, 8] });
 * ```
 */
export function quantConv1d(options: QuantConv1dOptions): Layer {
  layerName(options, QUANT_CONV2D_OPTIONS, 'quantConv1d');
  return onImages('quantConv1d', options, quantConv2d({ ...options, ...windowsOf(options, 'quantConv1d') }));
}

/**
 * Largest value of each window of steps (Keras `MaxPooling1D`). Input [steps, channels].
 * @example
 * ```ts
 * import { maxPool1d, sequential } from 'webgpu-bnn';
 *
 * sequential([maxPool1d({ poolSize: 2 })], { input: [16, 8] });
 * ```
 */
export function maxPool1d(options: Pool1dOptions): Layer {
  return onImages('maxPool1d', options, maxPool2d(poolOf(options, 'maxPool1d')));
}

/**
 * Mean of each window of steps; padding doesn't count (Keras `AveragePooling1D`). Input [steps, channels].
 * @example
 * ```ts
 * import { averagePool1d, sequential } from 'webgpu-bnn';
 *
 * sequential([averagePool1d({ poolSize: 2 })], { input: [16, 8] });
 * ```
 */
export function averagePool1d(options: Pool1dOptions): Layer {
  return onImages('averagePool1d', options, averagePool2d(poolOf(options, 'averagePool1d')));
}

/**
 * Mean over the steps: [steps, channels] to [channels].
 * @example
 * ```ts
 * import { globalAveragePool1d, sequential } from 'webgpu-bnn';
 *
 * sequential([globalAveragePool1d()], { input: [16, 8] });
 * ```
 */
export function globalAveragePool1d(options: { readonly name?: string } = {}): Layer {
  layerName(options, ['name'], 'globalAveragePool1d');
  return onImages('globalAveragePool1d', options, globalAveragePool2d({ ...options }));
}

function poolOf(options: Pool1dOptions, kind: string): Pool2dLayerOptions {
  layerName(options, POOL1D_OPTIONS, kind);
  const { name, poolSize: kernelSize, strides = kernelSize } = options;
  const {
    kernelSize: poolSize,
    dilations: _,
    ...windows
  } = windowsOf({ ...options, kernelSize, strides }, kind);
  return { ...(name !== undefined && { name }), poolSize, ...windows };
}

/** Windows of steps as those of pixels. @throws OptionError for what has two axes, or no such padding */
function windowsOf(
  { kernelSize, strides = 1, dilations = 1, padding = 'valid', name }: Windows1d & { readonly name?: string },
  kind: string,
) {
  const where = name ?? kind;
  for (const [option, value] of Object.entries({ kernelSize, strides, dilations })) {
    if (Number.isSafeInteger(value) && value > 0) continue;
    throw new OptionError('This option is a positive number of steps.', {
      given: `${option} = ${JSON.stringify(value)}`,
      where,
    });
  }
  const reach = (kernelSize - 1) * dilations;
  return {
    kernelSize: [1, kernelSize],
    strides: [1, strides],
    dilations: [1, dilations],
    padding: paddingOf(padding === 'causal' ? [reach, 0] : padding, where),
  } as const;
}

function paddingOf(padding: Exclude<Padding1d, 'causal'>, where: string): Padding {
  if (padding === 'valid' || padding === 'same') return padding;
  if (Array.isArray(padding) && padding.length === 2 && padding.every(Number.isSafeInteger)) {
    return [[0, 0], padding as readonly [number, number]];
  }
  throw new OptionError('This padding is unknown.', {
    given: JSON.stringify(padding),
    expected: "'valid', 'same', 'causal' or [before, after] in whole steps",
    where,
  });
}

/** A layer of images on [1, steps, channels]. */
function onImages(kind: string, options: { readonly name?: string }, image: Layer): Layer {
  const where = options.name ?? kind;
  const wide = ([steps = 1, channels = 1]: Shape): Shape => [1, steps, channels];
  /** Without the height, where there is one. */
  const narrow = (shape: Shape): Shape => (shape.length === 3 ? shape.slice(1) : shape);
  const shapeOf = (inputs: readonly Shape[], name: string): Shape => {
    const input = onlyInput(inputs, name);
    if (input.length === 2) return wide(input);
    throw new ShapeError("The input's shape doesn't fit this layer.", {
      given: describe(input),
      expected: '[steps, channels]',
      where: name,
    });
  };
  const { pooling: _, product: _ofImages, ...traits } = image.traits ?? {};
  return {
    name: options.name,
    kind,
    config: notedConfig(options),
    traits: {
      ...traits,
      parts(inputs) {
        const shape = shapeOf(inputs, where);
        const outputShape = image.outputShape([shape], where);
        const last =
          outputShape.length === 3 ? [{ name: 'steps', layer: reshape({ shape: narrow(outputShape) }) }] : [];
        return [{ name: 'image', layer: reshape({ shape }) }, { layer: image }, ...last];
      },
    },
    outputShape: (inputs, name) => narrow(image.outputShape([shapeOf(inputs, name)], name)),
    parameters: (inputs) => image.parameters([shapeOf(inputs, where)]),
    operations: (inputs) => image.operations?.([shapeOf(inputs, where)]) ?? { binary: 0, float: 0 },
    forward(context, inputs) {
      const input = onlyInput(inputs, where);
      const { shape } = input.tensor;
      const reshaped = (
        { kind: flow, tensor, integers = false }: Activation,
        to: (shape: Shape) => Shape,
      ) => {
        const [batch = 1, ...sample] = tensor.shape;
        return { kind: flow, tensor: tensor.reshape([batch, ...to(sample)]), integers };
      };
      const { output: whole, backward } = image.forward(context, [reshaped(input, wide)]);
      return {
        output: reshaped(whole, narrow),
        backward(gradOutput) {
          const { inputs: gradients, ...made } = backward(gradOutput.reshape(whole.tensor.shape));
          return { inputs: gradients.map((gradient) => gradient?.reshape(shape)), ...made };
        },
      };
    },
  };
}
