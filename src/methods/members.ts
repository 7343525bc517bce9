/**
 * Members of definitions by kind: JavaScript lets a misspelt one pass, which then does nothing. Whoever takes a method that somebody
 * else wrote asks here.
 */
import { assertKnownOptions, namesOf } from '../options.ts';
import type { LossDefinition } from './loss.ts';
import type { Description, Method, NumberParameter, Parameters, ScheduleParameter } from './method.ts';
import type { OptimizerDefinition } from './optimizer.ts';
import type { PenaltyDefinition } from './penalty.ts';
import type { QuantizerDefinition } from './quantizer.ts';

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

/** @throws OptionError for a member of a method's definition, or of one of its numbers, that means nothing, with the nearest one */
export function assertKnownMembers({ kind, definition }: Pick<Method, 'kind' | 'definition'>): void {
  const where = `${kind} ${definition.name}`;
  const own = OWN[kind];
  if (own !== undefined) assertKnownOptions(definition, [...SHARED, ...own], where);
  for (const [name, parameter] of Object.entries(definition.parameters ?? {}))
    assertKnownOptions(parameter, 'schedule' in parameter ? SCHEDULE : NUMBER, `${where}: ${name}`);
}
