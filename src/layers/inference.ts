/** Layers of networks that were folded: `threshold` and `elementwiseAffine`, which have no gradient, and `affine`. */

import { OptionError } from '../errors.ts';
import { type Shape, sizeOf } from '../gpu/index.ts';
import { affine as affineOp, threshold as thresholdOp } from '../ops/inference.ts';
import { layerName } from '../options.ts';
import {
  asReal,
  type Backward,
  gradientsOf,
  type Layer,
  onlyInput,
  type ParameterSpec,
  real,
} from './layer.ts';

/**
 * Compares every channel with a threshold; the output travels as packed bits. Parameters `direction` and `threshold`,
 * [channels] each: +1 where direction·x ≥ threshold, else −1, so that direction 1 means "at least", −1 "at most
 * −threshold", and 0 a constant. What a normalisation followed by sign comes to on integers; any shape.
 * @example
 * ```ts
 * import { sequential, threshold } from 'webgpu-bnn';
 *
 * sequential([threshold()], { input: [64] });
 * ```
 */
export function threshold(options: { readonly name?: string } = {}): Layer {
  const where = layerName(options, ['name'], 'threshold');
  return {
    name: options.name,
    kind: 'threshold',
    config: { ...options },
    traits: { output: 'signs', channels: { do: 'compare' } },
    outputShape: (inputs, name) => onlyInput(inputs, name),
    parameters: (inputs) => perChannel(onlyInput(inputs, where).at(-1) ?? 1, { direction: 1, threshold: 0 }),
    forward({ builder, training, parameter }, inputs) {
      assertInference(training, where);
      const x = asReal(builder, onlyInput(inputs, where));
      const bits = thresholdOp(builder, x, {
        direction: parameter('direction').value,
        threshold: parameter('threshold').value,
      });
      return { output: { kind: 'sign', tensor: bits }, backward: () => noGradient(where) };
    },
  };
}

/**
 * x·scale + shift with parameters `scale` and `shift`, [channels] each; any shape. Networks of model files have it where a
 * normalisation was folded. Gradients go through it, and its numbers stay as they are.
 * @example
 * ```ts
 * import { affine, sequential } from 'webgpu-bnn';
 *
 * sequential([affine()], { input: [64] });
 * ```
 */
export function affine(options: { readonly name?: string } = {}): Layer {
  const where = layerName(options, ['name'], 'affine');
  return {
    name: options.name,
    kind: 'affine',
    config: { ...options },
    traits: { channels: { do: 'scale' } },
    outputShape: (inputs, name) => onlyInput(inputs, name),
    parameters: (inputs) => perChannel(onlyInput(inputs, where).at(-1) ?? 1, { scale: 1, shift: 0 }),
    forward(context, inputs) {
      const { builder, parameter, wantsInputGradient } = context;
      const x = asReal(builder, onlyInput(inputs, where));
      const scale = parameter('scale').value;
      const y = affineOp(builder, x, { scale, shift: parameter('shift').value });
      return {
        output: real(y),
        backward: (gradOutput) => ({
          inputs: [
            wantsInputGradient[0]
              ? gradientsOf(context, where).affineColumns(builder, gradOutput, { scale })
              : undefined,
          ],
          parameters: {},
        }),
      };
    },
  };
}

/**
 * x·scale + shift with parameters `scale` and `shift` of the input's shape: one of each a value, not a channel.
 * @example
 * ```ts
 * import { elementwiseAffine, sequential } from 'webgpu-bnn';
 *
 * sequential([elementwiseAffine()], { input: [4, 4] });
 * ```
 */
export function elementwiseAffine(options: { readonly name?: string } = {}): Layer {
  const where = layerName(options, ['name'], 'elementwiseAffine');
  return {
    name: options.name,
    kind: 'elementwiseAffine',
    config: { ...options },
    outputShape: (inputs, name) => onlyInput(inputs, name),
    parameters: (inputs) => untrained(onlyInput(inputs, where), { scale: 1, shift: 0 }),
    forward({ builder, training, parameter }, inputs) {
      assertInference(training, where);
      const x = asReal(builder, onlyInput(inputs, where));
      // Every value of a sample is a channel of its own.
      const values = sizeOf(x.shape.slice(1));
      const [scale, shift] = [
        parameter('scale').value.reshape([values]),
        parameter('shift').value.reshape([values]),
      ];
      const y = affineOp(builder, x.reshape([x.shape[0] ?? 1, values]), { scale, shift });
      return { output: real(y.reshape(x.shape)), backward: () => noGradient(where) };
    },
  };
}

/** Parameters of one value a channel that aren't trained, with their initial values. */
export function perChannel(channels: number, initial: Readonly<Record<string, number>>): ParameterSpec[] {
  return untrained([channels], initial);
}

function untrained(shape: Shape, initial: Readonly<Record<string, number>>): ParameterSpec[] {
  return Object.entries(initial).map(([name, value]) => ({
    name,
    shape,
    role: 'statistic',
    initializer: { kind: 'constant', value },
    fanIn: 1,
    fanOut: sizeOf(shape),
  }));
}

/** What to do where a layer that stands for others was given to a trainer. */
const FOLDED = 'train the network that it was folded from';

/** @throws OptionError when training */
export function assertInference(training: boolean, where: string, remedy = FOLDED): void {
  if (training) noGradient(where, remedy);
}

/** @throws OptionError always */
export function noGradient(where: string, remedy = FOLDED): Backward {
  throw new OptionError('This layer is for inference: it has no gradient.', { where, remedy });
}
