/** Layers that only move values: `transpose`, `slice`, `pad2d`. */

import { ShapeError } from '../errors.ts';
import { describe } from '../gpu/index.ts';
import {
  assertFrame,
  assertInside,
  assertPermutation,
  assertSliceRange,
  type Frame,
  framedShape,
  pad2d as pad2dOp,
  permute,
  slice as sliceOp,
} from '../ops/movement.ts';
import { layerName, namesOf } from '../options.ts';
import { assertInference, noGradient } from './inference.ts';
import { asReal, assertRank, gradientsOf, type Layer, onlyInput, real } from './layer.ts';

/** Options of `transpose`. */
export interface TransposeOptions {
  /** What the layer is called in a model, its files and errors. Default: its kind, with a number. */
  readonly name?: string;
  /** Axis i of the output is axis `permutation[i]` of the input, without the batch axis. */
  readonly permutation: readonly number[];
}

const TRANSPOSE_OPTIONS = namesOf<TransposeOptions>({ name: true, permutation: true });

/**
 * Axes in another order; four at most. @throws OptionError unless every axis is named once
 * @example
 * ```ts
 * import { sequential, transpose } from 'webgpu-bnn';
 *
 * sequential([transpose({ permutation: [1, 0] })], { input: [3, 4] });
 * ```
 */
export function transpose(options: TransposeOptions): Layer {
  const where = layerName(options, TRANSPOSE_OPTIONS, 'transpose');
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

/** Options of `slice`. */
export interface SliceOptions {
  /** What the layer is called in a model, its files and errors. Default: its kind, with a number. */
  readonly name?: string;
  /** First place on each axis, without the batch axis. */
  readonly begin: readonly number[];
  /** Places on each axis. */
  readonly size: readonly number[];
  /** From one place to the next; backwards where negative. Default 1. */
  readonly strides?: readonly number[];
}

const SLICE_OPTIONS = namesOf<SliceOptions>({ name: true, begin: true, size: true, strides: true });

/**
 * A part of each axis, every so many places; four axes at most.
 * @throws OptionError unless the options are whole numbers, sizes positive and strides not 0, as many as axes
 * @example
 * ```ts
 * import { sequential, slice } from 'webgpu-bnn';
 *
 * sequential([slice({ begin: [0, 0, 0], size: [4, 4, 16] })], { input: [8, 8, 16] });
 * ```
 */
export function slice(options: SliceOptions): Layer {
  const where = layerName(options, SLICE_OPTIONS, 'slice');
  const { begin, size, strides = size?.map(() => 1) } = options;
  const range = { begin, size, strides };
  assertSliceRange(range, where);
  const ofBatch = (batch: number) => ({
    begin: [0, ...begin],
    size: [batch, ...size],
    strides: [1, ...strides],
  });
  return {
    name: options.name,
    kind: 'slice',
    config: { ...options },
    outputShape(inputs, name) {
      assertInside(onlyInput(inputs, name), range, name);
      return size;
    },
    parameters: () => [],
    forward(context, inputs) {
      const { builder, wantsInputGradient } = context;
      const x = asReal(builder, onlyInput(inputs, where));
      const { shape } = x;
      const whole = ofBatch(shape[0] ?? 1);
      return {
        output: real(sliceOp(builder, x, whole)),
        backward: (gradOutput) => ({
          inputs: [
            wantsInputGradient[0]
              ? gradientsOf(context, where).sliceGrad(builder, gradOutput, shape, whole)
              : undefined,
          ],
        }),
      };
    },
  };
}

/** Options of `pad2d`. */
export interface Pad2dOptions {
  /** What the layer is called in a model, its files and errors. Default: its kind, with a number. */
  readonly name?: string;
  /** Pixels on each side. */
  readonly padding: Frame;
  /** What they hold. Default 0. */
  readonly value?: number;
}

const PAD2D_OPTIONS = namesOf<Pad2dOptions>({ name: true, padding: true, value: true });

/**
 * [height, width, channels] with a frame around it. For inference. @throws OptionError
 * @example
 * ```ts
 * import { pad2d, sequential } from 'webgpu-bnn';
 *
 * sequential([pad2d({ padding: [[1, 1], [1, 1]] })], { input: [8, 8, 16] });
 * ```
 */
export function pad2d(options: Pad2dOptions): Layer {
  const where = layerName(options, PAD2D_OPTIONS, 'pad2d');
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
