/**
 * Quantizers: what a sign is taken of, and what gradient passes in place of its derivative, which is 0 almost everywhere.
 * Most give sign(x) in {-1, +1} with sign(0) = +1; a rule for rows makes something else of values, see `row.ts`.
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
import { OptionError } from '../errors.ts';
import type { Filling } from '../gpu/index.ts';
import {
  checkDefinition,
  type Description,
  factoryOf,
  fieldsOf,
  type Method,
  type MethodFactory,
  overridesOf,
  type Parameters,
  snake,
  type Values,
} from './method.ts';
import type * as Rows from './row.ts';
import type { RowRule, RowRuleDefinition } from './row.ts';
import type * as Schedules from './schedules.ts';
import type { Schedule, StepTime } from './schedules.ts';

/** The parameters at a moment: those that are schedules are numbers then. */
export type Numbers<P extends Parameters> = { readonly [K in keyof P]: number };

/** A number that is learned with the weights. */
export interface LearnedNumber {
  /** What it starts from. */
  readonly start: number;
  /** One sentence for the method's page. */
  readonly says: string;
}

/** What `defineQuantizer` makes a quantizer of. */
export interface QuantizerDefinition<P extends Parameters = Parameters> extends Description<P> {
  /**
   * `fn gradient(x: f32) -> f32`; its parameters are overrides in upper case. With parameters that are schedules,
   * `struct Scalars` (an f32 for each of them) and `fn gradient(x: f32, now: Scalars) -> f32`.
   */
  readonly wgsl: string;
  /** The same in float64. */
  readonly gradient: (x: number, values: Numbers<P>) => number;
  /** The function whose derivative `gradient` is: what stands in for the sign. For checks and plots. */
  readonly surrogate?: (x: number, values: Numbers<P>) => number;
  /**
   * Half width of the window inside which the gradient is 1, with 0 outside, where it is of that form: then one bit a value
   * is kept for the backward pass instead of the value.
   */
  readonly window?: (values: Values<P>) => number;
  /**
   * Values become scale·sign(argument) + offset, or sums of such planes, by statistics of their row (a filter of weights, a
   * sample of activations) and by what is learned.
   */
  readonly row?: RowRuleDefinition<P>;
  /**
   * Numbers that are learned with the weights, up to four: one set of all values (`tensor`), or one of each channel: the last
   * axis of activations, the filter of weights. The rule has the derivatives: `row.learning`.
   */
  readonly learned?: {
    /** Whether a whole tensor shares the numbers, or each channel (each filter of weights) has its own. */
    readonly per: 'tensor' | 'channel';
    /** The numbers by name: where each starts, and what it does. */
    readonly numbers: Readonly<Record<string, LearnedNumber>>;
  };
  /** What it can't quantize, and why, as a sentence: weights or activations. Default: nothing. */
  readonly unfit?: { readonly weights?: string; readonly activations?: string };
}

/** What becomes a sign, and what gradient passes. */
export interface Quantizer extends Method {
  /** Tells it from other methods. */
  readonly kind: 'quantizer';
  /** What it was made of. */
  readonly definition: QuantizerDefinition;
  /** What goes into the kernels: `gradient`. */
  readonly filling: Filling;
  /** The same for kernels that know the step: `rule_gradient` and `Scalars`. */
  readonly passing: Filling;
  /** Names of the numbers that change from step to step, as `Scalars` has them. */
  readonly scalars: readonly string[];
  /** One row of the table of those. */
  scalarsAt(time: StepTime): readonly number[];
  /** Half width of the window of the gradient, where it has that form. Infinity: everything passes. */
  readonly window: number | undefined;
  /** What it does with a row as a whole; undefined for most, whose values are their signs. */
  readonly row: RowRule | undefined;
  /** The gradient that passes at x, in float64; of one that changes from step to step, at the first. */
  gradient(x: number): number;
  /** The function whose derivative it is, where that is known. */
  surrogate(x: number): number | undefined;
  /** Both at a moment of the training. */
  at(time: StepTime): { gradient(x: number): number; surrogate(x: number): number | undefined };
}

/** Makes quantizers of a definition, with numbers of their own. */
export type QuantizerFactory<P extends Parameters = Parameters> = MethodFactory<
  Quantizer,
  P,
  QuantizerDefinition<P>
>;

const START: StepTime = { step: 0, steps: 1, epochSteps: 1 };
/** What one vec4f holds. */
const MOST_LEARNED = 4;

/** What quantizers with rules for rows, or with numbers that change, are made with. */
export interface QuantizerParts {
  readonly rows: Pick<typeof Rows, 'assertRowRule' | 'rowRuleOf'>;
  readonly schedules: Pick<typeof Schedules, 'assertSchedule' | 'scheduledValues'>;
}

/**
 * `defineQuantizer`, for definitions of which it is known what they need: quantizers whose values are their signs come without
 * the code for others.
 */
export function quantizerOf<const P extends Parameters = Record<never, never>>(
  definition: QuantizerDefinition<P>,
  parts?: QuantizerParts,
): QuantizerFactory<P> {
  const { name, wgsl, row } = definition;
  const scheduled = Object.entries(definition.parameters ?? {}).flatMap(([key, parameter]) =>
    'schedule' in parameter ? [key] : [],
  );
  const isScheduled = scheduled.length > 0;
  const signature = `fn gradient(x: f32${isScheduled ? ', now: Scalars' : ''}) -> f32`;
  const where = checkDefinition('quantizer', { ...definition }, signature, 'gradient');
  const scalars = fieldsOf(wgsl, 'Scalars').map((field) => field.name);
  assertFields(scalars, scheduled, where);
  const learned = startsOf(definition.learned, where);
  if (row !== undefined) parts?.rows.assertRowRule(row as RowRuleDefinition, Object.keys(learned), where);
  else if (Object.keys(learned).length > 0) {
    throw new OptionError('What is learned is read by a rule.', {
      given: `learned: ${Object.keys(learned).join(', ')}`,
      expected: 'row, with the functions that read it',
      where,
    });
  }
  const passing = [
    wgsl,
    ...(isScheduled ? [] : ['struct Scalars {\n  none: f32,\n}']),
    `fn rule_gradient(x: f32, now: Scalars) -> f32 {\n  return gradient(x${isScheduled ? ', now' : ''});\n}`,
  ].join('\n');
  const make = (values: Values<P>): Omit<Quantizer, keyof Method> => {
    const constants = overridesOf(wgsl, values, {}, where);
    const changing = Object.fromEntries(
      scheduled.map((key) => [key, (values as Readonly<Record<string, number | Schedule>>)[key] ?? 0]),
    );
    const changed = (time: StepTime) => parts?.schedules.scheduledValues(changing, time) ?? {};
    const at = (time: StepTime) => {
      const numbers = { ...values, ...changed(time) } as unknown as Numbers<P>;
      return {
        gradient: (x: number) => definition.gradient(x, numbers),
        surrogate: (x: number) => definition.surrogate?.(x, numbers),
      };
    };
    return {
      filling: { name, wgsl, provides: ['gradient'], constants },
      passing: { name, wgsl: passing, provides: ['rule_gradient', 'Scalars'], constants },
      scalars,
      scalarsAt: (time) => Object.values(changed(time)),
      window: definition.window?.(values),
      row: row && parts?.rows.rowRuleOf(row, name, values, learned),
      at,
      ...at(START),
    };
  };
  return factoryOf<Quantizer, P, QuantizerDefinition<P>>(
    'quantizer',
    definition,
    make,
    parts?.schedules.assertSchedule,
  );
}

/** @throws OptionError unless the numbers that change are those that the WGSL reads */
function assertFields(fields: readonly string[], scheduled: readonly string[], where: string): void {
  if (fields.join() === scheduled.map(snake).join()) return;
  throw new OptionError('The fields of Scalars are the parameters that are schedules.', {
    given: `struct Scalars { ${fields.join(', ')} }`,
    expected: `struct Scalars { ${scheduled.map((name) => `${snake(name)}: f32`).join(', ')} }`,
    where,
  });
}

/** What learned numbers start from. @throws OptionError for too many of them */
function startsOf(learned: QuantizerDefinition['learned'], where: string): Record<string, number> {
  const numbers = Object.entries(learned?.numbers ?? {});
  if (numbers.length > MOST_LEARNED) {
    throw new OptionError('A quantizer learns too many numbers.', {
      given: numbers.map(([name]) => name).join(', '),
      expected: `${MOST_LEARNED} at most`,
      where,
    });
  }
  return Object.fromEntries(numbers.map(([name, { start }]) => [name, start]));
}

/** A factory of quantizers, whatever numbers they have. */
export type AnyQuantizerFactory = ((values?: never) => Quantizer) & {
  /** What its quantizers are made of; here its name alone. */
  readonly definition: Pick<QuantizerDefinition, 'name'>;
};

/** Whether something is what `defineQuantizer` gave. */
export function isQuantizerFactory(given: unknown): given is AnyQuantizerFactory {
  const { definition } = (typeof given === 'function' ? given : {}) as {
    definition?: { gradient?: unknown };
  };
  return typeof definition?.gradient === 'function';
}
