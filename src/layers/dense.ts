/** Fully connected layers: `quantDense` with binary weights or inputs, `dense` with real ones. */

import type { Shape, Tensor } from '../gpu/index.ts';
import { isPlainSign, notedConfig } from '../methods/note.ts';
import { binaryMatMul, matMul, signMatMul, unpackSigns } from '../ops/dense.ts';
import { addBias } from '../ops/elementwise.ts';
import { layerName, namesOf } from '../options.ts';
import { asReal, assertCount, assertRank, gradientsOf, type Layer, onlyInput, real } from './layer.ts';
import type { LayerParts } from './parts.ts';
import {
  type InputOptions,
  inputParameters,
  inputTraits,
  quantizeInput,
  resolveInputQuantizer,
} from './quantized-input.ts';
import { kernelGradients, realsOnce, rowProduct, withRows } from './rows.ts';
import { type KernelOptions, kernelOf, usedWeights, type WeightOptions, zeroBias } from './weights.ts';

/** Options of `dense`. */
export interface DenseOptions extends KernelOptions {
  /** What the layer is called in a model, its files and errors. Default: its kind, with a number. */
  readonly name?: string;
  /** Outputs. */
  readonly units: number;
  /** Default false, as is the field's custom: batch normalisation follows. */
  readonly useBias?: boolean;
}

/** Options of `quantDense`. */
export interface QuantDenseOptions extends DenseOptions, WeightOptions, InputOptions {}

const QUANT_DENSE_OPTIONS = namesOf<Omit<QuantDenseOptions, 'inputGroupScale'>>({
  name: true,
  units: true,
  useBias: true,
  inputQuantizer: true,
  kernelRotation: true,
  groupScale: true,
  kernelQuantizer: true,
  kernelConstraint: true,
  kernelInitializer: true,
});

export function makeDense(options: DenseOptions, parts: LayerParts): Layer {
  return denseOf('dense', options, parts);
}

export function makeQuantDense(options: QuantDenseOptions, parts: LayerParts): Layer {
  return denseOf('quantDense', options, parts);
}

function denseOf(kind: string, options: QuantDenseOptions, parts: LayerParts): Layer {
  const where = layerName(options, QUANT_DENSE_OPTIONS, kind);
  assertCount(options.units, 'units', where);
  const { units, groupScale } = options;
  const inputQuantizer =
    options.inputQuantizer && resolveInputQuantizer(options.inputQuantizer, parts, where);
  const kernelFor = kernelOf(options, parts, where);
  const binaryWeights = options.kernelQuantizer !== undefined && groupScale === undefined;

  return {
    name: options.name,
    kind,
    config: notedConfig(options),
    traits: {
      ...inputTraits(inputQuantizer),
      ...(groupScale === undefined &&
        (inputQuantizer === undefined || isPlainSign(inputQuantizer)) && {
          product: {
            kind: 'dense',
            binaryWeights,
            input: inputQuantizer === undefined ? 'values' : 'signs',
            plain: options.useBias !== true,
            withWeights(name, quantizer) {
              const { kernelQuantizer: _, kernelConstraint: _clip, ...others } = options;
              return denseOf(
                kind,
                { ...others, name, ...(quantizer && { kernelQuantizer: quantizer }) },
                parts,
              );
            },
          },
        }),
    },
    outputShape(inputs, name) {
      assertRank(onlyInput(inputs, name), 1, name, 'put flatten() before it');
      return [units];
    },
    parameters(inputs) {
      const features = featuresOf(inputs);
      const kernel = [
        ...inputParameters(inputQuantizer, features),
        ...withRows(kernelFor([units, features], features, units)),
      ];
      return options.useBias ? [...kernel, zeroBias(units)] : kernel;
    },
    operations(inputs) {
      const macs = units * featuresOf(inputs);
      return binaryWeights && inputQuantizer ? { binary: macs, float: 0 } : { binary: 0, float: macs };
    },
    forward(context, inputs) {
      const { builder, parameter, wantsInputGradient } = context;
      const input = onlyInput(inputs, where);
      const kernel = parameter('kernel');
      const weights = usedWeights(context, [units, input.tensor.shape[1] ?? 1], options, parts);
      const { packed } = weights;
      const quantized = inputQuantizer && quantizeInput(context, input, inputQuantizer);
      const rows = packed && rowProduct(context, packed);
      const realsOf = realsOnce((bits) => unpackSigns(builder, bits));
      /** The product with the input as it is, or with signs of it. */
      const product = (bits: Tensor | undefined) => {
        if (packed === undefined) {
          const x = bits === undefined ? asReal(builder, input) : realsOf(bits);
          return weights.multiply?.(x) ?? matMul(builder, x, weights.value, { transposeB: true });
        }
        const multiply = (signs: Tensor) =>
          bits === undefined
            ? signMatMul(builder, asReal(builder, input), signs)
            : binaryMatMul(builder, bits, signs);
        const made = multiply(packed);
        return rows?.output(made, multiply) ?? made;
      };
      const bits = input.kind === 'sign' ? input.tensor : undefined;
      const whole = quantized?.output(product) ?? product(bits);
      const output = options.useBias ? addBias(builder, whole, parameter('bias').value) : whole;

      const ofSigns = quantized?.isPlain ?? input.kind === 'sign';
      const integers = ofSigns && rows?.isPlain === true && options.useBias !== true;
      return {
        output: { ...real(output), integers },
        backward(gradOutput) {
          const ops = gradientsOf(context, where);
          const gradWeights = (g: Tensor, signs: Tensor) =>
            packed === undefined
              ? ops.signMatMulGradWeights(builder, g, realsOf(signs))
              : ops.binaryMatMulGradWeights(builder, g, signs);
          const gradKernel =
            quantized?.gradWeights(gradOutput, gradWeights) ??
            (bits === undefined
              ? ops.signMatMulGradWeights(builder, gradOutput, asReal(builder, input))
              : gradWeights(gradOutput, bits));
          const gate = quantized?.gate;
          const gradInput = !(wantsInputGradient[0] || quantized?.learns)
            ? undefined
            : rows !== undefined
              ? rows.gradInput(gradOutput, (g, signs) =>
                  ops.binaryMatMulGradInput(builder, g, signs, gate === undefined ? {} : { gate }),
                )
              : matMul(builder, gradOutput, weights.value);
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

function featuresOf(inputs: readonly Shape[]): number {
  return inputs[0]?.[0] ?? 1;
}
