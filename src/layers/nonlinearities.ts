/** What follows a sum: `relu` with bounds, `prelu` with a slope a channel, `sigmoid`, `tanh`, `leakyRelu`, `selu`, `softmax`. */

import { OptionError } from '../errors.ts';
import {
  assertBounds,
  type Curve,
  clamp as clampOp,
  curve,
  prelu as preluOp,
  softmax as softmaxOp,
} from '../ops/pointwise.ts';
import { layerName, namesOf } from '../options.ts';
import { assertInference, noGradient } from './inference.ts';
import { asReal, gradientsOf, type Layer, onlyInput, real } from './layer.ts';

/** Options of `relu`. */
export interface ReluOptions {
  /** What the layer is called in a model, its files and errors. Default: its kind, with a number. */
  readonly name?: string;
  /** Default 0. */
  readonly minimum?: number;
  /** Absent: no bound. 6 is ReLU6; −1 and 1 are hard tanh. */
  readonly maximum?: number;
}

const RELU_OPTIONS = namesOf<ReluOptions>({ name: true, minimum: true, maximum: true });

/**
 * x between `minimum` and `maximum`; any shape. Its gradient passes strictly between them.
 * @throws OptionError unless the bounds are finite numbers, the least first
 * @example
 * ```ts
 * import { relu, sequential } from 'webgpu-bnn';
 *
 * sequential([relu({ maximum: 6 })], { input: [64] });
 * ```
 */
export function relu(options: ReluOptions = {}): Layer {
  const where = layerName(options, RELU_OPTIONS, 'relu');
  const { minimum = 0, maximum = Number.POSITIVE_INFINITY } = options;
  assertBounds({ minimum, maximum }, where);
  // Files keep a configuration as JSON, which has no infinities.
  if (!Number.isFinite(minimum) || (options.maximum !== undefined && !Number.isFinite(maximum))) {
    throw new OptionError('A bound is a finite number.', {
      given: `minimum = ${minimum}, maximum = ${maximum}`,
      where,
      remedy: 'leave maximum away for none; −3.4028234663852886e38 is the least minimum of f32',
    });
  }
  return {
    name: options.name,
    kind: 'relu',
    config: { ...options },
    outputShape: (inputs, name) => onlyInput(inputs, name),
    parameters: () => [],
    forward(context, inputs) {
      const { builder, wantsInputGradient } = context;
      const x = asReal(builder, onlyInput(inputs, where));
      return {
        output: real(clampOp(builder, x, { minimum, maximum })),
        backward: (gradOutput) => ({
          inputs: [
            wantsInputGradient[0]
              ? gradientsOf(context, where).clampGrad(builder, gradOutput, x, { minimum, maximum })
              : undefined,
          ],
        }),
      };
    },
  };
}

/**
 * x, times the slope of its channel where x is negative (He et al. 2015, arXiv 1502.01852); any shape. Trained parameter
 * `alpha` [channels], 0.25 at first.
 * @example
 * ```ts
 * import { prelu, sequential } from 'webgpu-bnn';
 *
 * sequential([prelu()], { input: [8, 8, 16] });
 * ```
 */
export function prelu(options: { readonly name?: string } = {}): Layer {
  const where = layerName(options, ['name'], 'prelu');
  return {
    name: options.name,
    kind: 'prelu',
    config: { ...options },
    outputShape: (inputs, name) => onlyInput(inputs, name),
    parameters(inputs) {
      const channels = onlyInput(inputs, where).at(-1) ?? 1;
      const initializer = { kind: 'constant', value: 0.25 } as const;
      return [{ name: 'alpha', shape: [channels], role: 'real', initializer, fanIn: 1, fanOut: channels }];
    },
    forward(context, inputs) {
      const { builder, parameter } = context;
      const x = asReal(builder, onlyInput(inputs, where));
      const alpha = parameter('alpha').value;
      return {
        output: real(preluOp(builder, x, alpha)),
        backward(gradOutput) {
          const { gradInput, gradAlpha } = gradientsOf(context, where).preluGrad(
            builder,
            gradOutput,
            x,
            alpha,
          );
          return { inputs: [gradInput], parameters: { alpha: gradAlpha } };
        },
      };
    },
  };
}

/**
 * 1/(1 + exp(−x)), value by value; any shape. Losses take logits: for the end of a network that is run.
 * @example
 * ```ts
 * import { sequential, sigmoid } from 'webgpu-bnn';
 *
 * sequential([sigmoid()], { input: [64] });
 * ```
 */
export function sigmoid(options: { readonly name?: string } = {}): Layer {
  layerName(options, ['name'], 'sigmoid');
  return makeCurve('sigmoid', options);
}

/**
 * Hyperbolic tangent, value by value; any shape.
 * @example
 * ```ts
 * import { sequential, tanh } from 'webgpu-bnn';
 *
 * sequential([tanh()], { input: [64] });
 * ```
 */
export function tanh(options: { readonly name?: string } = {}): Layer {
  layerName(options, ['name'], 'tanh');
  return makeCurve('tanh', options);
}

/** Options of `leakyRelu`. */
export interface LeakyReluOptions {
  /** What the layer is called in a model, its files and errors. Default: its kind, with a number. */
  readonly name?: string;
  /** Slope below zero. Default 0.3, as in Keras; ONNX' default is 0.01, TensorFlow's 0.2. */
  readonly alpha?: number;
}

const LEAKY_RELU_OPTIONS = namesOf<LeakyReluOptions>({ name: true, alpha: true });

/**
 * x, times `alpha` where it is negative; any shape. @throws OptionError unless alpha is a finite number
 * @example
 * ```ts
 * import { leakyRelu, sequential } from 'webgpu-bnn';
 *
 * sequential([leakyRelu({ alpha: 0.1 })], { input: [64] });
 * ```
 */
export function leakyRelu(options: LeakyReluOptions = {}): Layer {
  const where = layerName(options, LEAKY_RELU_OPTIONS, 'leakyRelu');
  const { alpha = 0.3 } = options;
  if (!Number.isFinite(alpha)) {
    throw new OptionError('A slope is a finite number.', {
      given: `alpha = ${alpha}`,
      where,
    });
  }
  return makeCurve('leakyRelu', options, alpha);
}

/**
 * 1.0507·x, and 1.7581·(exp(x) − 1) below zero (Klambauer et al. 2017, arXiv 1706.02515); any shape.
 * @example
 * ```ts
 * import { selu, sequential } from 'webgpu-bnn';
 *
 * sequential([selu()], { input: [64] });
 * ```
 */
export function selu(options: { readonly name?: string } = {}): Layer {
  layerName(options, ['name'], 'selu');
  return makeCurve('selu', options);
}

function makeCurve(kind: Curve, options: { readonly name?: string }, alpha = 0): Layer {
  const where = options.name ?? kind;
  return {
    name: options.name,
    kind,
    config: { ...options },
    outputShape: (inputs, name) => onlyInput(inputs, name),
    parameters: () => [],
    forward(context, inputs) {
      const { builder, wantsInputGradient } = context;
      const x = asReal(builder, onlyInput(inputs, where));
      return {
        output: real(curve(builder, kind, x, alpha)),
        backward: (gradOutput) => ({
          inputs: [
            wantsInputGradient[0]
              ? gradientsOf(context, where).curveGrad(builder, kind, gradOutput, x, alpha)
              : undefined,
          ],
        }),
      };
    },
  };
}

/** Of `softmax` in a training. */
const LOGITS =
  'train without it: the losses take what stands before it (logits); append it to the network that you save';

/**
 * exp(x) over its sum along the last axis; any shape. For inference: losses take logits.
 * @example
 * ```ts
 * import { sequential, softmax } from 'webgpu-bnn';
 *
 * sequential([softmax()], { input: [10] });
 * ```
 */
export function softmax(options: { readonly name?: string } = {}): Layer {
  const where = layerName(options, ['name'], 'softmax');
  return {
    name: options.name,
    kind: 'softmax',
    config: { ...options },
    traits: { keepsOrder: true },
    outputShape: (inputs, name) => onlyInput(inputs, name),
    parameters: () => [],
    forward({ builder, training }, inputs) {
      assertInference(training, where, LOGITS);
      const x = asReal(builder, onlyInput(inputs, where));
      return { output: real(softmaxOp(builder, x)), backward: () => noGradient(where, LOGITS) };
    },
  };
}
