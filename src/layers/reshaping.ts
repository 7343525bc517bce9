/** Layers that give the same values in the same order another shape: `flatten`, `reshape`. */

import { OptionError, ShapeError } from '../errors.ts';
import { describe, type ProgramBuilder, type Shape, sizeOf } from '../gpu/index.ts';
import { layerName, namesOf } from '../options.ts';
import { type Activation, asReal, type Forward, holdsIntegers, type Layer, onlyInput } from './layer.ts';

/**
 * [height, width, channels] to [features], the same values in the same order.
 * @example
 * ```ts
 * import { flatten, sequential } from 'webgpu-bnn';
 *
 * sequential([flatten()], { input: [28, 28, 1] });
 * ```
 */
export function flatten(options: { readonly name?: string } = {}): Layer {
  const where = layerName(options, ['name'], 'flatten');
  return {
    name: options.name,
    kind: 'flatten',
    config: { ...options },
    traits: { output: 'selection', reshapes: true },
    outputShape: (inputs, name) => [sizeOf(onlyInput(inputs, name))],
    parameters: () => [],
    forward({ builder, wantsInputGradient }, inputs) {
      const input = onlyInput(inputs, where);
      return reshaped(builder, input, [sizeOf(input.tensor.shape.slice(1))], wantsInputGradient[0]);
    },
  };
}

/** Options of `reshape`. */
export interface ReshapeOptions {
  /** What the layer is called in a model, its files and errors. Default: its kind, with a number. */
  readonly name?: string;
  /** Without the batch axis. */
  readonly shape: Shape;
}

const RESHAPE_OPTIONS = namesOf<ReshapeOptions>({ name: true, shape: true });

/**
 * The same values in the same order, under another shape. @throws OptionError unless the shape has positive extents
 * @example
 * ```ts
 * import { reshape, sequential } from 'webgpu-bnn';
 *
 * sequential([reshape({ shape: [8, 8, 1] })], { input: [64] });
 * ```
 */
export function reshape(options: ReshapeOptions): Layer {
  const where = layerName(options, RESHAPE_OPTIONS, 'reshape');
  const { shape } = options;
  if (
    !Array.isArray(shape) ||
    shape.length < 1 ||
    !shape.every((extent) => Number.isSafeInteger(extent) && extent > 0)
  ) {
    throw new OptionError('A shape is made of positive integers.', { given: JSON.stringify(shape), where });
  }
  return {
    name: options.name,
    kind: 'reshape',
    config: { ...options },
    traits: { output: 'selection', reshapes: true },
    outputShape(inputs, name) {
      const input = onlyInput(inputs, name);
      if (sizeOf(input) === sizeOf(shape)) return shape;
      throw new ShapeError("The input doesn't have as many values.", {
        given: describe(input),
        expected: describe(shape),
        where: name,
      });
    },
    parameters: () => [],
    forward: ({ builder, wantsInputGradient }, inputs) =>
      reshaped(builder, onlyInput(inputs, where), shape, wantsInputGradient[0]),
  };
}

function reshaped(
  builder: ProgramBuilder,
  input: Activation,
  shape: Shape,
  wantsGradient: boolean | undefined,
): Forward {
  const before = input.tensor.shape;
  const [batch = 1] = before;
  // Packed rows stay aligned to words only if the channels fill them, or are the same.
  const [from, to] = [before.at(-1) ?? 1, shape.at(-1) ?? 1];
  const staysPacked = input.kind === 'sign' && (from === to || (from % 32 === 0 && to % 32 === 0));
  const source = staysPacked ? input.tensor : asReal(builder, input);
  return {
    output: {
      kind: staysPacked ? 'sign' : 'real',
      tensor: source.reshape([batch, ...shape]),
      integers: holdsIntegers(input),
    },
    backward: (gradOutput) => ({ inputs: [wantsGradient ? gradOutput.reshape(before) : undefined] }),
  };
}
