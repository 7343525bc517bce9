/** Layers that only move values: `transpose`, `pad2d`. */
import { ShapeError } from '../errors.ts';
import { describe } from '../gpu/index.ts';
import {
  assertFrame,
  assertPermutation,
  type Frame,
  framedShape,
  pad2d as pad2dOp,
  permute,
} from '../ops/movement.ts';
import { assertInference, noGradient } from './inference.ts';
import { asReal, assertRank, type Layer, onlyInput, real } from './layer.ts';

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
