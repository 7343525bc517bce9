/** One checker of options: an unknown name is refused everywhere in the same words, with the known ones and the nearest. */
import { listed, OptionError } from './errors.ts';

/**
 * Checks that an object of options has no name that isn't known.
 * @param known the names that there are
 * @param where the function or layer that takes them
 * @throws OptionError for a name that isn't known, with the nearest one that is, and for what is no object
 * @example assertKnownOptions(options, ['epochs', 'batch'], 'Trainer.create');
 */
export function assertKnownOptions(given: object, known: readonly string[], where: string): void {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new OptionError('Options are an object.', { given: String(given), where });
  }
  for (const name of Object.keys(given))
    if (!known.includes(name)) throw unknownName('option', name, known, where);
}

/**
 * Checks the options of a layer.
 * @returns what errors call it: its name, or its kind
 * @throws what `assertKnownOptions` does
 */
export function layerName(
  options: { readonly name?: string | undefined },
  known: readonly string[],
  kind: string,
): string {
  const where = options?.name ?? kind;
  assertKnownOptions(options, known, where);
  return where;
}

/**
 * The names of an interface's options, as a list that can't drift from it: one too many or too few doesn't compile.
 * @example const KNOWN = namesOf<{ epochs?: number; batch?: number }>({ epochs: true, batch: true });
 */
/* @__NO_SIDE_EFFECTS__ */
export function namesOf<Options extends object>(names: Record<keyof Options, true>): readonly string[] {
  return Object.keys(names);
}

/**
 * Checks that something was given, and not the promise of it or something else.
 * @param what what it is, for people: `the model`
 * @param member that it has and others lack
 * @throws OptionError for a promise, for nothing, and for what lacks the member
 */
export function assertPresent(given: unknown, what: string, where: string, member?: string): void {
  const isThing = typeof given === 'object' && given !== null;
  const remedy =
    typeof given === 'function'
      ? `call it: ${given.name}()`
      : isThing && 'then' in given
        ? 'await this promise'
        : undefined;
  if (isThing && remedy === undefined && (member === undefined || member in given)) return;
  throw new OptionError(`${isThing ? 'This is not' : 'There is nothing to be'} ${what}.`, {
    given: isThing ? undefined : String(given),
    where,
    remedy,
  });
}

/**
 * Checks that a network was given, and what else is.
 * @param values of its parameters, where they are asked for
 * @throws OptionError for nothing, a promise, or what holds a network and is none
 */
export function assertModel(
  model: { readonly layers: object },
  where: string,
  ...values: readonly unknown[]
): void {
  assertPresent(model, 'the model', where);
  assertPresent(model.layers, 'its layers', where);
  for (const each of values) assertPresent(each, 'the values', where, 'get');
}

/**
 * The error for a name that isn't one of the known ones.
 * @param what what the name is of, in the singular: `option`, `quantizer`
 */
export function unknownName(
  what: string,
  given: string,
  known: readonly string[],
  where?: string,
): OptionError {
  const near = nearest(given, known);
  return new OptionError(`There is no ${what} of this name.`, {
    given,
    expected: listed(known),
    where,
    remedy: near === undefined ? undefined : `did you mean ${near}?`,
  });
}

/** The known name that a misspelt or differently styled one stands for, if one is near enough. */
export function nearest(given: string, known: readonly string[]): string | undefined {
  const plain = (name: string) => name.toLowerCase().replace(/[^a-z0-9]/g, '');
  const wanted = plain(String(given));
  let best: string | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const name of known) {
    const candidate = plain(name);
    const contained = wanted.length > 2 && (candidate.includes(wanted) || wanted.includes(candidate));
    const distance = Math.min(editDistance(wanted, candidate), contained ? 2 : Number.POSITIVE_INFINITY);
    if (distance < least) [best, least] = [name, distance];
  }
  return least <= Math.max(2, Math.floor(wanted.length / 3)) ? best : undefined;
}

/** Letters to insert, leave away or replace to make one word of the other (Levenshtein 1966). */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
