/** What follows a sum: `relu` with bounds, `prelu` with a slope a channel, `softmax`. */
import { OptionError } from '../errors.ts';
import { assertBounds, clamp as clampOp, prelu as preluOp, softmax as softmaxOp } from '../ops/pointwise.ts';
import { assertInference, noGradient } from './inference.ts';
import { asReal, gradientsOf, type Layer, onlyInput, real } from './layer.ts';

export interface ReluOptions {
  readonly name?: string;
  /** Default 0. */
  readonly minimum?: number;
  /** Absent: no bound. 6 is ReLU6; −1 and 1 are hard tanh. */
  readonly maximum?: number;
}

/**
 * x between `minimum` and `maximum`; any shape. Its gradient passes strictly between them.
 * @throws OptionError unless the bounds are finite numbers, the least first
 */
export function relu(options: ReluOptions = {}): Layer {
  const where = options.name ?? 'relu';
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
 */
export function prelu(options: { readonly name?: string } = {}): Layer {
  const where = options.name ?? 'prelu';
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

/** exp(x) over its sum along the last axis; any shape. For inference: losses take logits. */
export function softmax(options: { readonly name?: string } = {}): Layer {
  const where = options.name ?? 'softmax';
  return {
    name: options.name,
    kind: 'softmax',
    config: { ...options },
    outputShape: (inputs, name) => onlyInput(inputs, name),
    parameters: () => [],
    forward({ builder, training }, inputs) {
      assertInference(training, where);
      const x = asReal(builder, onlyInput(inputs, where));
      return { output: real(softmaxOp(builder, x)), backward: () => noGradient(where) };
    },
  };
}
