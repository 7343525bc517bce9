/**
 * Quantizers: what a sign is taken of, and what gradient passes in place of its derivative, which is 0 almost everywhere. All
 * of them give sign(x) in {-1, +1} with sign(0) = +1.
 *
 *   const cubic = defineQuantizer({
 *     name: 'cubic',
 *     formula: '(1 - x²)³ where |x| <= 1, else 0',
 *     source: 'this example',
 *     wgsl: 'fn gradient(x: f32) -> f32 { let y = max(0.0, 1.0 - x * x); return y * y * y; }',
 *     gradient: (x) => Math.max(0, 1 - x * x) ** 3,
 *   });
 *   quantDense({ units: 64, inputQuantizer: cubic(), kernelQuantizer: cubic() });
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
import { assertRowRule, type RowRule, type RowRuleDefinition, rowRuleOf } from './row.ts';

export interface QuantizerDefinition<P extends Parameters = Parameters> extends Description<P> {
  /** `fn gradient(x: f32) -> f32`; its parameters are overrides in upper case. */
  readonly wgsl: string;
  /** The same in float64. */
  readonly gradient: (x: number, values: Values<P>) => number;
  /** The function whose derivative `gradient` is: what stands in for the sign. For checks and plots. */
  readonly surrogate?: (x: number, values: Values<P>) => number;
  /**
   * Half width of the window inside which the gradient is 1, with 0 outside, where it is of that form: then one bit a value
   * is kept for the backward pass instead of the value.
   */
  readonly window?: (values: Values<P>) => number;
  /**
   * For weights: they become scale·sign(argument) + offset, by statistics of their filter. A quantizer with such a rule is
   * for weights alone.
   */
  readonly row?: RowRuleDefinition<P>;
}

export interface Quantizer extends Method {
  readonly kind: 'quantizer';
  readonly definition: QuantizerDefinition;
  /** What goes into the kernels. */
  readonly filling: Filling;
  /** Half width of the window of the gradient, where it has that form. Infinity: everything passes. */
  readonly window: number | undefined;
  /** What it does with a filter as a whole; undefined for most, whose weights are their signs. */
  readonly row: RowRule | undefined;
  /** The gradient that passes at x, in float64. */
  gradient(x: number): number;
  /** The function whose derivative it is, where that is known. */
  surrogate(x: number): number | undefined;
}

export type QuantizerFactory<P extends Parameters = Parameters> = MethodFactory<
  Quantizer,
  P,
  QuantizerDefinition<P>
>;

/**
 * Makes a quantizer of its definition.
 * @returns a factory: what it gives is a quantizer with numbers of its own
 * @throws OptionError for a definition that lacks a member, naming it
 */
export function defineQuantizer<const P extends Parameters = Record<never, never>>(
  definition: QuantizerDefinition<P>,
): QuantizerFactory<P> {
  const { name, wgsl } = definition;
  const where = checkDefinition('quantizer', { ...definition }, 'fn gradient(x: f32) -> f32', 'gradient');
  if (definition.row !== undefined) assertRowRule(definition.row as RowRuleDefinition, where);
  return factoryOf<Quantizer, P, QuantizerDefinition<P>>('quantizer', definition, (values) => ({
    filling: { name, wgsl, provides: ['gradient'], constants: overridesOf(wgsl, values, {}, where) },
    window: definition.window?.(values),
    row: definition.row && rowRuleOf(definition.row, name, values),
    gradient: (x) => definition.gradient(x, values),
    surrogate: (x) => definition.surrogate?.(x, values),
  }));
}

/** A factory of quantizers, whatever numbers they have. */
export type AnyQuantizerFactory = ((values?: never) => Quantizer) & {
  readonly definition: Pick<QuantizerDefinition, 'name'>;
};

/** Whether something is what `defineQuantizer` gave. */
export function isQuantizerFactory(given: unknown): given is AnyQuantizerFactory {
  const { definition } = (typeof given === 'function' ? given : {}) as {
    definition?: { gradient?: unknown };
  };
  return typeof definition?.gradient === 'function';
}
