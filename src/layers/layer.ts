/**
 * What a layer is: configuration, the parameters it needs, and how its forward and backward passes are recorded as
 * operations. Layers hold no GPU memory; the same layer object can be compiled for training and for inference.
 */
import { OptionError, ShapeError } from '../errors.ts';
import { describe, type ProgramBuilder, type Shape, Tensor } from '../gpu/index.ts';
import type { Quantizer, QuantizerLike } from '../methods/index.ts';
import { packSigns, unpackSigns } from '../ops/dense.ts';
import type * as Gradients from '../ops/gradients.ts';
import type { Pool2dOptions } from '../ops/pool.ts';

/** How the values of a parameter are drawn before training. Fans are those of the parameter. */
export type Initializer =
  | { readonly kind: 'uniform'; readonly limit: number }
  | { readonly kind: 'glorotUniform' }
  | { readonly kind: 'glorotNormal' }
  | { readonly kind: 'heNormal' }
  | { readonly kind: 'normal'; readonly deviation: number }
  | { readonly kind: 'constant'; readonly value: number }
  /** 1 where a row and its column have the same number, else 0. */
  | { readonly kind: 'identity' }
  /** The same numbers in every row, one for each column. */
  | { readonly kind: 'rows'; readonly values: readonly number[] };

/** `binary`: latent reals whose signs are used. `real`: used as they are. `statistic`: kept, but not trained. */
export type ParameterRole = 'binary' | 'real' | 'statistic';

/** A parameter of a layer before it has values. */
export interface ParameterSpec {
  /** Without the layer's: `kernel`, say. */
  readonly name: string;
  /** Filters are OHWI, dense kernels [units, inputs]: the first axis counts filters. */
  readonly shape: Shape;
  /** How it is used, and whether it is trained. */
  readonly role: ParameterRole;
  /** How its values are drawn before training. */
  readonly initializer: Initializer;
  /** Inputs that one output is a sum of. */
  readonly fanIn: number;
  /** Outputs that one input goes into. */
  readonly fanOut: number;
  /** Binary only: what gates the weight's gradient. Default: `steSign`. */
  readonly quantizer?: Quantizer;
  /** Binary only: its signs are derived with those of another parameter; it has no latent weights of its own. */
  readonly derived?: boolean;
  /** Binary only: latent weights are kept in [−1, 1] (Larq's `weight_clip`). */
  readonly weightClip?: boolean;
}

/** A parameter with its tensors. */
export interface Parameter {
  /** `layer/parameter`, unique in a network. */
  readonly name: string;
  /** What it was made of. */
  readonly spec: ParameterSpec;
  /**
   * f32: the latent weights of a binary parameter, or the values of another. The latent weights of a network that is
   * only run have no memory: an inference pass reads `packed`.
   */
  readonly value: Tensor;
  /** bits: the signs of `value`; binary parameters only. */
  readonly packed: Tensor | undefined;
}

/** What flows along an edge of the graph: reals (f32) or signs (bits), with the batch as first axis. */
export interface Activation {
  /** `real`: f32; `sign`: packed bits. */
  readonly kind: 'real' | 'sign';
  /** With the batch as first axis. */
  readonly tensor: Tensor;
  /**
   * Whether these reals are whole numbers of at most 2²⁴ in size, as sums of signs are. A normalisation then treats ties as
   * exact arithmetic does: what equals the mean of its channel becomes +1.
   */
  readonly integers?: boolean;
}

/** Everything a layer may use while it records its forward pass. */
export interface ForwardContext {
  /** Where dispatches are recorded. */
  readonly builder: ProgramBuilder;
  /** Whether a backward pass follows: dropout drops, normalisation measures the batch. */
  readonly training: boolean;
  /** The train state (see `shaders/lib/state.wgsl`); present when training. */
  readonly state: Tensor | undefined;
  /** A number of its own for every layer, to draw random numbers with. */
  readonly stream: number;
  /** Whether the gradient with respect to each input will be asked for. */
  readonly wantsInputGradient: readonly boolean[];
  /** f32 [rows, numbers]: what changes of a quantizer from step to step; present when training. */
  numbersOf?(quantizer: Quantizer): Tensor;
  /** Operations that only training needs; absent where a pass is recorded to be run only. See `gradientsOf`. */
  readonly gradients?: typeof Gradients | undefined;
  /** @throws OptionError when the layer declared no such parameter */
  parameter(name: string): Parameter;
}

/** Operations that only training needs. @throws OptionError where a pass is recorded to be run only */
export function gradientsOf({ gradients }: ForwardContext, where: string): typeof Gradients {
  if (gradients !== undefined) return gradients;
  throw irreversible(where);
}

/** A backward pass was asked for where only a forward pass was recorded. */
export function irreversible(where: string): OptionError {
  return new OptionError('Only a training pass can be reversed.', { where });
}

/** The recorded forward pass of a layer. */
export interface Forward {
  /** With the batch as first axis. */
  readonly output: Activation;
  /**
   * Records the backward pass; called at most once, only when training.
   * @param gradOutput f32, shape of the output
   */
  backward(gradOutput: Tensor): Backward;
}

/** Gradients with respect to the inputs and to the parameters of a layer. */
export interface Backward {
  /** Gradient with respect to each input, f32; undefined where it isn't wanted. */
  readonly inputs: readonly (Tensor | undefined)[];
  /** Gradient of each trained parameter, by name. */
  readonly parameters?: Readonly<Record<string, Tensor>>;
}

/** Multiply-accumulates of one sample. */
export interface Operations {
  /** Of signs: an XNOR and a count of bits. */
  readonly binary: number;
  /** Of reals. */
  readonly float: number;
}

/** A product of weights with what flows in, as it is trained. */
export interface ProductTraits {
  /**
   * `config` has the options of `quantDense`, `quantConv2d` or `quantDepthwiseConv2d` then, and the weights are the parameter
   * `kernel`: folding makes `binaryDense` or `binaryConv2d` of it.
   */
  readonly kind: 'dense' | 'conv2d' | 'depthwiseConv2d';
  /** Whether the weights are signs. */
  readonly binaryWeights: boolean;
  /** What of the input is multiplied: its signs, the integers of 8 bits that it holds, or its values as they are. */
  readonly input: 'signs' | 'integers' | 'values';
  /** Whether the sums go out as they are, with nothing added. */
  readonly plain: boolean;
  /**
   * The same layer with its weights as a quantizer makes them, or as they are. Absent, the layer keeps what it has: scales of
   * its filters aren't folded into thresholds.
   */
  withWeights?(name: string, quantizer: QuantizerLike | undefined): Layer;
}

/**
 * What a layer does to all values of a channel, with parameters [channels] of these names. `normalize`: (x − runningMean) /
 * √(runningVariance + epsilon), times gamma and plus beta where it has these. `scale`: x·scale + shift. `compare`: +1 where
 * direction·x ≥ threshold, else −1.
 */
export type ChannelTraits =
  | { readonly do: 'normalize'; readonly epsilon: number }
  | { readonly do: 'scale' | 'compare' };

/** One of the layers that a layer can be run as. */
export interface LayerPart {
  /** What computes it. */
  readonly layer: Layer;
  /** It is called as the whole layer is, with a dot and this behind. Default: as the whole layer is, which one part may be. */
  readonly name?: string;
  /** What it reads: places of parts, or -1 for the first input, -2 for the second. Default: the part before it. */
  readonly from?: readonly number[];
  /**
   * Which parameter of the whole layer each of its own is, what is made of some, or the number that it is filled with. Default: the
   * one of its name.
   */
  readonly parameters?: Readonly<Record<string, string | number | MadeParameter>>;
}

/** A parameter of a part that is made of one of the whole layer's, or of several. */
export interface MadeParameter {
  /** The name of that one, or their names. */
  readonly of: string | readonly string[];
  /** What is made of their values; signs come as ±1. */
  make(...values: Float32Array[]): Float32Array;
}

/**
 * What other rooms need to know of a layer, so that they don't ask for its kind. Everything may be left away: a layer without
 * traits takes reals and gives reals, and nothing folds into it.
 */
export interface Traits {
  /**
   * What flows out when the network is run. `signs`: +1 and -1, packed. `integers`: whole numbers up to 2^24, so that a
   * normalisation and a sign after it fold into a threshold. `selection`: some or all of the values that flow in, as pooling
   * by the maximum and `flatten` give, so that it is signs or integers where the input is. Default `reals`.
   */
  readonly output?: 'signs' | 'integers' | 'reals' | 'selection';
  /** Whether all values go out as they came, in their order, under another shape. */
  readonly reshapes?: boolean;
  /**
   * The layers that give the same when the network is run, one after the other; the last one gives the output. They take its
   * place where it is folded, written to other formats, or run by an engine that doesn't know it.
   */
  readonly parts?: (inputs: readonly Shape[]) => readonly LayerPart[];
  /**
   * Records the signs of its gates alone, bits [batch, ...output]: +1 where one is open, and the layer computes more. What `openGates`
   * counts.
   */
  readonly gates?: (context: ForwardContext, inputs: readonly Activation[]) => Tensor;
  /** Whether it hands on its input as it is when the network is only run, as `dropout` does. */
  readonly idle?: boolean;
  /** Whether values that are larger stay larger, as `softmax` keeps them: which one is the largest doesn't change. */
  readonly keepsOrder?: boolean;
  /** Whether it rounds values to a grid, as `quantize` does, whose options its `config` has. */
  readonly grid?: boolean;
  /** Whether only the signs of the input matter: a normalisation before it may become a threshold. */
  readonly readsSigns?: boolean;
  /** The quantizer that makes something else than signs of its input, by name: nothing folds into such a layer. */
  readonly inputRule?: string;
  /** Quantizers that its inputs or outputs go through. Those of its parameters are in their specifications. */
  readonly quantizers?: readonly Quantizer[];
  /** What it multiplies, if that is all that it does. */
  readonly product?: ProductTraits;
  /** What it does to channels, if that is all that it does. */
  readonly channels?: ChannelTraits;
  /** Its windows, where it gives the largest value of each: of numbers as they flow in (`selection`), or of signs. */
  readonly pooling?: Pool2dOptions;
}

/** A layer: what shape it gives, what it learns, and how its passes are recorded. It holds no memory. */
export interface Layer {
  /** Given, or made from the kind and the position in the model. */
  readonly name: string | undefined;
  /** The factory's name, e.g. `quantDense`. */
  readonly kind: string;
  /** What the factory was called with, for summaries and files: plain JSON. */
  readonly config: Readonly<Record<string, unknown>>;
  /**
   * Shape without the batch axis.
   * @throws ShapeError naming the layer when the inputs don't fit
   */
  outputShape(inputs: readonly Shape[], name: string): Shape;
  /** What it learns or keeps with inputs of these shapes, without the batch axis. */
  parameters(inputs: readonly Shape[]): readonly ParameterSpec[];
  /** What a sample costs, without the batch axis; absent: nothing that is counted. */
  operations?(inputs: readonly Shape[]): Operations;
  /** What passes and reports may know of it; see `Traits`. */
  readonly traits?: Traits | undefined;
  /** Records the forward pass, and gives what records the backward pass. @throws ShapeError naming the layer */
  forward(context: ForwardContext, inputs: readonly Activation[]): Forward;
}

/** The same layer under another name. It may be of a class, with methods of its prototype and private fields. */
export function renamed(layer: Layer, name: string): Layer {
  if (layer.name === name) return layer;
  return {
    name,
    kind: layer.kind,
    config: layer.config,
    traits: layer.traits,
    outputShape: (...given) => layer.outputShape(...given),
    parameters: (...given) => layer.parameters(...given),
    ...(layer.operations && {
      operations: (...given) => layer.operations?.(...given) ?? { binary: 0, float: 0 },
    }),
    forward: (...given) => layer.forward(...given),
  };
}

/** The only input of a layer that takes one. */
export function onlyInput<T>(inputs: readonly T[], name: string): T {
  const [first] = inputs;
  if (first === undefined || inputs.length !== 1) {
    throw new ShapeError('This layer takes one input.', { given: `${inputs.length} inputs`, where: name });
  }
  return first;
}

/** @throws ShapeError naming the layer unless the shape has this many axes (without the batch) */
export function assertRank(shape: Shape, rank: number, name: string, remedy?: string): void {
  if (shape.length !== rank) {
    const axes = rank === 1 ? '[features]' : '[height, width, channels]';
    throw new ShapeError("The input's shape doesn't fit this layer.", {
      given: describe(shape),
      expected: axes,
      where: name,
      remedy,
    });
  }
}

/** @throws OptionError naming the layer unless `value` is a positive integer */
export function assertCount(value: number, what: string, where: string): void {
  if (!Number.isSafeInteger(value) || value < 1) {
    throw new OptionError('This option must be a positive integer.', { given: `${what} = ${value}`, where });
  }
}

/** An activation as f32; signs become ±1. */
export function asReal(builder: ProgramBuilder, activation: Activation): Tensor {
  return activation.kind === 'real' ? activation.tensor : unpackSigns(builder, activation.tensor);
}

/** An activation as packed signs; those of reals are taken. */
export function asSigns(builder: ProgramBuilder, activation: Activation): Tensor {
  return activation.kind === 'sign' ? activation.tensor : packSigns(builder, activation.tensor);
}

/** Whether an activation as reals would be whole numbers: signs are. */
export function holdsIntegers({ kind, integers }: Activation): boolean {
  return kind === 'sign' || integers === true;
}

export function real(tensor: Tensor): Activation {
  return { kind: 'real', tensor };
}

/** A declared parameter without memory yet. */
export function declareParameter(layer: string, spec: ParameterSpec): Parameter {
  const name = `${layer}/${spec.name}`;
  return {
    name,
    spec,
    value: new Tensor(name, spec.shape, 'f32'),
    packed: spec.role === 'binary' ? new Tensor(`${name} (packed)`, spec.shape, 'bits') : undefined,
  };
}
