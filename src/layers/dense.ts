/** Fully connected layers: `quantDense` with binary weights or inputs, `dense` with real ones. */

import type { Shape, Tensor } from '../gpu/index.ts';
import { notedConfig, type QuantizerLike, resolveInputQuantizer } from '../methods/index.ts';
import { binaryMatMul, matMul, signMatMul, unpackSigns } from '../ops/dense.ts';
import { addBias } from '../ops/elementwise.ts';
import { assertKnownOptions, namesOf } from '../options.ts';
import { asReal, assertCount, assertRank, gradientsOf, type Layer, onlyInput, real } from './layer.ts';
import { quantizeInput } from './quantized-input.ts';
import { rowProduct, withRows } from './rows.ts';
import { type KernelOptions, kernelOf, type RotationOptions, usedWeights, zeroBias } from './weights.ts';

export interface DenseOptions extends KernelOptions {
  readonly name?: string;
  readonly units: number;
  /** Default false, as is the field's custom: batch normalisation follows. */
  readonly useBias?: boolean;
}

export interface QuantDenseOptions extends DenseOptions, RotationOptions {
  /** Binarizes the input; absent, the layer takes it as it is. */
  readonly inputQuantizer?: QuantizerLike;
}

const QUANT_DENSE_OPTIONS = namesOf<QuantDenseOptions>({
  name: true,
  units: true,
  useBias: true,
  inputQuantizer: true,
  kernelRotation: true,
  kernelQuantizer: true,
  kernelConstraint: true,
  kernelInitializer: true,
});

/** y = x·Wᵀ + b with real weights [units, inputs] (Keras `Dense`, whose kernel is the transpose). */
export function dense(options: Omit<DenseOptions, 'kernelQuantizer' | 'kernelConstraint'>): Layer {
  return makeDense('dense', options);
}

/**
 * Binary fully connected layer (Larq's `QuantDense`). Input [features], output [units].
 * With both quantizers the product is XNOR-popcount over packed bits, and the backward pass keeps bits only.
 */
export function quantDense(options: QuantDenseOptions): Layer {
  return makeDense('quantDense', options);
}

function makeDense(kind: string, options: QuantDenseOptions): Layer {
  assertKnownOptions(options, QUANT_DENSE_OPTIONS, options.name ?? kind);
  const where = options.name ?? kind;
  assertCount(options.units, 'units', where);
  const { units } = options;
  const inputQuantizer = options.inputQuantizer && resolveInputQuantizer(options.inputQuantizer, where);
  const kernelFor = kernelOf(options, where);
  const binaryWeights = options.kernelQuantizer !== undefined;

  return {
    name: options.name,
    kind,
    config: notedConfig(options),
    traits: {
      readsSigns: inputQuantizer !== undefined,
      product: {
        kind: 'dense',
        binaryWeights,
        input: inputQuantizer === undefined ? 'values' : 'signs',
        plain: options.useBias !== true,
        withWeights(name, quantizer) {
          const { kernelQuantizer: _, kernelConstraint: _clip, ...others } = options;
          return makeDense(kind, { ...others, name, ...(quantizer && { kernelQuantizer: quantizer }) });
        },
      },
    },
    outputShape(inputs, name) {
      assertRank(onlyInput(inputs, name), 1, name, 'put flatten() before it');
      return [units];
    },
    parameters(inputs) {
      const features = featuresOf(inputs);
      const kernel = withRows(kernelFor([units, features], features, units));
      return options.useBias ? [...kernel, zeroBias(units)] : kernel;
    },
    operations(inputs) {
      const macs = units * featuresOf(inputs);
      return binaryWeights && inputQuantizer ? { binary: macs, float: 0 } : { binary: 0, float: macs };
    },
    forward(context, inputs) {
      const { builder, parameter, wantsInputGradient } = context;
      const input = onlyInput(inputs, where);
      const { value: latent, packed } = parameter('kernel');
      const value = usedWeights(builder, latent, options);
      const quantized = inputQuantizer && quantizeInput(context, input, inputQuantizer);
      const bits = quantized?.bits ?? (input.kind === 'sign' ? input.tensor : undefined);
      const x =
        bits === undefined
          ? asReal(builder, input)
          : packed === undefined
            ? unpackSigns(builder, bits)
            : undefined;
      const multiply = (signs: Tensor) =>
        x === undefined ? binaryMatMul(builder, bits as Tensor, signs) : signMatMul(builder, x, signs);
      const rows = packed && rowProduct(context, packed);
      const product =
        packed === undefined ? matMul(builder, x as Tensor, value, { transposeB: true }) : multiply(packed);
      const whole = rows?.output(product, multiply) ?? product;
      const output = options.useBias ? addBias(builder, whole, parameter('bias').value) : whole;

      const integers = bits !== undefined && rows?.isPlain === true && options.useBias !== true;
      return {
        output: { ...real(output), integers },
        backward(gradOutput) {
          const ops = gradientsOf(context, where);
          const kernel =
            x !== undefined
              ? ops.signMatMulGradWeights(builder, gradOutput, x)
              : ops.binaryMatMulGradWeights(builder, gradOutput, bits as Tensor);
          const gate = quantized?.gate;
          const gradInput = !wantsInputGradient[0]
            ? undefined
            : rows !== undefined
              ? rows.gradInput(gradOutput, (g, signs) =>
                  ops.binaryMatMulGradInput(builder, g, signs, gate === undefined ? {} : { gate }),
                )
              : matMul(builder, gradOutput, value);
          return {
            inputs: [
              gradInput && (quantized?.gradient(gradInput, { gated: packed !== undefined }) ?? gradInput),
            ],
            parameters: options.useBias ? { kernel, bias: ops.biasGrad(builder, gradOutput) } : { kernel },
          };
        },
      };
    },
  };
}

function featuresOf(inputs: readonly Shape[]): number {
  return inputs[0]?.[0] ?? 1;
}
