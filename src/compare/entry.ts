/**
 * Entries of a comparison: what a training changes, as a text. Parts are joined by `+`, each a method by its name, with numbers
 * in brackets where they aren't its defaults: `irNet+sgd(momentum=0.5)+lr=0.1:0.001`. A quantizer changes weights and
 * inputs, as far as it is for both; `weights:` or `inputs:` before it says one of them. `./mine.js` is all that a module exports,
 * `./mine.js#name` one thing of it, `./mine.js(width=2)` one with numbers. A loss with a teacher has `teacher=float` among its numbers,
 * which is the default, or a file: `distillation(teacher=./wide.safetensors, share=0.5)`.
 */
import { listed, OptionError } from '../errors.ts';
import type { DescribedMethod } from '../methods/describe.ts';
import type { Loss, Method, Optimizer, Penalty, Quantizer, Schedule } from '../methods/index.ts';
import { assertKnownMembers } from '../methods/members.ts';
import { methodByName } from '../methods/table.ts';
import { unknownName } from '../options.ts';

/** What a module of a person's own exports, by the path that entries name it by. */
export type Guests = ReadonlyMap<string, Readonly<Record<string, unknown>>>;

/** What an entry changes of a training; what is absent stays as the comparison has it. */
export interface Entry {
  /** As it was written. */
  readonly text: string;
  /** Quantizer of weights, where a layer has one. */
  readonly weights?: Quantizer;
  /** Quantizer of inputs, where a layer has one. */
  readonly inputs?: Quantizer;
  /** What moves the weights. */
  readonly optimizer?: Optimizer;
  /** What is added to the gradients of latent weights. */
  readonly penalty?: Penalty;
  /** What the training makes small; default: that of the comparison. */
  readonly loss?: Loss;
  /** What is made small beside it, of every inner layer that feeds a sign. */
  readonly inner?: Loss;
  /** Where a loss has a teacher: `float`, or the path of its file. */
  readonly teacher?: string;
  /** Learning rate over the training; default: that of the comparison. */
  readonly learningRate?: Schedule;
  /** The network with real weights and activations. */
  readonly float: boolean;
}

/** What an entry can change, by the name that errors and tables have for it. */
export type Role = Exclude<keyof Entry, 'text' | 'float' | 'teacher'>;

/** The entry of the float twin. */
export const FLOAT = 'float';

/**
 * Entries of a list: texts between commas that stand in no brackets. Values between `|` make a grid, each with each:
 * `steSign(clip=1|1.3)+lr=0.1|0.01` is four entries.
 */
export function entryTexts(list: string): string[] {
  return split(list, ',').flatMap((text) => (text === '' ? [] : gridOf(text)));
}

/** Methods and values that stand between bars. */
const CHOICE = /([^=+,()|]+(?:\|[^=+,()|]+)+)/;

/** All that a text with choices stands for; the last choice changes first. */
function gridOf(text: string): string[] {
  const [before = '', choice, ...after] = text.split(CHOICE);
  if (choice === undefined) return [text];
  const rest = gridOf(after.join(''));
  return choice.split('|').flatMap((value) => rest.map((more) => `${before}${value.trim()}${more}`));
}

/** Paths of the modules that entries name. */
export function modulesOf(texts: readonly string[]): string[] {
  const paths = texts.flatMap((text) => split(text, '+').flatMap((part) => modulePart(part)?.path ?? []));
  return [...new Set(paths)];
}

/**
 * What an entry's text says.
 * @throws OptionError for an unknown name, with the nearest; for parts that contradict each other; for what a module doesn't export
 */
export function parseEntry(text: string, guests: Guests = new Map()): Entry {
  const where = `method ${text}`;
  if (text === FLOAT) return { text, float: true };
  const parts = split(text, '+').flatMap((part) => partsOf(part, guests, where));
  const claims = new Map<Role, string>();
  const entry: { -readonly [R in Role | 'teacher']?: Entry[R] } = {};
  const claim = <R extends Role>(role: R, value: NonNullable<Entry[R]>, name: string) => {
    const other = claims.get(role);
    if (other !== undefined) {
      throw new OptionError('Two parts of an entry change the same thing.', {
        given: `${other} and ${name}, for ${role}`,
        where,
        remedy: 'make two entries of it, with a comma between them',
      });
    }
    claims.set(role, name);
    entry[role] = value;
  };
  // What can only go to one place comes first; what fits weights and inputs takes what is left.
  for (const part of parts) {
    if ('rate' in part) claim('learningRate', part.rate, 'lr');
    else if (part.roles.length === 1 && part.roles[0] !== undefined) claimMethod(part.roles[0], part.method);
  }
  for (const part of parts) {
    if ('rate' in part || part.roles.length < 2) continue;
    const free = part.roles.filter((role) => !claims.has(role));
    for (const role of free.length > 0 ? free : part.roles) claimMethod(role, part.method);
  }
  const teacher = teacherOf(parts, where);
  if (teacher !== undefined) entry.teacher = teacher;
  assertPossible(entry, where);
  return { text, float: false, ...entry };

  function claimMethod(role: Role, method: DescribedMethod): void {
    claim(role, method as never, method.name);
  }
}

/** @throws OptionError for a penalty on an optimizer without latent weights */
function assertPossible({ optimizer, penalty }: Partial<Entry>, where: string): void {
  if (penalty !== undefined && optimizer?.definition.signsOnly === true) {
    throw new OptionError('A penalty pulls at latent weights, and this optimizer has none.', {
      given: `${penalty.name} with ${optimizer.name}`,
      where,
      remedy: 'leave the penalty away, or take an optimizer with latent weights: adam, sgd',
    });
  }
}

/** The teacher of all losses that have one. @throws OptionError for two of them */
function teacherOf(parts: readonly Part[], where: string): string | undefined {
  const teachers = parts.flatMap((part) =>
    'method' in part && part.method.kind === 'loss' && part.method.teacher ? [part.teacher ?? FLOAT] : [],
  );
  const [one, ...others] = [...new Set(teachers)];
  if (others.length === 0) return one;
  throw new OptionError('An entry has one teacher.', {
    given: listed([...new Set(teachers)]),
    where,
    remedy: 'make two entries of it, with a comma between them',
  });
}

type Part =
  | { readonly rate: Schedule }
  | {
      readonly method: DescribedMethod;
      readonly roles: readonly Role[];
      /** As it was said. */
      readonly teacher?: string | undefined;
    };

function partsOf(text: string, guests: Guests, where: string): Part[] {
  const rate = /^lr=(.*)$/.exec(text)?.[1];
  if (rate !== undefined) return [{ rate: rateOf(rate, where) }];
  const [, place, name = ''] = /^(?:(weights|inputs):)?(.*)$/.exec(text) ?? [];
  const role = place as 'weights' | 'inputs' | undefined;
  const module = modulePart(name);
  if (module === undefined) {
    const { method, teacher } = named(name, where);
    return [{ method, teacher, roles: rolesOf(method, role, where) }];
  }
  const methods = exportedBy(module, guests, where);
  for (const method of methods) assertKnownMembers(method);
  return methods.map((method) => ({ method, roles: rolesOf(method, role, where) }));
}

function named(text: string, where: string): { method: DescribedMethod; teacher?: string | undefined } {
  const [, name = text, inBrackets = ''] = /^(\w+)\((.*)\)$/.exec(text) ?? [];
  const { teacher, ...given } = pairsOf(inBrackets, where);
  const method = methodByName(name, numbersOf(given, where), where);
  if (teacher === undefined || (method.kind === 'loss' && method.teacher && teacher !== ''))
    return { method, teacher };
  throw new OptionError('A teacher is the float twin or a file, of a loss that compares with one.', {
    given: text,
    expected: 'distillation(teacher=float), distillation(teacher=./wide.safetensors)',
    where,
  });
}

/** What stands in brackets: `clip=1.3, share=0.5`. */
function pairsOf(inBrackets: string, where: string): { teacher?: string } & Readonly<Record<string, string>> {
  const pairs = split(inBrackets, ',').map((pair) => {
    const [, key = pair, value = ''] = /^([^=]*)=(.*)$/.exec(pair) ?? [];
    return [key.trim(), value.trim()];
  });
  const twice = pairs.find(([key], index) => pairs.findIndex(([other]) => other === key) < index);
  if (twice !== undefined)
    throw new OptionError('A number stands twice.', { given: `(${inBrackets})`, where });
  return inBrackets === '' ? {} : Object.fromEntries(pairs);
}

function numbersOf(
  pairs: Readonly<Record<string, string>>,
  where: string,
): Record<string, number | Schedule> {
  return Object.fromEntries(
    Object.entries(pairs).map(([key, value]) => [
      key,
      value.includes(':') ? rateOf(value, where) : numberOf(value, where),
    ]),
  );
}

function numberOf(text: string, where: string): number {
  const value = Number(text);
  if (text.trim() !== '' && !Number.isNaN(value)) return value;
  throw new OptionError('A number of a method is a number.', { given: text, where });
}

/** `0.1`, or `0.1:0.001` for an exponential decay. */
function rateOf(text: string, where: string): Schedule {
  const [from, to, ...more] = text.split(':').map((part) => numberOf(part, where));
  if (from === undefined || more.length > 0) {
    throw new OptionError('A rate is a number, or two as in 0.02:0.001.', { given: text, where });
  }
  return to === undefined ? from : { from, to, decay: 'exponential' };
}

/** What a method changes. @throws OptionError for a quantizer at a place that it is not for */
function rolesOf(method: DescribedMethod, place: 'weights' | 'inputs' | undefined, where: string): Role[] {
  if (method.kind !== 'quantizer') {
    const isInner = method.kind === 'loss' && method.definition.inner === true;
    if (place === undefined) return [isInner ? 'inner' : method.kind];
    throw new OptionError('Weights and inputs have quantizers.', {
      given: `${place}:${method.name}, which is of the kind ${method.kind}`,
      where,
      remedy: `leave ${place}: away`,
    });
  }
  const { unfit = {} } = method.definition;
  const unfitWeights = unfit.weights ?? (method.row?.isRandom === true ? 'it is drawn by chance' : undefined);
  if (place !== undefined) {
    const reason = place === 'weights' ? unfitWeights : unfit.activations;
    if (reason === undefined) return [place];
    throw new OptionError(`This quantizer isn't for ${place}.`, {
      given: `${method.name}: ${reason}`,
      where,
    });
  }
  if (unfitWeights !== undefined) return ['inputs'];
  // A rule for rows is one of filters; that of samples is another method, and is asked for by its place.
  return unfit.activations !== undefined || method.row !== undefined ? ['weights'] : ['weights', 'inputs'];
}

interface ModulePart {
  readonly path: string;
  /** Of what it exports; all without it. */
  readonly name: string | undefined;
  /** Its numbers, as they stand in brackets. */
  readonly numbers: string | undefined;
}

function modulePart(text: string): ModulePart | undefined {
  const bare = text.replace(/^(weights|inputs):/, '');
  const [, path, name, numbers] =
    /^(npm:(?:@[\w.-]+\/)?[\w.-]+|.*\.[cm]?[jt]s)(?:#(\w+))?(?:\((.*)\))?$/.exec(bare) ?? [];
  return path === undefined ? undefined : { path, name, numbers };
}

/** Methods that a module exports: objects, or factories with their defaults or the numbers that are given. */
function exportedBy(part: ModulePart, guests: Guests, where: string): DescribedMethod[] {
  const { path, numbers } = part;
  const all = methodsOf(part, guests, where);
  const [only] = all;
  if (numbers === undefined) return all.map(({ method }) => method);
  if (only?.make !== undefined && all.length === 1)
    return [only.make(numbersOf(pairsOf(numbers, where), where))];
  throw new OptionError('Numbers are for one method, which a module exports as what makes it.', {
    given: `${path}(${numbers})`,
    expected: 'one factory, as defineQuantizer gives it',
    where,
    remedy: all.length > 1 ? `name one of them: ${path}#${all[0]?.name}(${numbers})` : undefined,
  });
}

interface Exported {
  /** By which it is exported. */
  readonly name: string;
  readonly method: DescribedMethod;
  /** Makes it with other numbers. */
  readonly make?: (numbers: Record<string, number | Schedule>) => DescribedMethod;
}

function methodsOf({ path, name }: ModulePart, guests: Guests, where: string): Exported[] {
  const exported = guests.get(path);
  if (exported === undefined) {
    throw new OptionError('A module of an entry was not handed in.', { given: path, where });
  }
  const methods = new Map<string, Exported>();
  for (const [key, value] of Object.entries(exported)) {
    const isFactory = typeof value === 'function' && 'definition' in value;
    const make = isFactory ? (value as unknown as NonNullable<Exported['make']>) : undefined;
    const method: unknown = make === undefined ? value : make({});
    // The same method may be exported twice: by name, and as the default.
    const isKnown = [...methods.keys()].some((other) => exported[other] === value);
    if (isMethod(method) && !(isKnown && name === undefined))
      methods.set(key, { name: key, method, ...(make && { make }) });
  }
  if (name !== undefined) {
    const one = methods.get(name);
    if (one === undefined) throw unknownName('method', name, [...methods.keys()], `${where}: ${path}`);
    return [one];
  }
  const all = [...methods.values()];
  const twice = all.find(
    ({ method: { kind } }, index) => all.findIndex(({ method }) => method.kind === kind) < index,
  )?.method;
  if (all.length > 0 && twice === undefined) return all;
  throw new OptionError(
    twice === undefined
      ? 'This module exports no method.'
      : `This module exports more than one ${twice.kind}.`,
    {
      given: listed(Object.keys(exported)) || 'no exports',
      expected: twice === undefined ? 'what defineQuantizer, defineOptimizer, ... gives' : 'one of each kind',
      where: `${where}: ${path}`,
      remedy: twice === undefined ? undefined : `name one of them: ${path}#${[...methods.keys()][0]}`,
    },
  );
}

function isMethod(value: unknown): value is DescribedMethod {
  const { kind, name, definition } = (
    typeof value === 'object' && value !== null ? value : {}
  ) as Partial<Method>;
  return (
    typeof name === 'string' &&
    definition !== undefined &&
    ['quantizer', 'optimizer', 'penalty', 'loss'].includes(String(kind))
  );
}

/** Parts of a text between separators that stand in no brackets. */
function split(text: string, separator: string): string[] {
  const parts = [''];
  let depth = 0;
  for (const letter of text) {
    if (letter === '(') depth += 1;
    if (letter === ')') depth -= 1;
    if (letter === separator && depth === 0) parts.push('');
    else parts[parts.length - 1] += letter;
  }
  if (depth !== 0) {
    throw new OptionError('Brackets are not closed, or not opened.', {
      given: text,
      expected: 'steSign(clip=1.3)',
      where: 'methods that are compared',
    });
  }
  return parts.map((part) => part.trim());
}
