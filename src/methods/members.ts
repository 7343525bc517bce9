/**
 * Members of definitions by kind: JavaScript lets a misspelt one pass, which then does nothing. Whoever takes a method that somebody
 * else wrote asks here.
 */
import { OptionError } from '../errors.ts';
import { assertKnownOptions, namesOf } from '../options.ts';
import type { LossDefinition } from './loss.ts';
import type { Description, Method, NumberParameter, Parameters, ScheduleParameter } from './method.ts';
import type { Measure, OptimizerDefinition } from './optimizer.ts';
import type { PenaltyDefinition } from './penalty.ts';
import type { LearnedNumber, QuantizerDefinition } from './quantizer.ts';
import type { RowRuleDefinition, Through } from './row.ts';

/** What a kind's definition has beside what all have. */
type Own<D> = Omit<D, keyof Description<Parameters>>;

const SHARED = namesOf<Description<Parameters>>({
  ...{ name: true, about: true, parameters: true, formula: true, source: true, provenance: true },
  ...{ recipe: true, remarks: true },
});
const OWN: Readonly<Record<string, readonly string[]>> = {
  quantizer: namesOf<Own<QuantizerDefinition>>({
    ...{ wgsl: true, gradient: true, surrogate: true, window: true, row: true, learned: true, unfit: true },
  }),
  optimizer: namesOf<Own<OptimizerDefinition>>({
    ...{ wgsl: true, twin: true, scalars: true, constants: true, measure: true, gradient: true },
    ...{ forward: true, signsOnly: true, finish: true, real: true },
  }),
  penalty: namesOf<Own<PenaltyDefinition>>({ wgsl: true, twin: true, value: true }),
  loss: namesOf<Own<LossDefinition>>({
    ...{ wgsl: true, twin: true, targets: true, teacher: true, inner: true, madeFor: true },
  }),
};
const NUMBER = namesOf<NumberParameter>({
  ...{ default: true, above: true, from: true, below: true, to: true, says: true },
});
const SCHEDULE = namesOf<ScheduleParameter>({ default: true, schedule: true, says: true });

/** What members that are objects have. */
const INNER: Readonly<Record<string, readonly string[]>> = {
  row: namesOf<RowRuleDefinition>({
    ...{ wgsl: true, argument: true, slope: true, scale: true, offset: true, learning: true, through: true },
    ...{ straight: true, readsRow: true, planes: true },
  }),
  through: namesOf<Through>({ record: true, twin: true }),
  learned: namesOf<NonNullable<QuantizerDefinition['learned']>>({ per: true, numbers: true }),
  measure: namesOf<Measure>({ wgsl: true, start: true, twin: true }),
  unfit: namesOf<NonNullable<QuantizerDefinition['unfit']>>({ weights: true, activations: true }),
};
const LEARNED = namesOf<LearnedNumber>({ start: true, says: true });
/** Words that members may be. */
const WORDS: Readonly<Record<string, readonly unknown[]>> = {
  forward: ['sign', 'value'],
  gradient: ['gated', 'plain'],
  per: ['tensor', 'channel'],
  targets: ['classes', 'reals', 'bits'],
};

/** @throws OptionError for a member of a method's definition, of what is in them and of its numbers, that means nothing, with the nearest one */
export function assertKnownMembers({ kind, definition }: Pick<Method, 'kind' | 'definition'>): void {
  const where = `${kind} ${definition.name}`;
  const own = OWN[kind];
  if (own !== undefined) assertMembers(definition, [...SHARED, ...own], where);
  for (const [name, parameter] of Object.entries(definition.parameters ?? {}))
    assertKnownOptions(parameter, 'schedule' in parameter ? SCHEDULE : NUMBER, `${where}: ${name}`);
}

function assertMembers(given: object, known: readonly string[], where: string): void {
  assertKnownOptions(given, known, where);
  for (const [name, value] of Object.entries(given)) {
    const inner = INNER[name];
    if (inner !== undefined && value !== undefined) assertMembers(value, inner, `${where}: ${name}`);
    const words = typeof value === 'function' ? undefined : WORDS[name];
    for (const word of words === undefined || value === undefined ? [] : [value].flat()) {
      if (words?.includes(word)) continue;
      throw new OptionError('There is no such word for this.', {
        given: `${name}: ${word}`,
        expected: words?.join(', '),
        where,
      });
    }
    if (name !== 'numbers') continue;
    for (const [number, learned] of Object.entries(value))
      assertKnownOptions(learned as object, LEARNED, `${where}: ${number}`);
  }
}
