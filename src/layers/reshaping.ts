/** Layers that only move values: `flatten`, `reshape`, `transpose`, `pad2d`. */
import { OptionError, ShapeError } from '../errors.ts';
import { describe, type ProgramBuilder, type Shape, sizeOf } from '../gpu/index.ts';
import {
  assertFrame,
  assertPermutation,
  type Frame,
  framedShape,
  pad2d as pad2dOp,
  permute,
} from '../ops/movement.ts';
import { assertInference, noGradient } from './inference.ts';
import { type Activation, asReal, assertRank, type Forward, type Layer, onlyInput, real } from './layer.ts';

/** [height, width, channels] to [features], the same values in the same order. */
export function flatten(options: { readonly name?: string } = {}): Layer {
  const where = options.name ?? 'flatten';
  return {
    name: options.name,
    kind: 'flatten',
    config: { ...options },
    outputShape: (inputs, name) => [sizeOf(onlyInput(inputs, name))],
    parameters: () => [],
    forward({ builder, wantsInputGradient }, inputs) {
      const input = onlyInput(inputs, where);
      return reshaped(builder, input, [sizeOf(input.tensor.shape.slice(1))], wantsInputGradient[0]);
    },
  };
}

export interface ReshapeOptions {
  readonly name?: string;
  /** Without the batch axis. */
  readonly shape: Shape;
}

/** The same values in the same order, under another shape. @throws OptionError unless the shape has positive extents */
export function reshape(options: ReshapeOptions): Layer {
  const where = options.name ?? 'reshape';
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
    output: { kind: staysPacked ? 'sign' : 'real', tensor: source.reshape([batch, ...shape]) },
    backward: (gradOutput) => ({ inputs: [wantsGradient ? gradOutput.reshape(before) : undefined] }),
  };
}

export interface TransposeOptions {
  readonly name?: string;
  /** Axis i of the output is axis `permutation[i]` of the input, without the batch axis. */
  readonly permutation: readonly number[];
}

/** Axes in another order; four at most. @throws OptionError unless every axis is named once */
export function transpose(options: TransposeOptions): Layer {
  const where = options.name ?? 'transpose';
  const { permutation } = options;
  assertPermutation(permutation, Math.min(4, Math.max(1, permutation?.length ?? 0)), where);
  const inverse = permutation.map((_, axis) => permutation.indexOf(axis));
  const withBatch = (axes: readonly number[]) => [0, ...axes.map((axis) => axis + 1)];
  return {
    name: options.name,
    kind: 'transpose',
    config: { ...options },
    outputShape(inputs, name) {
      const input = onlyInput(inputs, name);
      if (input.length !== permutation.length) {
        throw new ShapeError("The input doesn't have as many axes.", {
          given: describe(input),
          expected: `${permutation.length} axes`,
          where: name,
        });
      }
      return permutation.map((axis) => input[axis] ?? 1);
    },
    parameters: () => [],
    forward({ builder, wantsInputGradient }, inputs) {
      const x = asReal(builder, onlyInput(inputs, where));
      return {
        output: real(permute(builder, x, withBatch(permutation))),
        backward: (gradOutput) => ({
          inputs: [wantsInputGradient[0] ? permute(builder, gradOutput, withBatch(inverse)) : undefined],
        }),
      };
    },
  };
}

export interface Pad2dOptions {
  readonly name?: string;
  /** Pixels on each side. */
  readonly padding: Frame;
  /** What they hold. Default 0. */
  readonly value?: number;
}

/** [height, width, channels] with a frame around it. For inference. @throws OptionError */
export function pad2d(options: Pad2dOptions): Layer {
  const where = options.name ?? 'pad2d';
  const { padding, value = 0 } = options;
  assertFrame(padding, value, where);
  return {
    name: options.name,
    kind: 'pad2d',
    config: { ...options },
    outputShape(inputs, name) {
      const input = onlyInput(inputs, name);
      assertRank(input, 3, name);
      return framedShape(input, padding);
    },
    parameters: () => [],
    forward({ builder, training }, inputs) {
      assertInference(training, where);
      const x = asReal(builder, onlyInput(inputs, where));
      return { output: real(pad2dOp(builder, x, padding, value)), backward: () => noGradient(where) };
    },
  };
}
