/**
 * Penalties: what is added to the loss of every binary weight, as an edit of its gradient. The gradient that it edits is with
 * respect to the latent weight, after the quantizer's.
 *
 *   const towardsSigns = definePenalty({
 *     name: 'towardsSigns',
 *     formula: 'λ (1 - w²)',
 *     source: 'this example',
 *     parameters: { strength: { default: 1e-4, from: 0, says: 'λ' } },
 *     wgsl: 'override STRENGTH: f32; fn penalized(w: f32, g: f32) -> f32 { return g - 2.0 * STRENGTH * w; }',
 *     twin: (w, g, { strength }) => g - 2 * strength * w,
 *     value: (w, { strength }) => strength * (1 - w * w),
 *   });
 */
import type { Filling } from '../gpu/index.ts';
import {
  checkDefinition,
  type Description,
  factoryOf,
  type Method,
  type MethodFactory,
  overridesOf,
  type Parameters,
  type Values,
} from './method.ts';

/** What `definePenalty` makes a penalty of. */
export interface PenaltyDefinition<P extends Parameters = Parameters> extends Description<P> {
  /** `fn penalized(w: f32, g: f32) -> f32`: what becomes of the gradient `g` at the latent weight `w`. */
  readonly wgsl: string;
  /** The same in float64. */
  readonly twin: (w: number, g: number, values: Values<P>) => number;
  /** What it adds to the loss for a weight, where it is the gradient of something. */
  readonly value?: (w: number, values: Values<P>) => number;
}

/** What is added to the gradient of a latent weight. */
export interface Penalty extends Method {
  /** Tells it from other methods. */
  readonly kind: 'penalty';
  /** What it was made of. */
  readonly definition: PenaltyDefinition;
  /** What goes into the kernels. */
  readonly filling: Filling;
  /** The gradient that comes of `g` at `w`, in float64. */
  twin(w: number, g: number): number;
  /** What it adds to the loss at `w`, where that is known. */
  value(w: number): number | undefined;
}

/** Makes penalties of a definition, with numbers of their own. */
export type PenaltyFactory<P extends Parameters = Parameters> = MethodFactory<
  Penalty,
  P,
  PenaltyDefinition<P>
>;

/**
 * Makes a penalty of its definition.
 * @throws OptionError for a definition that lacks a member, naming it
 * @example
 * ```ts
 * import { definePenalty } from 'webgpu-bnn/methods';
 *
 * const decay = definePenalty({
 *   name: 'decay',
 *   formula: 'λ w² / 2',
 *   source: 'this example',
 *   parameters: { strength: { default: 1e-4, from: 0, says: 'λ' } },
 *   wgsl: 'override STRENGTH: f32; fn penalized(w: f32, g: f32) -> f32 { return g + STRENGTH * w; }',
 *   twin: (w, g, { strength }) => g + strength * w,
 * });
 * console.log(decay({ strength: 0.1 }).twin(1, 0));
 * ```
 */
export function definePenalty<const P extends Parameters = Record<never, never>>(
  definition: PenaltyDefinition<P>,
): PenaltyFactory<P> {
  const { name, wgsl, twin, value } = definition;
  const where = checkDefinition('penalty', { ...definition }, 'fn penalized(w: f32, g: f32) -> f32', 'twin');
  return factoryOf<Penalty, P, PenaltyDefinition<P>>('penalty', definition, (values) => ({
    filling: { name, wgsl, provides: ['penalized'], constants: overridesOf(wgsl, values, {}, where) },
    twin: (w, g) => twin(w, g, values),
    value: (w) => value?.(w, values),
  }));
}
