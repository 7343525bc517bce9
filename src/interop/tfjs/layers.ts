/**
 * Larq's layers for TensorFlow.js (larq/layers.py): those of Keras with quantizers for the input and the kernel, and a
 * value to pad with. Configurations, names of weights and defaults are Larq's, in camelCase or as Larq writes them.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { layers as tfLayers } from '@tensorflow/tfjs-layers';
import { OptionError } from '../../errors.ts';
import { placeWindows } from '../../numerics/windows.ts';
import { assertLive } from './backend.ts';
import {
  Conv1DBase,
  Conv2DBase,
  DenseBase,
  DepthwiseConv2DBase,
  type Layer,
  SeparableConv2DBase,
  type Shape,
} from './bases.ts';
import { applyConstraints } from './constraining.ts';
import type { WeightClip } from './constraints.ts';
import { markBinary } from './optimizers.ts';
import { quantizedProduct, type Windows } from './products.ts';
import { getQuantizer, type Quantizer, type QuantizerIdentifier, serializeQuantizer } from './quantizers.ts';

type Config = tf.serialization.ConfigDict;
type Kwargs = Parameters<Layer['call']>[1];
type Inputs = tf.Tensor | tf.Tensor[];

interface InputQuantized {
  /** Applied to the layer's input; none when absent. */
  readonly inputQuantizer?: QuantizerIdentifier | null | undefined;
}
interface KernelQuantized extends InputQuantized {
  /** Applied to the layer's kernel; none when absent. */
  readonly kernelQuantizer?: QuantizerIdentifier | null | undefined;
}
interface DepthwiseQuantized extends InputQuantized {
  /** Applied to the depthwise kernel; none when absent. */
  readonly depthwiseQuantizer?: QuantizerIdentifier | null | undefined;
}
interface Padded {
  /** What pixels outside the image count as where `padding` is `same`; 0 when absent. Padded after quantization. */
  readonly padValues?: number | undefined;
}
interface Grouped {
  /** Groups of channels that are convolved apart; 1 when absent. */
  readonly groups?: number | undefined;
}

/** What TensorFlow.js' layers take, with Larq's constraint and activations beside its own. */
type Widened<Args> = {
  [K in keyof Args]: K extends `${string}Constraint`
    ? Args[K] | 'weight_clip' | WeightClip
    : K extends 'activation'
      ? Args[K] | string | Quantizer
      : Args[K];
};

/** Arguments of `quantDense`, by their names in Larq and in TensorFlow.js. */
export type QuantDenseArgs = Widened<Parameters<typeof tfLayers.dense>[0]> & KernelQuantized;
/** Arguments of the quantized convolutions, by their names in Larq and in TensorFlow.js. */
export type QuantConvArgs = Widened<Parameters<typeof tfLayers.conv2d>[0]> &
  KernelQuantized &
  Padded &
  Grouped;
/** Arguments of `quantDepthwiseConv2d`. */
export type QuantDepthwiseConv2DArgs = Widened<Parameters<typeof tfLayers.depthwiseConv2d>[0]> &
  DepthwiseQuantized &
  Padded;
/** Arguments of `quantSeparableConv2d`. */
export type QuantSeparableConv2DArgs = Widened<Parameters<typeof tfLayers.separableConv2d>[0]> &
  DepthwiseQuantized &
  Padded & {
    /** Applied to the pointwise kernel; none when absent. */
    readonly pointwiseQuantizer?: QuantizerIdentifier | null | undefined;
  };

/** Keras' default, where TensorFlow.js has another. */
const INITIALIZER = 'glorotUniform';

/** `output = activation(inputQuantizer(input) · kernelQuantizer(kernel) + bias)`, over the last axis. */
export class QuantDense extends DenseBase {
  /** Name under which saved models of TensorFlow.js have it. */
  static readonly className: string = 'QuantDense';
  /** What the input is quantized with; undefined: it is taken as it is. */
  readonly inputQuantizer: Quantizer | undefined;
  /** What the kernel is quantized with; undefined: it is used as it is. */
  readonly kernelQuantizer: Quantizer | undefined;

  constructor(args: QuantDenseArgs) {
    super({ kernelInitializer: INITIALIZER, ...(args as unknown as Config) });
    this.inputQuantizer = getQuantizer(args.inputQuantizer, `${this.name}: inputQuantizer`);
    this.kernelQuantizer = getQuantizer(args.kernelQuantizer, `${this.name}: kernelQuantizer`);
  }

  override build(inputShape: Shape | Shape[]): void {
    super.build(inputShape);
    applyConstraints(this);
    if (this.kernelQuantizer?.precision === 1) markBinary(this.kernel);
  }

  override call(inputs: Inputs, kwargs: Kwargs): tf.Tensor {
    return tf.tidy(() => {
      this.invokeCallHook(inputs, kwargs);
      const x = onlyOne(inputs);
      const rows = tf.reshape(x, [-1, x.shape.at(-1) ?? 1]);
      const { inputQuantizer, kernelQuantizer } = this;
      const product = quantizedProduct(rows, this.kernel.read(), { inputQuantizer, kernelQuantizer });
      return finished(tf.reshape(product, [...x.shape.slice(0, -1), this.units]), this);
    });
  }

  override getConfig(): Config {
    return {
      ...super.getConfig(),
      inputQuantizer: serializeQuantizer(this.inputQuantizer),
      kernelQuantizer: serializeQuantizer(this.kernelQuantizer),
    };
  }
}

/** A 1-D convolution with quantized input and kernel; `padding` may be `causal` too. */
export class QuantConv1D extends Conv1DBase {
  /** Name under which saved models of TensorFlow.js have it. */
  static readonly className: string = 'QuantConv1D';
  /** What the input is quantized with; undefined: it is taken as it is. */
  readonly inputQuantizer: Quantizer | undefined;
  /** What the kernel is quantized with; undefined: it is used as it is. */
  readonly kernelQuantizer: Quantizer | undefined;
  /** What taps outside the input read where `padding` is `same`, after quantization; 0 when absent. */
  readonly padValues: number;
  /** Groups that channels and filters are divided into; 1 when absent. */
  readonly groups: number;

  constructor(args: QuantConvArgs) {
    super({ kernelInitializer: INITIALIZER, ...(args as unknown as Config) });
    this.inputQuantizer = getQuantizer(args.inputQuantizer, `${this.name}: inputQuantizer`);
    this.kernelQuantizer = getQuantizer(args.kernelQuantizer, `${this.name}: kernelQuantizer`);
    this.padValues = padValuesOf(args, this.name);
    this.groups = groupsOf(args, this.filters, this.name);
    if (this.padding === 'causal' && this.padValues !== 0) {
      throw new OptionError('Causal padding is with zeros.', {
        given: `padValues ${this.padValues}`,
        where: this.name,
      });
    }
  }

  override build(inputShape: Shape | Shape[]): void {
    buildGrouped(this, super.build.bind(this), inputShape);
  }

  override call(inputs: Inputs, kwargs: Kwargs): tf.Tensor {
    return tf.tidy(() => {
      this.invokeCallHook(inputs, kwargs);
      const x = channelsLast(onlyOne(inputs), this.dataFormat) as tf.Tensor3D;
      const kernel = this.kernel.read() as tf.Tensor3D;
      const [taps, channels, filters] = kernel.shape;
      const image = tf.expandDims(x, 1);
      const windows = windowsOf(this, [1, x.shape[1]], [1, taps]);
      const { inputQuantizer, kernelQuantizer } = this;
      const product = quantizedProduct(image, tf.reshape(kernel, [1, taps, channels, filters]), {
        inputQuantizer,
        kernelQuantizer,
        windows,
      });
      return channelsFirst(finished(tf.squeeze(product, [1]), this), this.dataFormat);
    });
  }

  /** TensorFlow.js, which has no causal padding, takes it for none. */
  override computeOutputShape(inputShape: Shape | Shape[]): Shape | Shape[] {
    const shape = (Array.isArray(inputShape[0]) ? inputShape[0] : inputShape) as Shape;
    if (this.padding !== 'causal') return super.computeOutputShape(inputShape);
    const first = this.dataFormat === 'channelsFirst';
    const steps = (first ? shape[2] : shape[1]) ?? null;
    const out = steps === null ? null : Math.ceil(steps / (this.strides[0] ?? 1));
    return first ? [shape[0] ?? null, this.filters, out] : [shape[0] ?? null, out, this.filters];
  }

  override getConfig(): Config {
    const { inputQuantizer, kernelQuantizer, padValues, groups, dataFormat } = this;
    return {
      ...super.getConfig(),
      // TensorFlow.js leaves it out of its own.
      dataFormat,
      inputQuantizer: serializeQuantizer(inputQuantizer),
      kernelQuantizer: serializeQuantizer(kernelQuantizer),
      padValues,
      groups,
    };
  }
}

/** A 2-D convolution with quantized input and kernel. */
export class QuantConv2D extends Conv2DBase {
  /** Name under which saved models of TensorFlow.js have it. */
  static readonly className: string = 'QuantConv2D';
  /** What the input is quantized with; undefined: it is taken as it is. */
  readonly inputQuantizer: Quantizer | undefined;
  /** What the kernel is quantized with; undefined: it is used as it is. */
  readonly kernelQuantizer: Quantizer | undefined;
  /** What taps outside the input read where `padding` is `same`, after quantization; 0 when absent. */
  readonly padValues: number;
  /** Groups that channels and filters are divided into; 1 when absent. */
  readonly groups: number;

  constructor(args: QuantConvArgs) {
    super({ kernelInitializer: INITIALIZER, ...(args as unknown as Config) });
    this.inputQuantizer = getQuantizer(args.inputQuantizer, `${this.name}: inputQuantizer`);
    this.kernelQuantizer = getQuantizer(args.kernelQuantizer, `${this.name}: kernelQuantizer`);
    this.padValues = padValuesOf(args, this.name);
    this.groups = groupsOf(args, this.filters, this.name);
    refuseCausal(this);
  }

  override build(inputShape: Shape | Shape[]): void {
    buildGrouped(this, super.build.bind(this), inputShape);
  }

  override call(inputs: Inputs, kwargs: Kwargs): tf.Tensor {
    return tf.tidy(() => {
      this.invokeCallHook(inputs, kwargs);
      const x = channelsLast(onlyOne(inputs), this.dataFormat);
      const { inputQuantizer, kernelQuantizer, kernelSize } = this;
      const windows = windowsOf(this, x.shape.slice(1, 3), kernelSize);
      const product = quantizedProduct(x, this.kernel.read(), { inputQuantizer, kernelQuantizer, windows });
      return channelsFirst(finished(product, this), this.dataFormat);
    });
  }

  override getConfig(): Config {
    const { inputQuantizer, kernelQuantizer, padValues, groups } = this;
    return {
      ...super.getConfig(),
      inputQuantizer: serializeQuantizer(inputQuantizer),
      kernelQuantizer: serializeQuantizer(kernelQuantizer),
      padValues,
      groups,
    };
  }
}

/** A depthwise 2-D convolution with quantized input and kernel: every channel on its own. */
export class QuantDepthwiseConv2D extends DepthwiseConv2DBase {
  /** Name under which saved models of TensorFlow.js have it. */
  static readonly className: string = 'QuantDepthwiseConv2D';
  /** What the input is quantized with; undefined: it is taken as it is. */
  readonly inputQuantizer: Quantizer | undefined;
  /** What the depthwise kernel is quantized with; undefined: it is used as it is. */
  readonly depthwiseQuantizer: Quantizer | undefined;
  /** What taps outside the input read where `padding` is `same`, after quantization; 0 when absent. */
  readonly padValues: number;

  constructor(args: QuantDepthwiseConv2DArgs) {
    super({ depthwiseInitializer: INITIALIZER, ...(args as unknown as Config) });
    this.inputQuantizer = getQuantizer(args.inputQuantizer, `${this.name}: inputQuantizer`);
    this.depthwiseQuantizer = getQuantizer(args.depthwiseQuantizer, `${this.name}: depthwiseQuantizer`);
    this.padValues = padValuesOf(args, this.name);
    refuseCausal(this);
  }

  override build(inputShape: Shape | Shape[]): void {
    super.build(inputShape);
    applyConstraints(this);
    if (this.depthwiseQuantizer?.precision === 1) markBinary(this.depthwiseKernel);
  }

  override call(inputs: Inputs, kwargs: Kwargs): tf.Tensor {
    return tf.tidy(() => {
      this.invokeCallHook(inputs, kwargs);
      const x = channelsLast(onlyOne(inputs), this.dataFormat);
      const { inputQuantizer, depthwiseQuantizer } = this;
      const product = depthwiseProduct(x, this.depthwiseKernel.read(), this, {
        inputQuantizer,
        depthwiseQuantizer,
      });
      return channelsFirst(finished(product, this), this.dataFormat);
    });
  }

  /** TensorFlow.js leaves the dilation out of account. */
  override computeOutputShape(inputShape: Shape | Shape[]): Shape {
    const shape = (Array.isArray(inputShape[0]) ? inputShape[0] : inputShape) as Shape;
    const last = this.dataFormat === 'channelsLast';
    const [batch = null] = shape;
    const channels = (last ? shape[3] : shape[1]) ?? null;
    const size = last ? shape.slice(1, 3) : shape.slice(2, 4);
    const out = size.map((pixels, axis) =>
      pixels === null
        ? null
        : placeWindows(
            pixels,
            this.kernelSize[axis] ?? 1,
            this.strides[axis] ?? 1,
            this.dilationRate[axis] ?? 1,
            this.padding === 'same' ? 'same' : 'valid',
          ).out,
    );
    const outputs = channels === null ? null : channels * this.depthMultiplier;
    return last ? [batch, ...out, outputs] : [batch, outputs, ...out];
  }

  override getConfig(): Config {
    const { inputQuantizer, depthwiseQuantizer, padValues, depthwiseConstraint } = this;
    return {
      ...super.getConfig(),
      // TensorFlow.js writes the regularizer in its place.
      depthwiseConstraint: serialized(depthwiseConstraint),
      inputQuantizer: serializeQuantizer(inputQuantizer),
      depthwiseQuantizer: serializeQuantizer(depthwiseQuantizer),
      padValues,
    };
  }
}

/**
 * A depthwise convolution and a 1×1 convolution of its sums. The input and both kernels are quantized; what lies between
 * the two is not.
 */
export class QuantSeparableConv2D extends SeparableConv2DBase {
  /** Name under which saved models of TensorFlow.js have it. */
  static readonly className: string = 'QuantSeparableConv2D';
  /** What the input is quantized with; undefined: it is taken as it is. */
  readonly inputQuantizer: Quantizer | undefined;
  /** What the depthwise kernel is quantized with; undefined: it is used as it is. */
  readonly depthwiseQuantizer: Quantizer | undefined;
  /** What the pointwise kernel is quantized with; undefined: it is used as it is. */
  readonly pointwiseQuantizer: Quantizer | undefined;
  /** What taps outside the input read where `padding` is `same`, after quantization; 0 when absent. */
  readonly padValues: number;

  constructor(args: QuantSeparableConv2DArgs) {
    super(args as unknown as Config);
    if (args.pointwiseInitializer !== undefined) {
      // TensorFlow.js takes the depthwise one for both; a layer made of it has the right one.
      const made = new Conv2DBase({
        filters: 1,
        kernelSize: 1,
        name: this.name,
        kernelInitializer: args.pointwiseInitializer as unknown as Config,
      });
      this.pointwiseInitializer = made.kernelInitializer;
    }
    this.inputQuantizer = getQuantizer(args.inputQuantizer, `${this.name}: inputQuantizer`);
    this.depthwiseQuantizer = getQuantizer(args.depthwiseQuantizer, `${this.name}: depthwiseQuantizer`);
    this.pointwiseQuantizer = getQuantizer(args.pointwiseQuantizer, `${this.name}: pointwiseQuantizer`);
    this.padValues = padValuesOf(args, this.name);
  }

  override build(inputShape: Shape | Shape[]): void {
    super.build(inputShape);
    applyConstraints(this);
    if (this.depthwiseQuantizer?.precision === 1) markBinary(this.depthwiseKernel);
    if (this.pointwiseQuantizer?.precision === 1) markBinary(this.pointwiseKernel);
  }

  override call(inputs: Inputs, kwargs: Kwargs): tf.Tensor {
    return tf.tidy(() => {
      this.invokeCallHook(inputs, kwargs);
      const x = channelsLast(onlyOne(inputs), this.dataFormat);
      const { inputQuantizer, depthwiseQuantizer, pointwiseQuantizer } = this;
      const between = depthwiseProduct(x, this.depthwiseKernel.read(), this, {
        inputQuantizer,
        depthwiseQuantizer,
      });
      const kernel = this.pointwiseKernel.read();
      const [, , channels = 1, filters = 1] = kernel.shape;
      const product = quantizedProduct(
        tf.reshape(between, [-1, channels]),
        tf.reshape(kernel, [channels, filters]),
        {
          inputQuantizer: undefined,
          kernelQuantizer: pointwiseQuantizer,
        },
      );
      const y = tf.reshape(product, [...between.shape.slice(0, 3), filters]);
      return channelsFirst(finished(y, this), this.dataFormat);
    });
  }

  override getConfig(): Config {
    const { inputQuantizer, depthwiseQuantizer, pointwiseQuantizer, padValues, depthMultiplier } = this;
    return {
      ...super.getConfig(),
      // TensorFlow.js leaves it out of its own.
      depthMultiplier,
      inputQuantizer: serializeQuantizer(inputQuantizer),
      depthwiseQuantizer: serializeQuantizer(depthwiseQuantizer),
      pointwiseQuantizer: serializeQuantizer(pointwiseQuantizer),
      padValues,
    };
  }
}

/** Larq's other layers, and why they aren't here. */
const UNSUPPORTED = {
  QuantConv3D: 'there are no binary kernels for three spatial axes',
  QuantConv3DTranspose: 'there are no binary kernels for three spatial axes',
  QuantConv2DTranspose: 'there is no binary kernel for transposed convolutions',
  QuantLocallyConnected1D: 'TensorFlow.js has no locally connected layers',
  QuantLocallyConnected2D: 'TensorFlow.js has no locally connected layers',
  QuantSeparableConv1D: 'TensorFlow.js has no separable convolution along one axis',
} as const;

const SUPPORTED = [QuantDense, QuantConv1D, QuantConv2D, QuantDepthwiseConv2D, QuantSeparableConv2D];

/** Tells TensorFlow.js of the layers, and of those that it should say are missing. */
export function registerLayers(): void {
  for (const layer of SUPPORTED) tf.serialization.registerClass(layer);
  for (const [className, why] of Object.entries(UNSUPPORTED)) {
    class Unsupported extends DenseBase {
      static readonly className: string = className;

      constructor(config: Config) {
        super({ units: 1, name: String(config.name ?? className) });
        throw new OptionError('This layer of Larq is not supported.', {
          given: `${className}: ${why}`,
          expected: SUPPORTED.map((layer) => layer.className).join(', '),
          where: String(config.name ?? 'a layer without a name'),
        });
      }
    }
    tf.serialization.registerClass(Unsupported);
  }
}

/** Makes a layer, as `tf.layers.dense(...)` does. */
export const quantDense = (args: QuantDenseArgs) => new QuantDense(args);
/** Larq's `QuantConv1D` as a layer of TensorFlow.js. */
export const quantConv1d = (args: QuantConvArgs) => new QuantConv1D(args);
/** Larq's `QuantConv2D` as a layer of TensorFlow.js. */
export const quantConv2d = (args: QuantConvArgs) => new QuantConv2D(args);
/** Larq's `QuantDepthwiseConv2D` as a layer of TensorFlow.js. */
export const quantDepthwiseConv2d = (args: QuantDepthwiseConv2DArgs) => new QuantDepthwiseConv2D(args);
/** Larq's `QuantSeparableConv2D` as a layer of TensorFlow.js. */
export const quantSeparableConv2d = (args: QuantSeparableConv2DArgs) => new QuantSeparableConv2D(args);

/** A convolution of every channel with its own kernels [kh, kw, C, M], as one with as many groups as channels. */
function depthwiseProduct(
  x: tf.Tensor,
  kernel: tf.Tensor,
  layer: Placed,
  quantizers: { inputQuantizer: Quantizer | undefined; depthwiseQuantizer: Quantizer | undefined },
): tf.Tensor {
  const [height = 1, width = 1, channels = 1, multiplier = 1] = kernel.shape;
  const { inputQuantizer, depthwiseQuantizer } = quantizers;
  // Scaled signs share their scale by what is the last axis before the kernel is reshaped.
  const early = depthwiseQuantizer?.surrogate?.scaled === true;
  const weights = early ? depthwiseQuantizer.apply(kernel) : kernel;
  const windows = {
    ...windowsOf({ ...placedOf(layer), groups: channels }, x.shape.slice(1, 3), [height, width]),
  };
  return quantizedProduct(x, tf.reshape(weights, [height, width, 1, channels * multiplier]), {
    inputQuantizer,
    kernelQuantizer: early ? undefined : depthwiseQuantizer,
    windows,
  });
}

/** How a layer's windows lie. */
interface Placed {
  readonly name: string;
  readonly strides: readonly number[];
  readonly dilationRate: readonly number[];
  readonly padding: 'valid' | 'same' | 'causal';
  readonly padValues: number;
  readonly groups?: number;
}

const placedOf = ({ name, strides, dilationRate, padding, padValues }: Placed): Placed => ({
  name,
  strides,
  dilationRate,
  padding,
  padValues,
});

/** The windows of a layer on an image of this size. Options for one axis are those of the last. */
function windowsOf(layer: Placed, size: readonly number[], kernel: readonly number[]): Windows {
  const pair = (values: readonly number[]) => [values.at(-2) ?? 1, values.at(-1) ?? 1] as const;
  const [strides, dilations] = [pair(layer.strides), pair(layer.dilationRate)];
  const [rows, columns] = ([0, 1] as const).map((axis) => {
    const [extent, taps] = [size[axis] ?? 1, kernel[axis] ?? 1];
    if (layer.padding === 'causal') return [(taps - 1) * dilations[axis], 0] as const;
    const { before, after } = placeWindows(
      extent,
      taps,
      strides[axis],
      dilations[axis],
      layer.padding === 'same' ? 'same' : 'valid',
    );
    return [before, after] as const;
  });
  const padding = [rows ?? [0, 0], columns ?? [0, 0]] as const;
  return { strides, dilations, padding, padValue: layer.padValues, groups: layer.groups ?? 1 };
}

/** Builds a convolution whose kernel has `channels / groups` channels. @throws OptionError */
function buildGrouped(
  layer: QuantConv1D | QuantConv2D,
  build: (inputShape: Shape | Shape[]) => void,
  inputShape: Shape | Shape[],
): void {
  const shape = (Array.isArray(inputShape[0]) ? inputShape[0] : inputShape) as Shape;
  const axis = layer.dataFormat === 'channelsFirst' ? 1 : shape.length - 1;
  const channels = shape[axis];
  const { groups, name } = layer;
  if (groups === 1 || channels === null || channels === undefined) build(inputShape);
  else {
    if (channels % groups !== 0) {
      throw new OptionError('The input channels divide into the groups.', {
        given: `${channels} channels, ${groups} groups`,
        where: name,
      });
    }
    build(shape.map((extent, i) => (i === axis ? channels / groups : extent)));
    // What it said of the input's channels holds for one group.
    const spec = layer.inputSpec[0];
    if (spec?.axes !== undefined) spec.axes[axis] = channels;
  }
  applyConstraints(layer);
  if (layer.kernelQuantizer?.precision === 1) markBinary(layer.kernel);
}

/** Adds the bias and applies the activation; channels are last. */
function finished(
  y: tf.Tensor,
  layer: {
    readonly bias: { read(): tf.Tensor } | null;
    readonly activation: { apply(x: tf.Tensor): tf.Tensor; getClassName(): string } | null;
  },
): tf.Tensor {
  const biased = layer.bias === null ? y : tf.add(y, layer.bias.read());
  const { activation } = layer;
  return activation === null || activation.getClassName() === 'linear' ? biased : activation.apply(biased);
}

function onlyOne(inputs: Inputs): tf.Tensor {
  const [x, ...others] = Array.isArray(inputs) ? inputs : [inputs];
  if (x === undefined || others.length > 0) {
    throw new OptionError('This layer takes one input.', { given: `${others.length + 1} of them` });
  }
  assertLive(x, "a layer's input");
  return x;
}

function channelsLast(x: tf.Tensor, format: string): tf.Tensor {
  return format === 'channelsFirst' ? tf.transpose(x, x.rank === 3 ? [0, 2, 1] : [0, 2, 3, 1]) : x;
}

function channelsFirst(x: tf.Tensor, format: string): tf.Tensor {
  return format === 'channelsFirst' ? tf.transpose(x, x.rank === 3 ? [0, 2, 1] : [0, 3, 1, 2]) : x;
}

function padValuesOf(args: Padded, where: string): number {
  const { padValues = 0 } = args;
  if (typeof padValues === 'number' && Number.isFinite(padValues)) return padValues;
  throw new OptionError('The pad value is a number.', { given: String(padValues), where });
}

function groupsOf(args: Grouped, filters: number, where: string): number {
  const { groups = 1 } = args;
  if (Number.isSafeInteger(groups) && groups > 0 && filters % groups === 0) return groups;
  throw new OptionError('The filters divide into the groups.', {
    given: `${filters} filters, ${groups} groups`,
    where,
  });
}

function refuseCausal({ name, padding }: { readonly name: string; readonly padding: string }): void {
  if (padding !== 'causal') return;
  throw new OptionError('Causal padding is for QuantConv1D.', { expected: "'valid' or 'same'", where: name });
}

function serialized(object: tf.serialization.Serializable | null): Config | null {
  return object === null ? null : { className: object.getClassName(), config: object.getConfig() };
}
