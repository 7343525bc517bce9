/** Depthwise and separable convolutions with binary weights or inputs, by Larq's names. */

import type { Shape } from '../gpu/index.ts';
import type { QuantizerLike } from '../methods/index.ts';
import { isPlainSign, notedConfig } from '../methods/note.ts';
import type { Conv2dOptions } from '../ops/conv.ts';
import { layerName, namesOf } from '../options.ts';
import { makeQuantConv2d, type QuantConv2dOptions } from './conv2d.ts';
import {
  assertCount,
  assertRank,
  type Backward,
  type Initializer,
  type Layer,
  onlyInput,
  type Parameter,
} from './layer.ts';
import type { LayerParts } from './parts.ts';
import { inputTraits, resolveInputQuantizer } from './quantized-input.ts';
import type { KernelOptions } from './weights.ts';

interface DepthwiseOptions extends Omit<Conv2dOptions, 'groups'> {
  /** What the layer is called in a model, its files and errors. Default: its kind, with a number. */
  readonly name?: string;
  /** One number for a square kernel, or [height, width]. */
  readonly kernelSize: QuantConv2dOptions['kernelSize'];
  /** Outputs of every input channel. Default 1. */
  readonly depthMultiplier?: number;
  /** Binarizes the input; absent, the layer takes it as it is. */
  readonly inputQuantizer?: QuantizerLike;
  /** Binarizes the depthwise weights; absent, they are used as they are. */
  readonly depthwiseQuantizer?: QuantizerLike;
  /** `weightClip` keeps latent weights in [−1, 1]. Default: on for binary weights. */
  readonly depthwiseConstraint?: KernelOptions['kernelConstraint'];
  /** Default `glorotUniform`. */
  readonly depthwiseInitializer?: Initializer;
  /** Default false, as is the field's custom: batch normalisation follows. */
  readonly useBias?: boolean;
}

/** Options of `quantDepthwiseConv2d`. */
export interface QuantDepthwiseConv2dOptions extends DepthwiseOptions {}

const QUANT_DEPTHWISE_CONV2D_OPTIONS = namesOf<QuantDepthwiseConv2dOptions>({
  name: true,
  kernelSize: true,
  depthMultiplier: true,
  inputQuantizer: true,
  depthwiseQuantizer: true,
  depthwiseConstraint: true,
  depthwiseInitializer: true,
  useBias: true,
  strides: true,
  dilations: true,
  padding: true,
  padValue: true,
});

/** Options of `quantSeparableConv2d`. */
export interface QuantSeparableConv2dOptions extends DepthwiseOptions {
  /** Output channels. */
  readonly filters: number;
  /** Binarizes the pointwise weights; absent, they are used as they are. */
  readonly pointwiseQuantizer?: QuantizerLike;
  /** What keeps the latent pointwise weights in a range, as `kernelConstraint` does. */
  readonly pointwiseConstraint?: KernelOptions['kernelConstraint'];
  /** How the pointwise weights are drawn before training. */
  readonly pointwiseInitializer?: Initializer;
}

const QUANT_SEPARABLE_CONV2D_OPTIONS = namesOf<QuantSeparableConv2dOptions>({
  name: true,
  kernelSize: true,
  depthMultiplier: true,
  inputQuantizer: true,
  depthwiseQuantizer: true,
  depthwiseConstraint: true,
  depthwiseInitializer: true,
  useBias: true,
  strides: true,
  dilations: true,
  padding: true,
  padValue: true,
  filters: true,
  pointwiseQuantizer: true,
  pointwiseConstraint: true,
  pointwiseInitializer: true,
});

export function makeQuantDepthwiseConv2d(options: QuantDepthwiseConv2dOptions, parts: LayerParts): Layer {
  const kind = 'quantDepthwiseConv2d';
  const where = layerName(options, QUANT_DEPTHWISE_CONV2D_OPTIONS, kind);
  // A depthwise convolution is a grouped one, but for the number of groups, which only an input tells.
  const forInput = groupedBy(options, parts, where);
  const inputQuantizer =
    options.inputQuantizer && resolveInputQuantizer(options.inputQuantizer, parts, where);
  return {
    name: options.name,
    kind,
    config: notedConfig(options),
    traits: {
      ...inputTraits(inputQuantizer),
      ...((inputQuantizer === undefined || isPlainSign(inputQuantizer)) && {
        product: {
          kind: 'depthwiseConv2d',
          binaryWeights: options.depthwiseQuantizer !== undefined,
          input: inputQuantizer === undefined ? 'values' : 'signs',
          plain: options.useBias !== true,
          withWeights(name, quantizer) {
            const { depthwiseQuantizer: _, depthwiseConstraint: _clip, ...others } = options;
            return makeQuantDepthwiseConv2d(
              { ...others, name, ...(quantizer && { depthwiseQuantizer: quantizer }) },
              parts,
            );
          },
        },
      }),
    },
    outputShape(inputs, name) {
      const input = onlyInput(inputs, name);
      assertRank(input, 3, name);
      return forInput(input).outputShape(inputs, name);
    },
    parameters: (inputs) => forInput(onlyInput(inputs, where)).parameters(inputs),
    operations: (inputs) =>
      forInput(onlyInput(inputs, where)).operations?.(inputs) ?? { binary: 0, float: 0 },
    forward: (context, inputs) =>
      forInput(onlyInput(inputs, where).tensor.shape.slice(1)).forward(context, inputs),
  };
}

export function makeQuantSeparableConv2d(options: QuantSeparableConv2dOptions, parts: LayerParts): Layer {
  const kind = 'quantSeparableConv2d';
  const where = layerName(options, QUANT_SEPARABLE_CONV2D_OPTIONS, kind);
  const { useBias, ...spatial } = options;
  const depthwise = groupedBy(spatial, parts, where);
  const { pointwiseQuantizer, pointwiseConstraint, pointwiseInitializer } = options;
  const pointwise = makeQuantConv2d(
    {
      name: where,
      filters: options.filters,
      kernelSize: 1,
      ...(useBias === undefined ? {} : { useBias }),
      ...kernelOptions(pointwiseQuantizer, pointwiseConstraint, pointwiseInitializer),
    },
    parts,
  );
  const between = (inputs: readonly Shape[], name: string) => {
    const input = onlyInput(inputs, name);
    assertRank(input, 3, name);
    return [depthwise(input).outputShape(inputs, name)];
  };
  return {
    name: options.name,
    kind,
    config: notedConfig(options),
    traits: inputTraits(
      options.inputQuantizer && resolveInputQuantizer(options.inputQuantizer, parts, where),
    ),
    outputShape: (inputs, name) => pointwise.outputShape(between(inputs, name), name),
    parameters: (inputs) => [
      ...depthwise(onlyInput(inputs, where))
        .parameters(inputs)
        .map((spec) => ({ ...spec, name: spec.name.replace(/^kernel/, 'depthwiseKernel') })),
      ...pointwise
        .parameters(between(inputs, where))
        .map((spec) => ({ ...spec, name: spec.name.replace(/^kernel/, 'pointwiseKernel') })),
    ],
    operations(inputs) {
      const first = depthwise(onlyInput(inputs, where)).operations?.(inputs);
      const second = pointwise.operations?.(between(inputs, where));
      return {
        binary: (first?.binary ?? 0) + (second?.binary ?? 0),
        float: (first?.float ?? 0) + (second?.float ?? 0),
      };
    },
    forward(context, inputs) {
      const named =
        (kernel: string) =>
        (name: string): Parameter =>
          context.parameter(name.replace(/^kernel/, kernel));
      const first = depthwise(onlyInput(inputs, where).tensor.shape.slice(1)).forward(
        { ...context, parameter: named('depthwiseKernel') },
        inputs,
      );
      const second = pointwise.forward(
        { ...context, parameter: named('pointwiseKernel'), wantsInputGradient: [true] },
        [first.output],
      );
      return {
        output: second.output,
        backward(gradOutput) {
          const { inputs: gradients, parameters: mixing } = second.backward(gradOutput);
          const [gradBetween = gradOutput] = gradients;
          const { inputs: gradInputs, parameters: spreading } = first.backward(gradBetween);
          const under = (kernel: string, own: Backward['parameters'] = {}) =>
            Object.fromEntries(
              Object.entries(own).map(([name, gradient]) => [name.replace(/^kernel/, kernel), gradient]),
            );
          return {
            inputs: gradInputs,
            parameters: {
              ...under('depthwiseKernel', spreading),
              ...under('pointwiseKernel', mixing),
            },
          };
        },
      };
    },
  };
}

/** The convolution of an input of so many channels: as many groups. */
function groupedBy(options: DepthwiseOptions, parts: LayerParts, where: string): (input: Shape) => Layer {
  const {
    kernelSize,
    strides,
    dilations,
    padding,
    padValue,
    inputQuantizer,
    useBias,
    depthMultiplier = 1,
  } = options;
  assertCount(depthMultiplier, 'depthMultiplier', where);
  // Once, so that every layer that is made has the same objects.
  const input = inputQuantizer && resolveInputQuantizer(inputQuantizer, parts, where);
  const depthwise = options.depthwiseQuantizer && parts.quantizer(options.depthwiseQuantizer, where);
  const make = (channels: number) =>
    makeQuantConv2d(
      {
        name: where,
        kernelSize,
        filters: channels * depthMultiplier,
        groups: channels,
        strides,
        dilations,
        padding,
        padValue,
        ...(input === undefined ? {} : { inputQuantizer: input }),
        ...(useBias === undefined ? {} : { useBias }),
        ...kernelOptions(depthwise, options.depthwiseConstraint, options.depthwiseInitializer),
      },
      parts,
    );
  // Options that aren't right are refused when the layer is made.
  make(1);
  return (input) => make(input[2] ?? 1);
}

function kernelOptions(
  kernelQuantizer: QuantizerLike | undefined,
  kernelConstraint: KernelOptions['kernelConstraint'],
  kernelInitializer: Initializer | undefined,
): KernelOptions {
  return {
    ...(kernelQuantizer === undefined ? {} : { kernelQuantizer }),
    ...(kernelConstraint === undefined ? {} : { kernelConstraint }),
    ...(kernelInitializer === undefined ? {} : { kernelInitializer }),
  };
}
