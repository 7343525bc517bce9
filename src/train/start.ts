/** Where a training starts from that goes on with weights of another one: fine-tuning. */
import { OptionError } from '../errors.ts';
import type { Model, ParameterValue, ParameterValues } from '../graph/index.ts';
import { unpackSigns } from '../numerics/pack.ts';

/** What a training starts from, and where each parameter of it comes from. */
export interface StartingValues {
  /** By `layer/parameter`, all that the model has. */
  readonly values: Map<string, Float32Array<ArrayBuffer>>;
  /** Names of the parameters that were taken. */
  readonly taken: readonly string[];
  /** Names of those that were drawn: the source has none of their name and shape. */
  readonly drawn: readonly string[];
  /** Names of binary parameters of which the source has signs alone. */
  readonly signs: readonly string[];
}

/** Latent weights of signs start here where nobody says it: half-way between zero and what is drawn at most. */
const LATENTS = 0.25;

/**
 * Values of a source for the parameters of a model, by name and shape; the others stay as they were drawn. Model files have the
 * signs of binary weights and not the latent weights that a checkpoint has: these start at ±`latents` then.
 * @param drawn values of all parameters: `initialValues(model, seed)`, or those of a new trainer's network
 * @param source values of another network: of a checkpoint, of a model file, of an ONNX or TensorFlow Lite file
 * @throws OptionError where nothing is taken, and unless `latents` is more than 0 and at most 1
 * @example
 *   const start = startFrom(model, await trainer.network.values(), loaded.values);
 *   await trainer.network.load(start.values);
 */
export function startFrom(
  model: Model,
  drawn: ReadonlyMap<string, Float32Array<ArrayBuffer>>,
  source: ParameterValues,
  { latents = LATENTS }: { readonly latents?: number } = {},
): StartingValues {
  const where = 'startFrom';
  if (!(latents > 0 && latents <= 1)) {
    throw new OptionError('Latent weights start between their signs and zero.', {
      given: `latents = ${latents}`,
      expected: 'more than 0 and at most 1',
      where,
    });
  }
  const values = new Map(drawn);
  const taken: string[] = [];
  const signs: string[] = [];
  for (const { name, parameters } of model.layers) {
    for (const spec of parameters) {
      const key = `${name}/${spec.name}`;
      const own = source.get(key);
      const size = values.get(key)?.length;
      if (own === undefined || size === undefined) continue;
      const floats = floatsOf(own, spec.shape, latents);
      if (floats === undefined || floats.length !== size) continue;
      values.set(key, floats);
      taken.push(key);
      if (!(own instanceof Float32Array)) signs.push(key);
    }
  }
  if (taken.length === 0) {
    throw new OptionError('The source has no parameter that this network has.', {
      given: [...source.keys()].slice(0, 5).join(', '),
      expected: [...drawn.keys()].slice(0, 5).join(', '),
      where,
      remedy: 'train the network of the source: leave --model away',
    });
  }
  return { values, taken, drawn: [...drawn.keys()].filter((key) => !taken.includes(key)), signs };
}

/** A value as latent weights; nothing where it is of another shape. */
function floatsOf(
  value: ParameterValue,
  shape: readonly number[],
  latents: number,
): Float32Array<ArrayBuffer> | undefined {
  if (value instanceof Float32Array) return new Float32Array(value);
  if (value.shape.join() !== shape.join()) return undefined;
  const channels = shape.at(-1) ?? 1;
  const rows = shape.slice(0, -1).reduce((product, extent) => product * extent, 1);
  return Float32Array.from(unpackSigns(value.words, rows, channels), (sign) => latents * sign);
}
