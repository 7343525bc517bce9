/**
 * Augmentations: what is done at random to the samples of a training, on the GPU, a batch at a time. Their random numbers follow from
 * the seed, the epoch and the sample.
 *
 *   const shear = defineAugmentation({
 *     name: 'shear',
 *     stage: 'move',
 *     formula: 'x + s y; s within ± amount',
 *     source: 'this example',
 *     parameters: { amount: { default: 0.1, from: 0, says: 'pixels to the side for one down' } },
 *     wgsl: `
 *       override AMOUNT: f32;
 *       fn taken_from(here: vec2f, extent: vec2f, random: vec4f) -> vec2f {
 *         return here + vec2f(AMOUNT * (2.0 * random.x - 1.0) * here.y, 0.0);
 *       }`,
 *     twin: ([x, y], _extent, [r = 0], { amount }) => [x + amount * (2 * r - 1) * y, y],
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

/** Across and down. */
export type Place = readonly [x: number, y: number];

export interface MoveDefinition<P extends Parameters = Parameters> extends Description<P> {
  /** Pixels of images [height, width, channels] are taken from other places. */
  readonly stage: 'move';
  /**
   * `fn taken_from(here: vec2f, extent: vec2f, random: vec4f) -> vec2f`: the place that the pixel `here` is taken from; both are
   * counted in pixels from the centre. `extent` is width and height, `random` four numbers in [0, 1) that all pixels share.
   */
  readonly wgsl: string;
  /** The same in float64. */
  readonly twin: (here: Place, extent: Place, random: readonly number[], values: Values<P>) => Place;
}

export interface ChangeDefinition<P extends Parameters = Parameters> extends Description<P> {
  /** Values are changed where they are. */
  readonly stage: 'change';
  /**
   * `fn changed(value: f32, here: vec2f, extent: vec2f, range: vec2f, random: vec4f) -> f32`: the new value of the pixel `here`,
   * counted from the first one. `range` is the middle of the values and what lies between least and most.
   */
  readonly wgsl: string;
  /** The same in float64. */
  readonly twin: (
    value: number,
    at: { readonly here: Place; readonly extent: Place; readonly middle: number; readonly span: number },
    random: readonly number[],
    values: Values<P>,
  ) => number;
}

/** What has kernels of its own: crops and mirror images while samples are picked; mixed samples; smoothed targets. */
export interface BuiltInDefinition<P extends Parameters = Parameters> extends Description<P> {
  readonly stage: 'pick' | 'mix' | 'targets';
}

/** What `defineAugmentation` makes an augmentation of. */
export type AugmentationDefinition<P extends Parameters = Parameters> =
  | MoveDefinition<P>
  | ChangeDefinition<P>
  | BuiltInDefinition<P>;

/** What is done to samples while they train. */
export interface Augmentation extends Method {
  /** Tells it from other methods. */
  readonly kind: 'augmentation';
  /** What it was made of. */
  readonly definition: AugmentationDefinition;
  readonly parameters: Readonly<Record<string, number>>;
  /** What goes into the frame of its stage, where it has one. */
  readonly filling: Filling | undefined;
}

/** Makes an augmentation of its numbers. */
export type AugmentationFactory<P extends Parameters = Parameters> = MethodFactory<
  Augmentation,
  P,
  AugmentationDefinition<P>
>;

const SIGNATURES = {
  move: 'fn taken_from(here: vec2f, extent: vec2f, random: vec4f) -> vec2f',
  change: 'fn changed(value: f32, here: vec2f, extent: vec2f, range: vec2f, random: vec4f) -> f32',
} as const;

/**
 * Makes an augmentation of its definition.
 * @throws OptionError for a definition that lacks a member, naming it
 */
export function defineAugmentation<const P extends Parameters = Record<never, never>>(
  definition: AugmentationDefinition<P>,
): AugmentationFactory<P> {
  const fill = fillingOf(definition as AugmentationDefinition);
  return factoryOf<Augmentation, P, AugmentationDefinition<P>>('augmentation', definition, (values) => ({
    filling: fill(values),
  }));
}

function fillingOf(
  definition: AugmentationDefinition,
): (values: Readonly<Record<string, unknown>>) => Filling | undefined {
  if (definition.stage !== 'move' && definition.stage !== 'change') return () => undefined;
  const { name, wgsl, stage } = definition;
  const where = checkDefinition('augmentation', { ...definition }, SIGNATURES[stage], 'twin');
  const provides = [stage === 'move' ? 'taken_from' : 'changed'];
  return (values) => ({ name, wgsl, provides, constants: overridesOf(wgsl, values, {}, where) });
}
