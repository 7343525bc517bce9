/** Options that several commands share, and how their text becomes values. */

import { type Argument, type Command, InvalidArgumentError, Option } from 'commander';
import {
  AUGMENTATION_NAMES,
  AUGMENTATIONS,
  type Gpu,
  type LearningRate,
  LOSS_NAMES,
  MODEL_NAMES,
  OptionError,
} from '../index.ts';
import { EVERY } from '../methods/table.ts';
import { DATASET_NAMES, requestGpu } from '../node/index.ts';
import { nearest } from '../options.ts';
import type { AugmentationNote } from '../reports/story.ts';
import { OutputOption } from './output.ts';

export interface AdapterOptions {
  readonly adapter: 'auto' | 'hardware' | 'software';
  readonly toggles?: string;
}

/** Adds `--adapter` and `--toggles`. */
export function withAdapter(command: Command): Command {
  return command
    .addOption(
      new Option('--adapter <kind>', 'hardware where there is some and else software, or one of them')
        .choices(['auto', 'hardware', 'software'])
        .default('auto'),
    )
    .addOption(
      new Option('--toggles <list>', 'Dawn toggles to switch on, e.g. disable_robustness').env(
        'WEBGPU_BNN_TOGGLES',
      ),
    );
}

export function acquire(options: AdapterOptions): Promise<Gpu> {
  return requestGpu({
    adapter: options.adapter,
    ...(options.toggles === undefined ? {} : { toggles: options.toggles.split(',') }),
  });
}

export function describeAdapter(gpu: {
  readonly adapter: Pick<Gpu['adapter'], 'name' | 'software'>;
}): string {
  const { name, software } = gpu.adapter;
  return software ? `${name} (software: there is no GPU here, or no driver for it)` : name;
}

/**
 * `--json [file]`, the same everywhere: the result as JSON, and nothing else, to standard output, or into a file beside what
 * is printed. A file must end in `.json`, since an argument of the command may follow the option.
 */
export const jsonOption = () =>
  new OutputOption('--json [file]', 'print JSON and nothing else; or write it to a file that ends in .json')
    .preset('-')
    .argParser((text) => {
      if (text === '-' || /\.json$|^\/dev\//i.test(text)) return text;
      throw new InvalidArgumentError(
        'A file that ends in .json is expected; before an argument write --json=-',
      );
    });

export const datasetOption = () =>
  new Option('--dataset <name>', 'images and labels').choices([...DATASET_NAMES]).default('mnist');
export const modelOption = () =>
  new Option('--model <name>', 'network').choices([...MODEL_NAMES]).default('mlp');
export const optimizerOption = () =>
  new Option('--optimizer <name>', 'how weights are updated')
    .choices(Object.keys(EVERY.optimizer))
    .default('adam');
export const lossOption = () =>
  new Option('--loss <name>', 'what is minimised').choices([...LOSS_NAMES]).default('squaredHinge');

/** The error for a text that is none of some names. @param more what else there may be */
export function notOneOf(text: string, known: readonly string[], more = ''): InvalidArgumentError {
  const near = text.length > 2 ? nearest(text, known) : undefined;
  const meant = near === undefined ? '' : ` Did you mean ${near}?`;
  return new InvalidArgumentError(`Allowed choices are ${known.join(', ')}${more}.${meant}`);
}

/** What is none of the choices of an option or an argument is refused with the nearest one: commander names only all. */
export function nameNearest(command: Command): void {
  for (const part of command.commands) nameNearest(part);
  for (const one of [...command.options, ...command.registeredArguments] as (Option | Argument)[]) {
    const { argChoices: known, variadic } = one;
    if (known === undefined) continue;
    one.argParser<unknown>((text, previous) => {
      if (!known.includes(text)) throw notOneOf(text, known);
      return variadic ? [...(Array.isArray(previous) ? previous : []), text] : text;
    });
  }
}

export function positiveInteger(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1)
    throw new InvalidArgumentError('A positive integer is expected.');
  return value;
}

export function positiveNumber(text: string): number {
  const value = Number(text);
  if (value > 0 && Number.isFinite(value)) return value;
  throw new InvalidArgumentError('A positive number is expected.');
}

/** `1` for a length of all gradients together, `value:0.1` for the size of each element. */
export function clipping(text: string): { norm: number } | { value: number } {
  const [, name = 'norm', most] = /^(?:(norm|value):)?(.+)$/.exec(text) ?? [];
  const value = positiveNumber(most ?? '');
  return name === 'value' ? { value } : { norm: value };
}

export function seedNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isSafeInteger(value) || value < 0 || value >= 2 ** 32) {
    throw new InvalidArgumentError('An integer from 0 to 4294967295 is expected.');
  }
  return value;
}

/** `balanced`, or a number for each class. */
export function classWeights(text: string): 'balanced' | number[] {
  if (text === 'balanced') return text;
  const weights = text.split(',').map(Number);
  if (weights.every((weight) => Number.isFinite(weight) && weight >= 0)) return weights;
  throw new InvalidArgumentError('`balanced` is expected, or numbers between commas, one for each class.');
}

/**
 * `crop:4,flip,rotate:10`: augmentations between commas, each with its numbers in their order.
 * @returns names, and names with numbers, as a run keeps them
 */
export function augmentations(text: string): AugmentationNote[] {
  return text.split(',').map((one) => {
    const [given = '', ...numbers] = one.trim().split(':');
    const name = AUGMENTATION_NAMES.find((known) => known.toLowerCase() === given.toLowerCase());
    if (name === undefined) {
      throw new InvalidArgumentError(
        `Augmentations are ${AUGMENTATION_NAMES.join(', ')}; as in crop:4,flip.`,
      );
    }
    const known = Object.keys(AUGMENTATIONS[name].definition.parameters ?? {});
    if (numbers.length > known.length) {
      throw new InvalidArgumentError(`${name} has ${known.join(', ') || 'no numbers'}.`);
    }
    if (numbers.length === 0) return name;
    const values = Object.fromEntries(
      numbers.map((number, i) => [known[i], number.trim() === '' ? Number.NaN : Number(number)]),
    );
    try {
      (AUGMENTATIONS[name] as (values: object) => unknown)(values);
    } catch (cause) {
      throw new InvalidArgumentError(
        cause instanceof OptionError ? `${cause.where}: ${cause.expected} is expected.` : String(cause),
      );
    }
    return { name, ...values };
  });
}

/** `0.01`, or `0.02:0.001` for an exponential decay from the first to the second. */
export function learningRate(text: string): LearningRate {
  const [from, to, ...more] = text.split(':').map(Number);
  if (from === undefined || !(from > 0) || more.length > 0 || (to !== undefined && !(to > 0))) {
    throw new InvalidArgumentError('A positive number is expected, or two as in 0.02:0.001.');
  }
  return to === undefined ? from : { from, to, decay: 'exponential' };
}

const DEFAULT_RATE: LearningRate = { from: 0.02, to: 0.001, decay: 'exponential' };

/** `--lr`. @param about what the rate is, or whose */
export function rateOption(about: string): Option {
  return new Option('--lr <rate>', about)
    .argParser(learningRate)
    .default(DEFAULT_RATE, rateText(DEFAULT_RATE));
}

/** A learning rate that is halved every so many epochs: the first of two, or a constant. */
export function halved(rate: LearningRate, everyEpochs: number): LearningRate {
  if (typeof rate === 'function') return rate;
  return { from: typeof rate === 'number' ? rate : rate.from, decay: 'halving', everyEpochs };
}

/** The rate of `learningRate` as people write it. */
export function rateText(rate: LearningRate): string {
  if (typeof rate !== 'object') return String(rate);
  return rate.decay === 'halving'
    ? `${rate.from}, halved every ${rate.everyEpochs} epochs`
    : `${rate.from}:${rate.to}`;
}

/** A number of bytes, and the unit that it was given in. */
export interface ByteLimit {
  readonly bytes: number;
  readonly unit: '' | 'k' | 'm' | 'g';
}

export function byteLimit(text: string): ByteLimit {
  const unit = /([kmg])i?b?$/i.exec(text.trim())?.[1]?.toLowerCase() ?? '';
  return { bytes: byteCount(text), unit: unit as ByteLimit['unit'] };
}

/** Bytes in a unit: `13.4 MB`, or `14053888 bytes`. */
export function bytesIn(bytes: number, unit: ByteLimit['unit']): string {
  if (unit === '') return `${bytes} bytes`;
  const size = UNITS[unit];
  return `${Number((bytes / size).toPrecision(4))} ${unit === 'k' ? 'kB' : `${unit.toUpperCase()}B`}`;
}

const UNITS = { k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 } as const;

/** Bytes from `800MB`, `2GB` or a plain number. */
export function byteCount(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*(k|m|g)?i?b?$/i.exec(text.trim());
  if (match === null) throw new InvalidArgumentError('Bytes are expected, as in 800MB or 2GB.');
  const unit = (match[2] ?? '').toLowerCase();
  return Number(match[1]) * (unit === '' ? 1 : UNITS[unit as keyof typeof UNITS]);
}
