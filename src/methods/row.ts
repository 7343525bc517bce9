/**
 * Rules of quantizers: what becomes of a value as one of a row, a filter of weights or a sample of activations. It becomes
 * scale·sign(argument) + offset, or a sum of such planes, each of them from statistics of the row and learned numbers.
 */
import { OptionError } from '../errors.ts';
import { withoutComments } from '../gpu/frame.ts';
import { assertSignature } from '../gpu/index.ts';
import { meanOf } from '../numerics/mean.ts';
import type { RowFilling } from '../ops/rows.ts';
import * as operations from '../ops/rules.ts';
import { fieldsOf, overridesOf, type Parameters, snake, type Values } from './method.ts';

/** What is known of the values of a row. In WGSL the names are `mean_magnitude`, `mean_deviation` and so on. */
export interface RowStatistics {
  /** Mean of x. */
  readonly mean: number;
  /** Mean of |x|. */
  readonly meanMagnitude: number;
  /** √ of the mean of (x − mean)². */
  readonly sd: number;
  /** Mean of |x − mean|. */
  readonly meanDeviation: number;
  /** Of an even number of values the upper one in the middle. */
  readonly median: number;
  /** Of |x − mean|, in the same way. */
  readonly medianDeviation: number;
  /**
   * Means of the values below and above the middle between the two, as Lloyd's iteration finds them from the mean: the two
   * levels that are nearest to the row.
   */
  readonly lower: number;
  /** Upper of the two levels. */
  readonly upper: number;
  /** The same of |x|. */
  readonly lowerMagnitude: number;
  /** Upper of the two levels of |x|. */
  readonly upperMagnitude: number;
}

/** What the twins of a rule know beside a value and its row: the parameters, and where they are used. */
export type RuleValues<P extends Parameters = Parameters> = Values<P> & RuleMoment;

/** Where and when a rule is asked. */
export interface RuleMoment {
  /** From 0, of a rule with several planes; in WGSL `override PLANE: u32`. */
  readonly plane: number;
  /** What `chance()` gives. */
  readonly chance: number;
  /** What is learned, by name; in WGSL the fields of `own`. */
  readonly learned: Readonly<Record<string, number>>;
}

/** What `throughRow` makes: statistics that pass the gradient on, of the rules that have such. */
export interface Through<P extends Parameters = Parameters> {
  /** Derivatives of the value with respect to the row's mean, meanMagnitude and sd. */
  readonly twin: (
    at: { readonly x: number; readonly sign: number; readonly passed: number },
    row: RowStatistics,
    values: RuleValues<P>,
  ) => readonly [mean: number, meanMagnitude: number, sd: number];
  /** What records it. */
  readonly record: NonNullable<RowFilling['through']>;
}

/** What a quantizer does with a row of values as a whole. */
export interface RowRuleDefinition<P extends Parameters = Parameters> {
  /**
   * Any of these functions; `RowStatistics` is known there, and parameters are overrides in upper case:
   * - `fn argument(x: f32, row: RowStatistics) -> f32`: the sign is taken of it, and the gradient is a function of it.
   *   Default: x. It may use `chance()`, a number from [0, 1) that is drawn anew for each value and step.
   * - `fn slope(x: f32, row: RowStatistics) -> f32`: its derivative with respect to x; with an argument
   * - `fn scale(row: RowStatistics) -> f32`: positive. Default: 1
   * - `fn offset(row: RowStatistics) -> f32`. Default: 0
   * - `fn through(x: f32, sign: f32, passed: f32, row: RowStatistics) -> vec3f`: the derivatives of the value with respect to
   *   mean, mean_magnitude and sd of its row, at the argument's sign and where `gradient` gives `passed`. The gradient reaches
   *   all values of the row by them. Default: statistics count as constants
   *
   * Of a quantizer that learns, `struct Learned` has its numbers, each of the functions takes `own: Learned` at the end, and
   * one more is needed:
   * - `fn learning(x: f32, sign: f32, passed: f32, row: RowStatistics, own: Learned) -> vec4f`: the derivatives of the value
   *   with respect to what is learned, in order, at the argument's sign and where `gradient` gives `passed`
   */
  readonly wgsl: string;
  /** The same in float64: a twin of each function that the WGSL has. */
  readonly argument?: (x: number, row: RowStatistics, values: RuleValues<P>) => number;
  /** Twin of `slope`: the argument's derivative with respect to x. */
  readonly slope?: (x: number, row: RowStatistics, values: RuleValues<P>) => number;
  /** Twin of `scale`: positive. */
  readonly scale?: (row: RowStatistics, values: RuleValues<P>) => number;
  /** Twin of `offset`. */
  readonly offset?: (row: RowStatistics, values: RuleValues<P>) => number;
  /** Twin of `learning`: derivatives of the value with respect to what is learned, in order. */
  readonly learning?: (
    at: { readonly x: number; readonly sign: number; readonly passed: number },
    row: RowStatistics,
    values: RuleValues<P>,
  ) => readonly number[];
  /** Twin of `through`, made by `throughRow`: derivatives with respect to mean, meanMagnitude and sd, in this order. */
  readonly through?: Through<P>;
  /**
   * Whether the gradient passes straight through the whole: `gradient(x)`, in place of scale·gradient(argument)·slope. No
   * slope is needed then. Default false.
   */
  readonly straight?: boolean;
  /** Whether it reads statistics with these numbers. Default: where its WGSL names some. */
  readonly readsRow?: (values: Values<P>) => boolean;
  /**
   * How many signs a value is made of, each with a scale and an offset: its planes. They are of the value itself, or each of
   * the remainder that the former left over (greedy residuals). Straight rules only. Default: one.
   */
  readonly planes?: { readonly count: (values: Values<P>) => number; readonly of: 'value' | 'remainder' };
}

/** A rule with its numbers. */
export interface RowRule extends RowFilling {
  /** What passes of such values are made of. */
  readonly operations: typeof operations;
  /** Whether the sign is taken of something else than the value itself. */
  readonly hasArgument: boolean;
  /** What the sign is taken of; x where the rule has no argument. */
  argument(x: number, row: RowStatistics, at?: Partial<RuleMoment>): number;
  /** The argument's derivative with respect to x; 1 where the rule has none. */
  slope(x: number, row: RowStatistics, at?: Partial<RuleMoment>): number;
  /** What the sign is multiplied by; 1 where the rule has none. */
  scale(row: RowStatistics, at?: Partial<RuleMoment>): number;
  /** What is added to the scaled sign; 0 where the rule has none. */
  offset(row: RowStatistics, at?: Partial<RuleMoment>): number;
  /** Derivatives of the value with respect to what is learned, in order; empty where nothing is. */
  learning(
    of: { readonly x: number; readonly sign: number; readonly passed: number },
    row: RowStatistics,
    at?: Partial<RuleMoment>,
  ): readonly number[];
}

const FUNCTIONS = {
  argument: { takes: 'x: f32, row: RowStatistics', gives: 'f32', default: 'x' },
  slope: { takes: 'x: f32, row: RowStatistics', gives: 'f32', default: '1.0' },
  scale: { takes: 'row: RowStatistics', gives: 'f32', default: '1.0' },
  offset: { takes: 'row: RowStatistics', gives: 'f32', default: '0.0' },
  through: {
    takes: 'x: f32, sign: f32, passed: f32, row: RowStatistics',
    gives: 'vec3f',
    default: 'vec3f()',
  },
  // Summed by row, statistics are as what is learned.
  learning: {
    takes: 'x: f32, sign: f32, passed: f32, row: RowStatistics',
    gives: 'vec4f',
    default: 'vec4f(rule_through(x, sign, passed, row, own), 0.0)',
  },
} as const;
type FunctionName = keyof typeof FUNCTIONS;
const NAMES = Object.keys(FUNCTIONS) as readonly FunctionName[];

/** @throws OptionError for a rule whose WGSL and twins aren't of the same functions, naming the one */
export function assertRowRule(rule: RowRuleDefinition, learned: readonly string[], where: string): void {
  const bare = withoutComments(rule.wgsl);
  const wrong = (what: string, given: string, expected: string) => {
    throw new OptionError(what, { given, expected, where });
  };
  for (const name of NAMES) {
    const isDeclared = new RegExp(`\\bfn\\s+${name}\\s*\\(`).test(bare);
    const hasTwin = rule[name] !== undefined;
    if (isDeclared) assertSignature(rule.wgsl, signatureOf(name, learned.length > 0), where);
    if (isDeclared === hasTwin) continue;
    wrong(
      'A rule for rows has each of its functions in WGSL and in float64.',
      `row.${name} only ${isDeclared ? 'in WGSL' : 'in float64'}`,
      `${signatureOf(name, learned.length > 0)}, and row.${name}`,
    );
  }
  const { argument, slope, straight = false, planes } = rule;
  const hasSlope = slope !== undefined;
  if (straight ? hasSlope : (argument !== undefined) !== hasSlope) {
    wrong(
      'An argument comes with its slope, which the gradient is multiplied by; a straight rule has none.',
      hasSlope
        ? `row.slope ${straight ? 'of a straight rule' : 'without row.argument'}`
        : 'row.argument without row.slope',
      signatureOf('slope', learned.length > 0),
    );
  }
  if (planes !== undefined && !straight) {
    wrong('The gradient of a sum of planes is one of the value itself.', 'row.planes', 'row.straight: true');
  }
  if (rule.through !== undefined && (straight || learned.length > 0)) {
    wrong('Statistics of a rule that is straight, or that learns, are constants.', 'row.through', 'none');
  }
  if (planes !== undefined && learned.length > 0) {
    wrong('What is learned is of one plane.', 'row.planes, and learned', 'one of them');
  }
  if (/\bchance\s*\(/.test(bare) && !straight) {
    wrong('What is drawn by chance passes a gradient of the value itself.', 'chance()', 'row.straight: true');
  }
  if (NAMES.every((name) => rule[name] === undefined)) {
    wrong('This rule for rows changes nothing.', 'none of its functions', NAMES.join(', '));
  }
  if ((rule.learning !== undefined) !== learned.length > 0) {
    wrong(
      'What is learned has a gradient.',
      learned.length > 0
        ? `learned ${learned.join(', ')} without row.learning`
        : 'row.learning, and nothing is learned',
      signatureOf('learning', true),
    );
  }
  const fields = fieldsOf(rule.wgsl, 'Learned').map(({ name }) => name);
  if (learned.length > 0 && fields.join() !== learned.map(snake).join()) {
    wrong(
      'The fields of Learned are what is learned.',
      `struct Learned { ${fields.join(', ')} }`,
      `struct Learned { ${learned.map((name) => `${snake(name)}: f32`).join(', ')} }`,
    );
  }
}

/** What of the statistics a rule reads, by the names in its WGSL. */
const READS = [
  ['sums', /\.(mean(_magnitude|_deviation)?|sd)\b/],
  ['medians', /\.median(_deviation)?\b/],
  ['halves', /\.(lower|upper)(_magnitude)?\b/],
] as const;

/** A checked rule with numbers. @param name of the quantizer @param learned what it learns, and from where on */
export function rowRuleOf<P extends Parameters>(
  rule: RowRuleDefinition<P>,
  name: string,
  values: Values<P>,
  learned: Readonly<Record<string, number>>,
): RowRule {
  const own = rule.wgsl;
  const where = `row of quantizer ${name}`;
  const planes = rule.planes?.count(values) ?? 1;
  if (!Number.isSafeInteger(planes) || planes < 1 || planes > 8) {
    throw new OptionError('A value is made of whole planes.', {
      given: String(planes),
      expected: '1 to 8',
      where,
    });
  }
  const learns = Object.keys(learned).length > 0;
  const wgsl = [
    own,
    ...(learns ? [] : ['struct Learned {\n  none: f32,\n}']),
    ...NAMES.map((one) => {
      const { takes, gives, default: otherwise } = FUNCTIONS[one];
      const names = [...takes.matchAll(/(\w+):/g)].map(([, argument]) => argument);
      const call =
        rule[one] === undefined ? otherwise : `${one}(${[...names, ...(learns ? ['own'] : [])].join(', ')})`;
      return `fn rule_${one}(${takes}, own: Learned) -> ${gives} {\n  return ${call};\n}`;
    }),
  ].join('\n');
  const bare = withoutComments(own);
  const at = (given: Partial<RuleMoment> = {}): RuleValues<P> => ({
    plane: 0,
    chance: 0.5,
    learned,
    ...values,
    ...given,
  });
  return {
    operations,
    fillingOf: (plane) => ({
      name,
      wgsl,
      provides: [...NAMES.map((one) => `rule_${one}`), 'Learned'],
      constants: overridesOf(own, values, { PLANE: plane }, where),
    }),
    reads:
      rule.readsRow?.(values) === false ? [] : READS.flatMap(([of, name]) => (name.test(bare) ? [of] : [])),
    hasArgument: rule.argument !== undefined,
    hasScale: rule.scale !== undefined,
    hasOffset: rule.offset !== undefined,
    isStraight: rule.straight ?? false,
    through: rule.through?.record,
    isRandom: /\bchance\s*\(/.test(bare),
    planes,
    ofRemainder: rule.planes?.of === 'remainder',
    argument: (x, row, moment) => rule.argument?.(x, row, at(moment)) ?? x,
    slope: (x, row, moment) => rule.slope?.(x, row, at(moment)) ?? 1,
    scale: (row, moment) => rule.scale?.(row, at(moment)) ?? 1,
    offset: (row, moment) => rule.offset?.(row, at(moment)) ?? 0,
    learning: (of, row, moment) => rule.learning?.(of, row, at(moment)) ?? [],
  };
}

function signatureOf(name: FunctionName, learns: boolean): string {
  const { takes, gives } = FUNCTIONS[name];
  return `fn ${name}(${takes}${learns ? ', own: Learned' : ''}) -> ${gives}`;
}

/** Statistics of a row in float64. @throws OptionError for no values */
export function statisticsOf(values: ArrayLike<number>): RowStatistics {
  const x = Array.from(values);
  if (x.length === 0) throw new OptionError('A row has values.', { given: 'none', where: 'statisticsOf' });
  const middleOf = (list: readonly number[]) =>
    list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)] ?? Number.NaN;
  const mean = meanOf(x);
  const deviations = x.map((value) => Math.abs(value - mean));
  const [lower, upper] = halvesOf(x);
  const [lowerMagnitude, upperMagnitude] = halvesOf(x.map(Math.abs));
  return {
    mean,
    meanMagnitude: meanOf(x.map(Math.abs)),
    sd: Math.sqrt(meanOf(deviations.map((value) => value * value))),
    meanDeviation: meanOf(deviations),
    median: middleOf(x),
    medianDeviation: middleOf(deviations),
    ...{ lower, upper, lowerMagnitude, upperMagnitude },
  };
}

/** Rounds of Lloyd's iteration, as many as the kernel has. */
const ROUNDS = 24;

function halvesOf(x: readonly number[]): readonly [number, number] {
  const mean = meanOf(x);
  let levels: readonly [number, number] = [mean, mean];
  for (let round = 0; round < ROUNDS; round++) {
    const bound = (levels[0] + levels[1]) / 2;
    const [below, above] = [x.filter((value) => value <= bound), x.filter((value) => value > bound)];
    if (above.length > 0) levels = [meanOf(below), meanOf(above)];
  }
  return levels;
}

/** A plane of a row, in float64. */
export interface TwinPlane {
  /** What its signs are taken of. */
  readonly taken: readonly number[];
  readonly signs: readonly number[];
  readonly scale: number;
  readonly offset: number;
}

/**
 * A row as a rule makes it, in float64.
 * @returns its values, the sum of the planes, and the planes
 */
export function quantizedRow(
  rule: RowRule,
  x: ArrayLike<number>,
  at: (index: number) => Partial<RuleMoment> = () => ({}),
): { readonly values: readonly number[]; readonly planes: readonly TwinPlane[] } {
  let left = Array.from(x);
  const values = left.map(() => 0);
  const planes = Array.from({ length: rule.planes }, (_, plane): TwinPlane => {
    const row = statisticsOf(left);
    const taken = left.map((value, i) => rule.argument(value, row, { ...at(i), plane }));
    const signs = taken.map((value) => (value < 0 ? -1 : 1));
    const scale = rule.scale(row, { ...at(0), plane });
    const offset = rule.offset(row, { ...at(0), plane });
    const made = signs.map((sign) => scale * sign + offset);
    for (const [i, value] of made.entries()) values[i] = (values[i] ?? 0) + value;
    if (rule.ofRemainder) left = left.map((value, i) => value - (made[i] ?? 0));
    return { taken, signs, scale, offset };
  });
  return { values, planes };
}
