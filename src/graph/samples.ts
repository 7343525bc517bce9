/** What a network is asked with: samples of one input or several, and what comes back for them. */
import { listed, OptionError, ShapeError } from '../errors.ts';
import { describe, type Reals, sizeOf, toFloats } from '../gpu/index.ts';
import type { Model, ModelInput } from './model.ts';

/** Samples of each input, reals [count, ...shape]: in the order of `model.inputs`, or by name. */
export type NamedSamples = readonly Reals[] | ReadonlyMap<string, Reals> | Readonly<Record<string, Reals>>;

/** Samples that were checked. */
export interface WholeSamples {
  /** Of each input, in the model's order. */
  readonly given: readonly Float32Array<ArrayBuffer>[];
  /** How many samples there are. */
  readonly count: number;
  /** Values of a sample of each input. */
  readonly sizes: readonly number[];
}

/**
 * @throws ShapeError unless whole samples of reals are given, as many of each input; OptionError for names of no input, and
 *   for one array where there are several inputs or outputs
 */
export function wholeSamples(model: Model, samples: Reals | NamedSamples): WholeSamples {
  const { inputs, name: where } = model;
  const given = samplesOf(model, samples);
  const sizes = inputs.map(({ shape }) => sizeOf(shape));
  const counts = given.map((values, i) => values.length / (sizes[i] ?? 1));
  const [count = 0] = counts;
  const odd = counts.findIndex((own) => own !== count || !Number.isInteger(own) || own < 1);
  if (odd >= 0) {
    const { name, shape } = inputs[odd] ?? { name: 'input', shape: [] };
    const isWhole = Number.isInteger(counts[odd]) && counts[odd] !== 0;
    throw new ShapeError(
      isWhole ? 'The inputs have different numbers of samples.' : 'The samples are not whole.',
      {
        given: isWhole ? listed(counts) : `${given[odd]?.length} values`,
        expected: isWhole ? 'as many of each' : `a multiple of ${sizes[odd]}, ${describe(shape)} a sample`,
        where: inputs.length === 1 ? where : `${where}: ${name}`,
      },
    );
  }
  return { given, count, sizes };
}

/** The results for one array, or by the outputs' names. */
export function resultsFor(
  samples: Reals | NamedSamples,
  { outputs }: Model,
  results: readonly Float32Array<ArrayBuffer>[],
): Float32Array<ArrayBuffer> | Record<string, Float32Array<ArrayBuffer>> {
  if (isOneArray(samples)) return results[0] ?? new Float32Array();
  return Object.fromEntries(outputs.map(({ name }, i) => [name, results[i] ?? new Float32Array()]));
}

/** The samples of each input, in the model's order. */
function samplesOf(
  { inputs, outputs, name: where }: Model,
  samples: Reals | NamedSamples,
): readonly Float32Array<ArrayBuffer>[] {
  const shapes = (ends: readonly ModelInput[]) =>
    listed(ends.map(({ name, shape }) => `${name} ${describe(shape)}`));
  const misfit = (what: string, given: string) =>
    new OptionError(what, {
      given,
      expected: `inputs ${shapes(inputs)}; outputs ${shapes(outputs)}`,
      where,
      remedy: `predict({ ${inputs.map(({ name }) => `'${name}': samples`).join(', ')} }) gives each output by its name`,
    });
  if (isOneArray(samples)) {
    const floats = toFloats(samples, where, REALS_REMEDY);
    if (inputs.length === 1 && outputs.length === 1) return [floats];
    throw misfit('This network has several inputs or outputs.', 'one array');
  }
  if (typeof samples !== 'object' || samples === null) throw misfit('These are no samples.', typeof samples);
  const byName = new Map<string, unknown>(
    samples instanceof Map
      ? samples
      : Array.isArray(samples)
        ? samples.map((values, i) => [inputs[i]?.name ?? `number ${i + 1}`, values])
        : Object.entries(samples),
  );
  const unknown = [...byName.keys()].filter((name) => inputs.every((own) => own.name !== name));
  if (unknown.length > 0) throw misfit('The network has no such input.', listed(unknown));
  return inputs.map(({ name }) => {
    const values = byName.get(name);
    if (isOneArray(values)) return toFloats(values, `${where}: ${name}`, REALS_REMEDY);
    throw misfit(
      'The samples of an input are missing.',
      `${name}: ${values === undefined ? 'nothing' : typeof values}`,
    );
  });
}

const REALS_REMEDY =
  "pixels become samples with the loaded model's prepare(bytes); make a Float32Array of other integers";

/** Whether these are the samples of one input, right or wrong: a typed array, or an array of anything but arrays. */
function isOneArray(samples: unknown): samples is Reals {
  if (Array.isArray(samples)) return samples.length > 0 && typeof samples[0] !== 'object';
  return ArrayBuffer.isView(samples);
}
