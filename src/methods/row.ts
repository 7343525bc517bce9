/**
 * Rules for rows of weights: what a quantizer does with a filter as a whole. The weights that it makes of latent ones are
 * scale·sign(argument) + offset, each of them from statistics of the filter.
 */
import { OptionError } from '../errors.ts';
import { assertSignature, type Filling } from '../gpu/index.ts';
import { overridesOf, type Parameters, type Values } from './method.ts';

/** What is known of a filter's weights. In WGSL the names are `mean_magnitude`, `mean_deviation` and so on. */
export interface RowStatistics {
  readonly mean: number;
  /** Mean of |x|. */
  readonly meanMagnitude: number;
  /** √ of the mean of (x − mean)². */
  readonly sd: number;
  /** Mean of |x − mean|. */
  readonly meanDeviation: number;
  /** Of an even number of weights the upper one in the middle. */
  readonly median: number;
  /** Of |x − mean|, in the same way. */
  readonly medianDeviation: number;
}

export interface RowRuleDefinition<P extends Parameters = Parameters> {
  /**
   * Any of these functions; `RowStatistics` is known there, and parameters are overrides in upper case:
   * - `fn argument(x: f32, row: RowStatistics) -> f32`: the sign is taken of it, and the gradient is a function of it.
   *   Default: x
   * - `fn slope(x: f32, row: RowStatistics) -> f32`: its derivative with respect to x; with an argument
   * - `fn scale(row: RowStatistics) -> f32`: positive. Default: 1
   * - `fn offset(row: RowStatistics) -> f32`. Default: 0
   */
  readonly wgsl: string;
  /** The same in float64: a twin of each function that the WGSL has. */
  readonly argument?: (x: number, row: RowStatistics, values: Values<P>) => number;
  readonly slope?: (x: number, row: RowStatistics, values: Values<P>) => number;
  readonly scale?: (row: RowStatistics, values: Values<P>) => number;
  readonly offset?: (row: RowStatistics, values: Values<P>) => number;
}

/** A rule with its numbers. */
export interface RowRule {
  /** What goes into the kernels: all four functions. */
  readonly filling: Filling;
  /** Whether it reads medians, which cost more than sums. */
  readonly medians: boolean;
  /** Whether the sign is taken of something else than the weight itself. */
  readonly hasArgument: boolean;
  readonly hasScale: boolean;
  readonly hasOffset: boolean;
  argument(x: number, row: RowStatistics): number;
  slope(x: number, row: RowStatistics): number;
  scale(row: RowStatistics): number;
  offset(row: RowStatistics): number;
}

const FUNCTIONS = {
  argument: { signature: 'fn argument(x: f32, row: RowStatistics) -> f32', default: 'x' },
  slope: { signature: 'fn slope(x: f32, row: RowStatistics) -> f32', default: '1.0' },
  scale: { signature: 'fn scale(row: RowStatistics) -> f32', default: '1.0' },
  offset: { signature: 'fn offset(row: RowStatistics) -> f32', default: '0.0' },
} as const;
type FunctionName = keyof typeof FUNCTIONS;
const NAMES = Object.keys(FUNCTIONS) as readonly FunctionName[];

/** @throws OptionError for a rule whose WGSL and twins aren't of the same functions, naming the one */
export function assertRowRule(rule: RowRuleDefinition, where: string): void {
  const bare = rule.wgsl.replace(/\/\/.*$/gm, '');
  for (const name of NAMES) {
    const isDeclared = new RegExp(`\\bfn\\s+${name}\\s*\\(`).test(bare);
    const hasTwin = typeof rule[name] === 'function';
    if (isDeclared) assertSignature(rule.wgsl, FUNCTIONS[name].signature, where);
    if (isDeclared === hasTwin) continue;
    throw new OptionError('A rule for rows has each of its functions in WGSL and in float64.', {
      given: `row.${name} only ${isDeclared ? 'in WGSL' : 'in float64'}`,
      expected: `${FUNCTIONS[name].signature}, and row.${name}`,
      where,
    });
  }
  if ((rule.argument === undefined) !== (rule.slope === undefined)) {
    throw new OptionError('An argument comes with its slope, which the gradient is multiplied by.', {
      given: rule.slope === undefined ? 'row.argument without row.slope' : 'row.slope without row.argument',
      expected: FUNCTIONS.slope.signature,
      where,
    });
  }
  if (NAMES.every((name) => rule[name] === undefined)) {
    throw new OptionError('This rule for rows changes nothing.', {
      given: 'none of its functions',
      expected: NAMES.join(', '),
      where,
    });
  }
}

/** A checked rule with numbers. @param name of the quantizer */
export function rowRuleOf<P extends Parameters>(
  rule: RowRuleDefinition<P>,
  name: string,
  values: Values<P>,
): RowRule {
  const own = rule.wgsl;
  const missing = NAMES.filter((one) => rule[one] === undefined);
  const wgsl = [
    own,
    ...missing.map((one) => `${FUNCTIONS[one].signature} { return ${FUNCTIONS[one].default}; }`),
  ].join('\n');
  return {
    filling: {
      name,
      wgsl,
      provides: NAMES,
      constants: overridesOf(own, values, {}, `row of quantizer ${name}`),
    },
    medians: /\.median(_deviation)?\b/.test(own),
    hasArgument: rule.argument !== undefined,
    hasScale: rule.scale !== undefined,
    hasOffset: rule.offset !== undefined,
    argument: (x, row) => rule.argument?.(x, row, values) ?? x,
    slope: (x, row) => rule.slope?.(x, row, values) ?? 1,
    scale: (row) => rule.scale?.(row, values) ?? 1,
    offset: (row) => rule.offset?.(row, values) ?? 0,
  };
}

/** Statistics of a filter in float64. @throws OptionError for no weights */
export function statisticsOf(weights: ArrayLike<number>): RowStatistics {
  const x = Array.from(weights);
  if (x.length === 0) throw new OptionError('A row has weights.', { given: 'none', where: 'statisticsOf' });
  const meanOf = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const middleOf = (values: readonly number[]) =>
    values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
  const mean = meanOf(x);
  const deviations = x.map((value) => Math.abs(value - mean));
  return {
    mean,
    meanMagnitude: meanOf(x.map(Math.abs)),
    sd: Math.sqrt(meanOf(deviations.map((value) => value * value))),
    meanDeviation: meanOf(deviations),
    median: middleOf(x),
    medianDeviation: middleOf(deviations),
  };
}
