/**
 * What all methods share: a name, numbers with defaults and bounds, where the method comes from, and a page of its own. A
 * method is an object; its factory checks the numbers. Files name methods by name and numbers, never by code.
 */
import { FormatError, OptionError } from '../errors.ts';
import { withoutComments } from '../gpu/frame.ts';
import { assertSignature } from '../gpu/index.ts';
import { assertKnownOptions, nearest, unknownName } from '../options.ts';
import { isMethod } from './note.ts';
import type { Schedule } from './schedules.ts';

/** A number of a method. */
export interface NumberParameter {
  /** What it is where it isn't given. */
  readonly default: number;
  /** Must be more than this. */
  readonly above?: number;
  /** Must be this or more. */
  readonly from?: number;
  /** Must be less than this. */
  readonly below?: number;
  /** Must be this or less. */
  readonly to?: number;
  /** One sentence for the method's page. */
  readonly says: string;
}

/** A number that may change from step to step. */
export interface ScheduleParameter {
  /** What it is where it isn't given. */
  readonly default: Schedule;
  /** Tells it from a number that stays. */
  readonly schedule: true;
  /** What it does, for the method's page. */
  readonly says: string;
}

/** The numbers that a method has, by name. */
export type Parameters = Readonly<Record<string, NumberParameter | ScheduleParameter>>;

/** The numbers of a method, all of them. */
export type Values<P extends Parameters> = {
  readonly [K in keyof P]: P[K] extends ScheduleParameter ? Schedule : number;
};

/** What a method's definition says of it, whatever it is. */
export interface Description<P extends Parameters> {
  /** camelCase, unique among methods of its kind. */
  readonly name: string;
  /** What it does in a few words, for lists. Of methods that pages know by name `about.ts` says it. Default: the formula. */
  readonly about?: string;
  /** Its numbers by name. */
  readonly parameters?: P;
  /** What it does as a formula, for its page. */
  readonly formula: string;
  /** Paper and equation, or whose semantics. */
  readonly source: string;
  /** How its formula came to be known here. Default: as `source` says. */
  readonly provenance?: Provenance;
  /** How its authors train with it, and what they report of that: their numbers, not ours. */
  readonly recipe?: string;
  /** Where it differs from what its authors do, and what was found of it here. */
  readonly remarks?: string;
}

/**
 * How a formula is known. `authors`: read in their code or text; `replication`: in code of others that replicates it;
 * `abstract`: only what its abstract says was at hand, and the rest is a reading of that; `inferred`: not given anywhere.
 */
export type Provenance = 'authors' | 'replication' | 'abstract' | 'inferred';

/** A method by its name and the numbers that aren't its defaults: how files and configurations say it. */
export type MethodNote = string | Readonly<{ name: string } & Record<string, unknown>>;

/** Every method, whatever it is. */
export interface Method {
  /** What of a training it decides: `quantizer`, `optimizer`, `penalty`, `loss` or `augmentation`. */
  readonly kind: string;
  /** By it texts and files name the method. */
  readonly name: string;
  /** All numbers, defaults included. */
  readonly parameters: Readonly<Record<string, number | Schedule>>;
  /** What it was made of. */
  readonly definition: Description<Parameters>;
  /** Its name and the numbers that aren't defaults, as JSON has it. */
  toJSON(): MethodNote;
}

/**
 * Makes the numbers of a method whole, and checks them.
 * @param assertSchedule checks a number that may change from step to step, of methods that have such numbers
 * @throws OptionError
 */
function valuesOf<P extends Parameters>(
  { name, parameters }: Pick<Description<P>, 'name' | 'parameters'>,
  given: Partial<Values<P>>,
  assertSchedule?: (value: Schedule, where: string) => void,
): Values<P> {
  const known = Object.entries(parameters ?? {});
  assertKnownOptions(
    given,
    known.map(([key]) => key),
    name,
  );
  return Object.fromEntries(
    known.map(([key, parameter]) => {
      const value =
        (given as Readonly<Record<string, number | Schedule | undefined>>)[key] ?? parameter.default;
      if ('schedule' in parameter) assertSchedule?.(value, `${name}: ${key}`);
      else assertWithin(value, parameter, `${name}: ${key}`);
      return [key, value];
    }),
  ) as Values<P>;
}

/** @throws OptionError unless a value is a number within its bounds */
export function assertWithin(
  value: unknown,
  { above, from, below, to }: Omit<NumberParameter, 'default' | 'says'>,
  where: string,
): void {
  const isWithin =
    typeof value === 'number' &&
    !Number.isNaN(value) &&
    (above === undefined || value > above) &&
    (from === undefined || value >= from) &&
    (below === undefined || value < below) &&
    (to === undefined || value <= to);
  if (isWithin) return;
  const bounds = [
    ...(above === undefined ? [] : [`more than ${above}`]),
    ...(from === undefined ? [] : [`${from} or more`]),
    ...(below === undefined ? [] : [`less than ${below}`]),
    ...(to === undefined ? [] : [`${to} or less`]),
  ];
  throw new OptionError('A number is out of its bounds.', {
    given: String(value),
    expected: bounds.length === 0 ? 'a number' : `a number, ${bounds.join(' and ')}`,
    where,
  });
}

/**
 * Checks what every definition has: its function in WGSL, and the twin of it.
 * @param twin the member that is the twin, by its name
 * @returns how errors name the method
 * @throws OptionError naming the member that is missing, or what the function should look like
 */
export function checkDefinition(
  kind: string,
  {
    name,
    wgsl,
    ...members
  }: { readonly name: string; readonly wgsl: string } & Readonly<Record<string, unknown>>,
  signature: string,
  twin: string,
): string {
  for (const [member, value, type, expected] of [
    ['name', name, 'string', 'a text in camelCase'],
    ['wgsl', wgsl, 'string', signature],
    [twin, members[twin], 'function', 'the float64 twin of its WGSL'],
  ] as const) {
    if (typeof value === type && value !== '') continue;
    const near = nearest(member, Object.keys(members));
    throw new OptionError('A definition lacks a member.', {
      given: `${member}: ${value === '' ? 'an empty text' : typeof value}`,
      expected,
      where: `${kind} ${name ?? ''}`,
      remedy: near === member ? undefined : near && `did you mean ${member} by ${near}?`,
    });
  }
  const where = `${kind} ${name}`;
  assertSignature(wgsl, signature, where);
  return where;
}

/**
 * The factory of a definition that was checked: what it gives are methods with numbers of their own.
 * @param own makes what methods of this kind have beside what all have
 */
export function factoryOf<M extends Method, P extends Parameters, D extends Description<P>>(
  kind: M['kind'],
  definition: D & Description<P>,
  own: (values: Values<P>) => Omit<M, keyof Method>,
  assertSchedule?: (value: Schedule, where: string) => void,
): MethodFactory<M, P, D> {
  const make = (given: Partial<Values<P>> = {}) => {
    const values = valuesOf(definition, given, assertSchedule);
    return { ...methodOf(kind, definition, values), ...own(values) } as unknown as M;
  };
  return Object.assign(make, { definition });
}

/** Makes methods; `definition` is what they are made of. */
export interface MethodFactory<M extends Method, P extends Parameters, D> {
  (values?: Partial<Values<P>>): M;
  /** What all its methods are made of. */
  readonly definition: D;
}

/** The part of a method that follows from its definition and numbers. */
function methodOf<P extends Parameters>(kind: string, definition: Description<P>, values: Values<P>): Method {
  const { name, parameters = {} as P } = definition;
  return {
    kind,
    name,
    parameters: values,
    definition,
    toJSON() {
      const changed = Object.entries(values).filter(([key, value]) => value !== parameters[key]?.default);
      for (const [key, value] of changed) {
        if (typeof value === 'function') {
          throw new FormatError("A method's number that is a function can't be written to a file.", {
            given: `${key} of ${name}`,
            remedy: 'give a number, or { from, to, decay }',
          });
        }
      }
      return changed.length === 0 ? name : { name, ...Object.fromEntries(changed) };
    },
  };
}

/** A method, the name of one, or its name and numbers. */
type MethodLike<M extends Method> =
  | M
  | string
  | ({ readonly name: string } & Readonly<Record<string, unknown>>);

/** Factories of methods of one kind by the names of the methods. */
export type MethodTable<M extends Method> = Readonly<
  Record<string, ((values?: never) => M) & { readonly definition: { readonly parameters?: Parameters } }>
>;

/** A shipped method by its name and numbers: `{ name: 'crossEntropy', smoothing: 0.1 }`. */
export type NamedMethod<T extends MethodTable<Method>> = {
  [N in keyof T]: { readonly name: N } & Partial<Values<NonNullable<T[N]['definition']['parameters']>>>;
}[keyof T];

/** The names of a table's methods. */
export function namesIn<T extends object>(table: T): readonly (keyof T)[] {
  return Object.keys(table) as (keyof T)[];
}

/**
 * What finds a method of one kind from what was given: an object, the name of one in the table, or its name and numbers.
 * It throws an OptionError for an unknown name, with the nearest one, and for numbers out of their bounds.
 */
export function resolverOf<M extends Method, L>(
  kind: M['kind'],
  table: MethodTable<M>,
): (given: L, where?: string) => M {
  return (something, where = kind) => {
    const given = something as MethodLike<M>;
    if (isMethod(something) && something.kind === kind) return something as unknown as M;
    const { name, ...numbers } =
      typeof given === 'string' ? { name: given } : (given ?? { name: String(given) });
    const factory = Object.hasOwn(table, name) ? table[name] : undefined;
    if (factory === undefined) throw unknownName(kind, String(name), Object.keys(table), where);
    return factory(numbers as never);
  };
}

/** A name as WGSL has it: `meanDeviation` is `mean_deviation`. */
export function snake(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** Fields of a struct in WGSL, in order. */
export function fieldsOf(wgsl: string, struct: string): readonly { name: string; type: string }[] {
  const body = new RegExp(`\\bstruct\\s+${struct}\\s*\\{([^}]*)\\}`).exec(withoutComments(wgsl))?.[1] ?? '';
  return [...body.matchAll(/(\w+)\s*:\s*(\w+)/g)].map(([, name = '', type = '']) => ({ name, type }));
}

/**
 * Values for the overrides that a method's WGSL declares: of parameters of the same name (`clip` is `CLIP`, `startRate` is
 * `START_RATE`), or those given.
 * @throws OptionError for an override that nothing gives a value
 */
export function overridesOf(
  wgsl: string,
  values: Readonly<Record<string, unknown>>,
  own: Readonly<Record<string, number>>,
  where: string,
): Record<string, number> {
  const named = Object.fromEntries(
    Object.entries(values).map(([key, value]) => [snake(key).toUpperCase(), value]),
  );
  const bare = withoutComments(wgsl);
  const declared = [...bare.matchAll(/\boverride\s+(\w+)\s*(?::[^=;]+)?;/g)].map((match) => match[1] ?? '');
  return Object.fromEntries(
    declared.map((name) => {
      const value = own[name] ?? named[name];
      if (typeof value !== 'number' || Number.isNaN(value)) {
        throw new OptionError("A constant of a method's WGSL has no value.", {
          given: `override ${name}`,
          expected: `a parameter of that name, or one of \`constants\``,
          where,
        });
      }
      // Infinity (no end) is no f32 constant.
      return [name, Math.max(-3e38, Math.min(3e38, value))];
    }),
  );
}
