/** Convolutional layers: `quantConv2d` with binary weights or inputs, `conv2d` with real ones. */

import type { Shape, Tensor } from '../gpu/index.ts';
import { isPlainSign, notedConfig } from '../methods/note.ts';
import {
  binaryConv2d,
  type Conv2dOptions,
  conv2d as conv2dOp,
  resolveConv2d,
  signConv2d,
} from '../ops/conv.ts';
import { unpackSigns } from '../ops/dense.ts';
import { addBias } from '../ops/elementwise.ts';
import { planeConv2d } from '../ops/fused.ts';
import { layerName, namesOf } from '../options.ts';
import { assertInputIntegers } from './input-integers.ts';
import { asReal, assertCount, assertRank, gradientsOf, type Layer, onlyInput, real } from './layer.ts';
import type { LayerParts } from './parts.ts';
import {
  assertPadding,
  type InputOptions,
  inputParameters,
  inputTraits,
  quantizeInput,
  resolveInputQuantizer,
} from './quantized-input.ts';
import { kernelGradients, realsOnce, rowProduct, withRows } from './rows.ts';
import { type KernelOptions, kernelOf, usedWeights, type WeightOptions, zeroBias } from './weights.ts';

/** Options of `conv2d`. */
export interface Conv2dLayerOptions extends KernelOptions, Conv2dOptions {
  /** What the layer is called in a model, its files and errors. Default: its kind, with a number. */
  readonly name?: string;
  /** Output channels. */
  readonly filters: number;
  /** One number for a square kernel, or [height, width]. */
  readonly kernelSize: number | readonly [height: number, width: number];
  /** Default false, as is the field's custom: batch normalisation follows. */
  readonly useBias?: boolean;
}

/** Options of `quantConv2d`. */
export interface QuantConv2dOptions extends Conv2dLayerOptions, WeightOptions, InputOptions {
  /**
   * The input holds integers of 8 bits: 0 to 255 (`uint8`) or −128 to 127 (`int8`). With binary weights the layer convolves
   * their bit planes when it isn't training: the same integers as from reals. The layer doesn't check its input.
   */
  readonly inputIntegers?: 'uint8' | 'int8';
}

export const QUANT_CONV2D_OPTIONS = namesOf<Omit<QuantConv2dOptions, 'inputGroupScale'>>({
  name: true,
  filters: true,
  kernelSize: true,
  useBias: true,
  inputQuantizer: true,
  inputIntegers: true,
  kernelRotation: true,
  groupScale: true,
  kernelQuantizer: true,
  kernelConstraint: true,
  kernelInitializer: true,
  strides: true,
  dilations: true,
  groups: true,
  padding: true,
  padValue: true,
});

export function makeConv2d(options: Conv2dLayerOptions, parts: LayerParts): Layer {
  return conv2dOf('conv2d', options, parts);
}

export function makeQuantConv2d(options: QuantConv2dOptions, parts: LayerParts): Layer {
  return conv2dOf('quantConv2d', options, parts);
}

function conv2dOf(kind: string, options: QuantConv2dOptions, parts: LayerParts): Layer {
  const where = layerName(options, QUANT_CONV2D_OPTIONS, kind);
  const { filters, kernelSize, groupScale } = options;
  const [kernelHeight, kernelWidth] = typeof kernelSize === 'object' ? kernelSize : [kernelSize, kernelSize];
  assertCount(filters, 'filters', where);
  assertCount(kernelHeight, 'kernelSize', where);
  assertCount(kernelWidth, 'kernelSize', where);
  const inputQuantizer =
    options.inputQuantizer && resolveInputQuantizer(options.inputQuantizer, parts, where);
  const kernelFor = kernelOf(options, parts, where);
  const binaryWeights = options.kernelQuantizer !== undefined && groupScale === undefined;
  const { inputIntegers } = options;
  assertPadding(inputQuantizer, options.padValue ?? 0, where);
  if (inputIntegers !== undefined) assertInputIntegers(options, where);
  const { strides, dilations, groups, padding, padValue } = options;
  const windows: Conv2dOptions = { strides, dilations, groups, padding, padValue };
  const filterShape = (input: Shape) =>
    [filters, kernelHeight, kernelWidth, Math.floor((input[2] ?? 1) / (groups ?? 1))] as const;
  const outputOf = (input: Shape, name: string): Shape =>
    resolveConv2d([1, ...input], filterShape(input), windows, name).outputShape.slice(1);

  return {
    name: options.name,
    kind,
    config: notedConfig(options),
    traits: {
      ...inputTraits(inputQuantizer),
      ...(groupScale === undefined &&
        (inputQuantizer === undefined || isPlainSign(inputQuantizer)) && {
          product: {
            kind: 'conv2d',
            binaryWeights,
            input:
              inputIntegers !== undefined ? 'integers' : inputQuantizer === undefined ? 'values' : 'signs',
            plain: options.useBias !== true,
            withWeights(name, quantizer) {
              const { kernelQuantizer: _, kernelConstraint: _clip, ...others } = options;
              return conv2dOf(
                kind,
                { ...others, name, ...(quantizer && { kernelQuantizer: quantizer }) },
                parts,
              );
            },
          },
        }),
    },
    outputShape(inputs, name) {
      const input = onlyInput(inputs, name);
      assertRank(input, 3, name);
      return outputOf(input, name);
    },
    parameters(inputs) {
      const input = onlyInput(inputs, where);
      const shape = filterShape(input);
      const area = kernelHeight * kernelWidth;
      const kernel = [
        ...inputParameters(inputQuantizer, input[2] ?? 1),
        ...withRows(kernelFor(shape, area * shape[3], area * filters)),
      ];
      return options.useBias ? [...kernel, zeroBias(filters)] : kernel;
    },
    operations(inputs) {
      const input = onlyInput(inputs, where);
      const [height = 1, width = 1] = outputOf(input, where);
      const macs = height * width * filters * kernelHeight * kernelWidth * filterShape(input)[3];
      return binaryWeights && inputQuantizer ? { binary: macs, float: 0 } : { binary: 0, float: macs };
    },
    forward(context, inputs) {
      const { builder, training, parameter, wantsInputGradient } = context;
      const input = onlyInput(inputs, where);
      const inputShape = input.tensor.shape;
      const kernel = parameter('kernel');
      const shape = filterShape(inputShape.slice(1));
      const used = usedWeights(context, shape, options, parts);
      const { packed } = used;
      const quantized = inputQuantizer && quantizeInput(context, input, inputQuantizer);
      const bits = input.kind === 'sign' ? input.tensor : undefined;
      const takesPlanes =
        inputIntegers !== undefined && !training && bits === undefined && packed !== undefined;
      const rows = packed && rowProduct(context, packed, groups);
      const realsOf = realsOnce((signs) => unpackSigns(builder, signs));
      /** A product of signs that is all that there is of the output. */
      let plainProduct: Tensor | undefined;
      /** The product with the input as it is, or with signs of it. */
      const product = (signs: Tensor | undefined) => {
        if (packed === undefined) {
          const x = signs === undefined ? asReal(builder, input) : realsOf(signs);
          return used.multiply?.(x, windows) ?? conv2dOp(builder, x, used.value, windows);
        }
        const multiply = (weights: Tensor) => {
          if (signs !== undefined) return binaryConv2d(builder, signs, weights, windows);
          if (!takesPlanes) return signConv2d(builder, asReal(builder, input), weights, windows);
          return planeConv2d(builder, input.tensor, weights, {
            ...windows,
            signed: inputIntegers === 'int8',
          });
        };
        const made = multiply(packed);
        if (signs !== undefined && rows?.isPlain === true) plainProduct = made;
        return rows?.output(made, multiply) ?? made;
      };
      const whole = quantized?.output(product) ?? product(bits);
      const output = options.useBias ? addBias(builder, whole, parameter('bias').value) : whole;
      const isPlain = rows?.isPlain === true && options.useBias !== true;
      const integers = isPlain && (whole === plainProduct || inputIntegers !== undefined);
      return {
        output: { ...real(output), integers },
        backward(gradOutput) {
          const ops = gradientsOf(context, where);
          const weights = { ...windows, filterShape: shape };
          const ofSigns = (g: Tensor, signs: Tensor) =>
            packed === undefined
              ? ops.signConv2dGradWeights(builder, g, realsOf(signs), weights)
              : ops.binaryConv2dGradWeights(builder, g, signs, weights);
          const gradKernel =
            quantized?.gradWeights(gradOutput, ofSigns) ??
            (bits === undefined
              ? ops.signConv2dGradWeights(builder, gradOutput, asReal(builder, input), weights)
              : ofSigns(gradOutput, bits));
          const gate = quantized?.gate;
          const gradInput = !(wantsInputGradient[0] || quantized?.learns)
            ? undefined
            : rows === undefined
              ? ops.conv2dGradInput(builder, gradOutput, used.value, { ...windows, inputShape })
              : rows.gradInput(gradOutput, (g, signs) =>
                  ops.binaryConv2dGradInput(builder, g, signs, {
                    ...windows,
                    inputShape,
                    ...(gate === undefined ? {} : { gate }),
                  }),
                );
          const passed =
            gradInput && (quantized?.gradient(gradInput, { gated: packed !== undefined }) ?? gradInput);
          return {
            inputs: [wantsInputGradient[0] ? passed : undefined],
            parameters: {
              ...quantized?.parameters(gradInput),
              ...kernelGradients(context, kernel, gradKernel),
              ...(options.useBias && { bias: ops.biasGrad(builder, gradOutput) }),
            },
          };
        },
      };
    },
  };
}
