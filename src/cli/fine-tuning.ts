/** Fine-tuning on the command line: the network and the weights of another training or file, with a head for other classes. */
import { InvalidArgumentError } from 'commander';
import { OptionError } from '../errors.ts';
import {
  describeModel,
  type Model,
  type ModelDescription,
  modelOfDescription,
  startFrom,
  type Trainer,
} from '../index.ts';
import type { RunOptions } from '../reports/story.ts';
import type { ReadableModel } from './imported.ts';
import { patternOf } from './parameter-names.ts';

/** Collects `--freeze`: patterns between commas. */
export function patterns(text: string, before: readonly string[] = []): string[] {
  const own = text.split(',').map((pattern) => pattern.trim());
  if (own.every((pattern) => pattern !== '' && pattern.length <= 200)) return [...before, ...own];
  throw new InvalidArgumentError('Names are expected, as conv* or dense1/kernel.');
}

/** Collects `--rate-of`: `conv*=0.1`. */
export function ratesOf(
  text: string,
  before: readonly (readonly [string, number])[] = [],
): (readonly [string, number])[] {
  const [pattern = '', factor] = text.split('=');
  const value = Number(factor);
  if (pattern !== '' && pattern.length <= 200 && value > 0 && Number.isFinite(value)) {
    return [...before, [pattern, value]];
  }
  throw new InvalidArgumentError('A name and a multiple are expected, as conv*=0.1.');
}

/** @throws OptionError for a name that no parameter of the network has */
export function assertMatches({ freeze = [], rates = [] }: RunOptions, { layers }: Model): void {
  const names = layers.flatMap(({ name, parameters }) => parameters.map((spec) => `${name}/${spec.name}`));
  for (const [flag, glob] of [
    ...freeze.map((own) => ['--freeze', own] as const),
    ...rates.map(([own]) => ['--rate-of', own] as const),
  ]) {
    if (names.some((name) => patternOf(glob).test(name))) continue;
    throw new OptionError('No parameter of this network has such a name.', {
      given: `${flag} ${glob}`,
      expected: names.join(', '),
      where: flag,
    });
  }
}

/**
 * The network of a source with so many outputs: the last layer that has units gets them, where it has another number.
 * @throws OptionError for a network whose outputs are of no such layer
 */
export async function withHead(source: Model, classes: number): Promise<ModelDescription> {
  const description = describeModel(source);
  if (source.outputShape.join() === String(classes)) return description;
  const head = description.layers.findLastIndex(({ config }) => typeof config.units === 'number');
  const layers = description.layers.map((layer, index) =>
    index === head ? { ...layer, config: { ...layer.config, units: classes } } : layer,
  );
  const replaced = { ...description, layers };
  const made = head < 0 ? undefined : await modelOfDescription(replaced).catch(() => undefined);
  if (made?.outputShape.join() === String(classes)) return replaced;
  throw new OptionError('The head of this network can not be replaced.', {
    given: `outputs [${source.outputShape.join()}] of ${description.layers.at(-1)?.name}`,
    expected: `a last layer with units, for ${classes} classes`,
    where: '--from',
    remedy: 'say the network: --model ./model.js; the weights of its layers are taken by name',
  });
}

/** Puts the weights of a source into a new training. @returns what was taken, in words */
export async function loadStart(
  trainer: Trainer,
  source: ReadableModel,
  latents: number | undefined,
): Promise<string> {
  const { network } = trainer;
  const start = startFrom(network.model, await network.values(), source.values, {
    ...(latents === undefined ? {} : { latents }),
  });
  await network.load(start.values);
  const { taken, drawn, signs } = start;
  const lacking =
    signs.length === 0
      ? ''
      : `; of ${signs.length} it has signs alone: latent weights start at ±${latents ?? 0.25}`;
  return `${taken.length} parameters taken${lacking}; ${drawn.length === 0 ? 'none' : drawn.join(', ')} drawn`;
}
