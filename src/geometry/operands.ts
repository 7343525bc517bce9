/** What a binary layer multiplies in a pass: its input as reals and as signs, and the dot products of both. */
import type { ProgramBuilder, Tensor } from '../gpu/index.ts';
import type { Model, RecordedPass } from '../graph/index.ts';
import { takesSigns } from '../graph/signs.ts';
import type { Parameter } from '../layers/index.ts';
import { binaryConv2d, type Conv2dOptions, conv2d, signConv2d } from '../ops/conv.ts';
import { binaryMatMul, matMul, packSigns, signMatMul, unpackSigns } from '../ops/dense.ts';
import { permuteElements } from '../ops/proportionality.ts';

/** A layer with latent binary weights. */
export interface BinaryLayer {
  readonly kernel: Parameter;
  /** Its signs. */
  readonly packed: Tensor;
  /** Of a convolution; undefined for a dense layer. */
  readonly window: Conv2dOptions | undefined;
}

/** A layer's input: as reals, as signs, or both. */
export interface Operand {
  readonly reals: Tensor | undefined;
  readonly signs: Tensor | undefined;
}

/** What is binarized. */
export const COMPARISONS = ['weights', 'activations', 'both'] as const;
export type ComparisonName = (typeof COMPARISONS)[number];

/** What feeds a layer in a recorded pass over `x`. */
export function operandOf(
  builder: ProgramBuilder,
  model: Model,
  pass: RecordedPass,
  x: Tensor,
  index: number,
): Operand {
  const entry = model.layers[index];
  const from = entry?.inputs[0] ?? -1;
  const { kind, tensor } = pass.activations[from] ?? { kind: 'real', tensor: x };
  if (kind === 'sign' || givesSigns(model, from)) {
    // Some layers hand signs on as reals of ±1.
    const signs = kind === 'sign' ? tensor : packSigns(builder, tensor);
    return { signs, reals: continuousOf(model, pass, x, from) };
  }
  const binarized = entry?.layer.config.inputQuantizer !== undefined;
  return { reals: tensor, signs: binarized ? packSigns(builder, tensor) : undefined };
}

/** The same values in random places. */
export function shuffled(builder: ProgramBuilder, { reals, signs }: Operand, seed: number): Operand {
  if (reals === undefined) {
    if (signs === undefined) return { reals, signs };
    const shuffled = permuteElements(builder, unpackSigns(builder, signs), { seed });
    return { reals: undefined, signs: packSigns(builder, shuffled) };
  }
  const shuffled = permuteElements(builder, reals, { seed });
  return { reals: shuffled, signs: signs && packSigns(builder, shuffled) };
}

/** The pairs (continuous, binarized) of dot products of a layer. */
export function dotProducts(
  builder: ProgramBuilder,
  { kernel, packed, window }: BinaryLayer,
  { reals, signs }: Operand,
): Map<ComparisonName, readonly [Tensor, Tensor]> {
  const { value } = kernel;
  const real = (x: Tensor) =>
    window ? conv2d(builder, x, value, window) : matMul(builder, x, value, { transposeB: true });
  const sign = (x: Tensor) =>
    window ? signConv2d(builder, x, packed, window) : signMatMul(builder, x, packed);
  const pairs = new Map<ComparisonName, readonly [Tensor, Tensor]>();
  if (signs === undefined) {
    if (reals !== undefined) pairs.set('weights', [real(reals), sign(reals)]);
    return pairs;
  }
  const binary = window ? binaryConv2d(builder, signs, packed, window) : binaryMatMul(builder, signs, packed);
  pairs.set('weights', [real(unpackSigns(builder, signs)), binary]);
  if (reals !== undefined) {
    pairs.set('activations', [sign(reals), binary]);
    pairs.set('both', [real(reals), binary]);
  }
  return pairs;
}

/** The window of a convolution, of its configuration. */
export function windowOf(config: Readonly<Record<string, unknown>>): Conv2dOptions {
  const { strides, dilations, groups, padding, padValue } = config as Conv2dOptions;
  return { strides, dilations, groups, padding, padValue };
}

/** Whether what a layer hands on are signs, whatever they lie in. */
function givesSigns(model: Model, index: number): boolean {
  const entry = model.layers[index];
  if (entry === undefined) return false;
  const { output, reshapes } = entry.layer.traits ?? {};
  return reshapes === true ? givesSigns(model, entry.inputs[0] ?? -1) : output === 'signs';
}

/** The real activation whose signs a layer hands on; undefined where there is none of the same shape. */
function continuousOf(model: Model, pass: RecordedPass, x: Tensor, index: number): Tensor | undefined {
  const entry = model.layers[index];
  const from = entry?.inputs[0] ?? -1;
  if (entry?.layer.traits?.reshapes === true) {
    const shape = [x.shape[0] ?? 1, ...entry.outputShape];
    return continuousOf(model, pass, x, from)?.reshape(shape);
  }
  // Others that give signs take them of something else than their input.
  if (entry === undefined || !takesSigns(entry)) return undefined;
  const { kind, tensor } = pass.activations[from] ?? { kind: 'real', tensor: x };
  return kind === 'real' ? tensor : undefined;
}
