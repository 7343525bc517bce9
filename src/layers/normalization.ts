/** Batch normalisation. */

import { OptionError } from '../errors.ts';
import { DEFAULT_EPSILON } from '../numerics/epilogue.ts';
import { normalize } from '../ops/norm.ts';
import { layerName, namesOf } from '../options.ts';
import {
  asReal,
  gradientsOf,
  holdsIntegers,
  type Initializer,
  irreversible,
  type Layer,
  onlyInput,
  type ParameterSpec,
  real,
} from './layer.ts';

/** Options of `batchNormalization`. */
export interface BatchNormalizationOptions {
  /** What the layer is called in a model, its files and errors. Default: its kind, with a number. */
  readonly name?: string;
  /** Share of the old running statistics kept at each step (Keras' sense). Default 0.9. */
  readonly momentum?: number;
  /** Added to the variance. Default 1e-4 (Hubara et al. 2016). */
  readonly epsilon?: number;
  /** Learn a shift β per channel. Default true. */
  readonly center?: boolean;
  /** Learn a scale γ per channel. Default true; the paper's network has none. */
  readonly scale?: boolean;
}

const BATCH_NORMALIZATION_OPTIONS = namesOf<BatchNormalizationOptions>({
  name: true,
  momentum: true,
  epsilon: true,
  center: true,
  scale: true,
});

/**
 * y = γ·(x − μ)/√(σ² + ε) + β over all axes but the last (Ioffe & Szegedy 2015). Batch statistics when training, running
 * ones at inference. Any shape.
 * @example
 * ```ts
 * import { batchNormalization, quantDense, sequential } from 'webgpu-bnn';
 *
 * sequential([quantDense({ units: 64, kernelQuantizer: 'steSign' }), batchNormalization({ scale: false })], { input: [64] });
 * ```
 */
export function batchNormalization(options: BatchNormalizationOptions = {}): Layer {
  const where = layerName(options, BATCH_NORMALIZATION_OPTIONS, 'batchNormalization');
  const { momentum = 0.9, epsilon = DEFAULT_EPSILON, center = true, scale = true } = options;
  if (!(momentum >= 0 && momentum < 1) || !(epsilon > 0)) {
    throw new OptionError("Batch normalisation's momentum is in [0, 1), and its epsilon positive.", {
      given: `momentum = ${momentum}, epsilon = ${epsilon}`,
      where,
    });
  }
  return {
    name: options.name,
    kind: 'batchNormalization',
    config: { ...options },
    traits: { channels: { do: 'normalize', epsilon } },
    outputShape: (inputs, name) => onlyInput(inputs, name),
    parameters(inputs) {
      const channels = onlyInput(inputs, where).at(-1) ?? 1;
      const spec = (name: string, role: 'real' | 'statistic', value: number): ParameterSpec => {
        const initializer: Initializer = { kind: 'constant', value };
        return { name, shape: [channels], role, initializer, fanIn: 1, fanOut: channels };
      };
      return [
        ...(scale ? [spec('gamma', 'real', 1)] : []),
        ...(center ? [spec('beta', 'real', 0)] : []),
        spec('runningMean', 'statistic', 0),
        spec('runningVariance', 'statistic', 1),
      ];
    },
    forward(context, inputs) {
      const { builder, training, state, parameter, wantsInputGradient } = context;
      const input = onlyInput(inputs, where);
      const x = asReal(builder, input);
      const gamma = scale ? parameter('gamma').value : undefined;
      const beta = center ? parameter('beta').value : undefined;
      const affine = { x, ...(gamma && { gamma }), ...(beta && { beta }), epsilon };
      const [mean, variance] = [parameter('runningMean').value, parameter('runningVariance').value];
      if (!training) {
        const y = normalize(builder, { ...affine, mean, variance });
        return {
          output: real(y),
          backward() {
            throw irreversible(where);
          },
        };
      }
      const running = { runningMean: mean, runningVariance: variance, momentum };
      const gradients = gradientsOf(context, where);
      const saved = gradients.batchStatistics(builder, { x, epsilon, integers: holdsIntegers(input) });
      return {
        output: real(normalize(builder, { ...affine, ...saved })),
        backward(gradOutput) {
          if (state === undefined) throw irreversible(where);
          // Here and not in the forward pass: a batch whose loss isn't finite must leave no trace.
          gradients.updateRunningStatistics(builder, { saved, ...running, state });
          const given = { gradOutput, x, saved, ...(gamma && { gamma }) };
          const sums = gradients.batchNormGradSums(builder, given);
          return {
            inputs: [
              wantsInputGradient[0]
                ? gradients.batchNormGradInput(builder, { ...given, ...sums })
                : undefined,
            ],
            parameters: {
              ...(scale && { gamma: sums.gradGamma }),
              ...(center && { beta: sums.gradBeta }),
            },
          };
        },
      };
    },
  };
}
