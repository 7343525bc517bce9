/**
 * Binary layers of networks that are only run: a product of signs with all that follows it, in one kernel. `foldForInference`
 * makes them of what was trained, and readers of other formats of what they read; they have no gradient.
 */

import { OptionError, ShapeError } from '../errors.ts';
import { describe, type Shape, sizeOf } from '../gpu/index.ts';
import { type Conv2dOptions, resolveConv2d } from '../ops/conv.ts';
import {
  FUSED_ACTIVATIONS,
  type FusedActivation,
  type FusedOptions,
  fusedBinaryConv2d,
  fusedBinaryMatMul,
  planeConv2d,
} from '../ops/fused.ts';
import { layerName, namesOf } from '../options.ts';
import type { QuantConv2dOptions } from './conv2d.ts';
import { assertInference, noGradient, perChannel } from './inference.ts';
import { assertInputIntegers } from './input-integers.ts';
import {
  type Activation,
  asReal,
  asSigns,
  assertCount,
  assertRank,
  type Forward,
  type ForwardContext,
  type Layer,
  onlyInput,
  type ParameterSpec,
  real,
} from './layer.ts';

/** What becomes of the sums. */
export interface BinaryOutputOptions {
  /** What the layer is called in a model, its files and errors. Default: its kind, with a number. */
  readonly name?: string;
  /** Clamps the sum before everything else. */
  readonly activation?: FusedActivation;
  /**
   * `real`: PReLU(clamp(sum)·multiplier + bias + residual), with parameters `multiplier` and `bias`, [outputs] each.
   * `signs`: packed, +1 where direction·clamp(sum) ≥ threshold, with parameters `direction` (1, −1 or 0) and `threshold`.
   */
  readonly output: 'real' | 'signs';
  /** Real outputs only: a second input of the output's shape is added. Default false. */
  readonly residual?: boolean;
  /** Real outputs only: a parameter `slope`, [outputs], multiplies what is below zero. Default false. */
  readonly prelu?: boolean;
}

/** Options of `binaryConv2d`. */
export interface BinaryConv2dOptions extends BinaryOutputOptions, Conv2dOptions {
  /** The input is taken as integers of 8 bits instead of as signs; see `quantConv2d`. */
  readonly inputIntegers?: QuantConv2dOptions['inputIntegers'];
  /** Output channels. */
  readonly filters: number;
  /** One number for a square kernel, or [height, width]. */
  readonly kernelSize: number | readonly [height: number, width: number];
}

const BINARY_CONV2D_OPTIONS = namesOf<BinaryConv2dOptions>({
  name: true,
  activation: true,
  output: true,
  residual: true,
  prelu: true,
  inputIntegers: true,
  filters: true,
  kernelSize: true,
  strides: true,
  dilations: true,
  groups: true,
  padding: true,
  padValue: true,
});

/** Options of `binaryDense`. */
export interface BinaryDenseOptions extends BinaryOutputOptions {
  /** Outputs. */
  readonly units: number;
}

const BINARY_DENSE_OPTIONS = namesOf<BinaryDenseOptions>({
  name: true,
  activation: true,
  output: true,
  residual: true,
  prelu: true,
  units: true,
});

/**
 * Binary convolution for inference (Larq Compute Engine's `LceBconv2d`). Input [height, width, channels], signs or reals
 * whose signs are taken; binary parameter `kernel` [filters, height, width, channels/groups]. See `BinaryOutputOptions`.
 * @example
 * ```ts
 * import { binaryConv2d, sequential, sign } from 'webgpu-bnn';
 *
 * sequential([sign(), binaryConv2d({ filters: 32, kernelSize: 3, output: 'signs' })], { input: [8, 8, 32] });
 * ```
 */
export function binaryConv2d(options: BinaryConv2dOptions): Layer {
  const kind = 'binaryConv2d';
  const where = layerName(options, BINARY_CONV2D_OPTIONS, kind);
  const { filters, kernelSize, groups = 1 } = options;
  const [kernelHeight, kernelWidth] = typeof kernelSize === 'object' ? kernelSize : [kernelSize, kernelSize];
  assertCount(filters, 'filters', where);
  assertCount(kernelHeight, 'kernelSize', where);
  assertCount(kernelWidth, 'kernelSize', where);
  const { strides, dilations, padding, padValue, inputIntegers } = options;
  if (inputIntegers !== undefined) {
    const filterOptions = {
      kernelQuantizer: 'steSign',
      ...(padValue === undefined ? {} : { padValue }),
    } as const;
    assertInputIntegers({ inputIntegers, groups, ...filterOptions }, where);
  }
  const windows: Conv2dOptions = { strides, dilations, groups, padding, padValue };
  const filterShape = (input: Shape) =>
    [filters, kernelHeight, kernelWidth, Math.floor((input[2] ?? 1) / groups)] as const;
  const outputOf = (input: Shape, name: string): Shape => {
    assertRank(input, 3, name);
    return resolveConv2d([1, ...input], filterShape(input), windows, name).outputShape.slice(1);
  };
  return binaryProduct(options, {
    kind,
    outputOf,
    filterShape,
    channels: filters,
    takesIntegers: inputIntegers !== undefined,
    record: ({ builder }, input, kernel, fused) =>
      inputIntegers === undefined
        ? fusedBinaryConv2d(builder, input, kernel, { ...windows, ...fused })
        : planeConv2d(builder, input, kernel, { ...windows, ...fused, signed: inputIntegers === 'int8' }),
  });
}

/**
 * Binary fully connected layer for inference. Input [features], signs or reals whose signs are taken; binary parameter
 * `kernel` [units, features]. See `BinaryOutputOptions`.
 * @example
 * ```ts
 * import { binaryDense, sequential, sign } from 'webgpu-bnn';
 *
 * sequential([sign(), binaryDense({ units: 10, output: 'real' })], { input: [64] });
 * ```
 */
export function binaryDense(options: BinaryDenseOptions): Layer {
  const kind = 'binaryDense';
  const where = layerName(options, BINARY_DENSE_OPTIONS, kind);
  const { units } = options;
  assertCount(units, 'units', where);
  return binaryProduct(options, {
    kind,
    outputOf(input, name) {
      assertRank(input, 1, name, 'put flatten() before it');
      return [units];
    },
    filterShape: (input) => [units, input[0] ?? 1],
    channels: units,
    takesIntegers: false,
    record: ({ builder }, input, kernel, fused) => fusedBinaryMatMul(builder, input, kernel, fused),
  });
}

/** What tells the two layers apart. */
interface Product {
  readonly kind: string;
  readonly channels: number;
  /** Whether the input goes in as it is, and not as signs. */
  readonly takesIntegers: boolean;
  outputOf(input: Shape, name: string): Shape;
  filterShape(input: Shape): Shape;
  record(
    context: ForwardContext,
    input: Activation['tensor'],
    kernel: Activation['tensor'],
    options: FusedOptions,
  ): Activation['tensor'];
}

function binaryProduct(options: BinaryOutputOptions, product: Product): Layer {
  const { activation, output, residual = false, prelu = false } = options;
  const { kind, channels, outputOf, filterShape } = product;
  const where = options.name ?? kind;
  assertOutput(options, where);

  const kernelOf = (input: Shape): ParameterSpec => {
    const shape = filterShape(input);
    const fanIn = sizeOf(shape.slice(1));
    const fanOut = sizeOf(shape) / (shape.at(-1) ?? 1);
    return { name: 'kernel', shape, role: 'binary', initializer: { kind: 'glorotUniform' }, fanIn, fanOut };
  };
  return {
    name: options.name,
    kind,
    config: { ...options },
    traits: {
      output: output === 'signs' ? 'signs' : 'reals',
      readsSigns: !product.takesIntegers && !residual,
    },
    outputShape(inputs, name) {
      const { input, added } = split(inputs, residual, name);
      const shape = outputOf(input, name);
      if (added !== undefined && describe(added) !== describe(shape)) {
        throw new ShapeError("The residual doesn't have the output's shape.", {
          given: describe(added),
          expected: describe(shape),
          where: name,
        });
      }
      return shape;
    },
    parameters(inputs) {
      const { input } = split(inputs, residual, where);
      const epilogue =
        output === 'signs'
          ? { direction: 1, threshold: 0 }
          : { multiplier: 1, bias: 0, ...(prelu ? { slope: 0.25 } : {}) };
      return [kernelOf(input), ...perChannel(channels, epilogue)];
    },
    operations(inputs) {
      const { input } = split(inputs, residual, where);
      const pixels = sizeOf(outputOf(input, where)) / channels;
      const products = pixels * sizeOf(filterShape(input));
      return product.takesIntegers ? { binary: 0, float: products } : { binary: products, float: 0 };
    },
    forward(context, inputs): Forward {
      const { builder, training, parameter } = context;
      assertInference(training, where);
      const { input, added } = split(inputs, residual, where);
      const operand = product.takesIntegers ? asReal(builder, input) : asSigns(builder, input);
      const { packed, name } = parameter('kernel');
      if (packed === undefined)
        throw new OptionError('A binary parameter has no packed signs.', { where: name });
      const value = (own: string) => parameter(own).value;
      const tensor = product.record(context, operand, packed, {
        activation,
        epilogue:
          output === 'signs'
            ? { output, direction: value('direction'), threshold: value('threshold') }
            : {
                output,
                multiplier: value('multiplier'),
                bias: value('bias'),
                slope: prelu ? value('slope') : undefined,
                residual: added && asReal(builder, added),
              },
      });
      return {
        output: output === 'signs' ? { kind: 'sign', tensor } : real(tensor),
        backward: () => noGradient(where),
      };
    },
  };
}

/** The input, and what is added to the output. */
function split<T>(
  inputs: readonly T[],
  residual: boolean,
  where: string,
): { input: T; added: T | undefined } {
  if (!residual) return { input: onlyInput(inputs, where), added: undefined };
  const [input, added] = inputs;
  if (input === undefined || added === undefined || inputs.length !== 2) {
    throw new ShapeError('This layer takes its input and a residual.', {
      given: `${inputs.length} inputs`,
      expected: '2 inputs',
      where,
    });
  }
  return { input, added };
}

/** @throws OptionError for an unknown output or activation, and for what doesn't go with signs */
function assertOutput({ output, activation, residual, prelu }: BinaryOutputOptions, where: string): void {
  if (output !== 'real' && output !== 'signs') {
    throw new OptionError('This output is unknown.', {
      given: String(output),
      expected: 'real or signs',
      where,
    });
  }
  if (activation !== undefined && !FUSED_ACTIVATIONS.includes(activation)) {
    throw new OptionError('This activation is unknown.', {
      given: String(activation),
      expected: FUSED_ACTIVATIONS.join(', '),
      where,
    });
  }
  if (output === 'signs' && (residual === true || prelu === true)) {
    throw new OptionError('A residual and a PReLU are for real outputs.', { given: 'output: signs', where });
  }
}
