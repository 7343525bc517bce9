/** Networks on the command line: ready-made ones by name, and those of a person's own, by the path of a file. */
import { readFile } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import { InvalidArgumentError, Option } from 'commander';
import { FormatError, OptionError } from '../errors.ts';
import {
  describeModel,
  MODEL_NAMES,
  type Model,
  type ModelDescription,
  modelByName,
  modelOfDescription,
  type Shape,
} from '../index.ts';
import { parseJson } from '../json.ts';
import { storageError } from '../node/files.ts';
import { isLibraryError, loadModule } from '../node/modules.ts';
import { npx } from '../npx.ts';
import type { RunOptions } from '../reports/story.ts';
import { notOneOf } from './options.ts';

/** What a network is made for. */
interface Made {
  readonly input: Shape;
  readonly classes: number;
}

/** The part of a run that says which network it trains. */
export type OwnModel = Pick<RunOptions, 'model' | 'modelOptions' | 'description'>;

export const anyModelOption = () =>
  new Option(
    '--model <name or path>',
    `network: ${MODEL_NAMES.join(', ')}; or one of your own: a module whose default export is a function of { input, classes } (.js), or a description (.json)`,
  )
    .argParser(modelName)
    .default('mlp');

export const modelOptionsOption = () =>
  new Option(
    '--model-options <list>',
    'options of a ready-made network, as units=256; `models` lists them',
  ).argParser(modelOptions);

function modelName(text: string): string {
  if ((MODEL_NAMES as readonly string[]).includes(text) || isPath(text)) return text;
  throw notOneOf(text, MODEL_NAMES, ', or a path to a .js, .mjs or .json file');
}

/** Whether a network is meant by the file that makes it. */
export function isPath(text: string): boolean {
  return /\.(m?js|json)$/i.test(text);
}

function modelOptions(text: string): Record<string, number> {
  const pairs = text.split(',').map((pair) => pair.split('='));
  if (pairs.every(([name, value]) => name && value !== undefined && Number.isFinite(Number(value)))) {
    return Object.fromEntries(pairs.map(([name = '', value]) => [name.trim(), Number(value)]));
  }
  throw new InvalidArgumentError('Names and numbers are expected, as units=256 or filters=32,blocks=2.');
}

/** The network of a run. @throws OptionError for a name that is none, FormatError for a description that describes none */
export async function modelOfRun(own: OwnModel, made: Made): Promise<Model> {
  const { model, modelOptions: options = {}, description } = own;
  if (description === undefined) return modelByName(model, made, options);
  return modelOfDescription(description, `model ${model}`);
}

/**
 * The network that flags name: a ready-made one, or that of a file, which is read.
 * @throws OptionError for options of a file's network; else as `readOwnModel`
 */
export async function modelOfFlags(
  { model, modelOptions: options }: OwnModel,
  made: Made,
): Promise<OwnModel> {
  if (!isPath(model)) return { model, ...(options === undefined ? {} : { modelOptions: options }) };
  if (options === undefined) return readOwnModel(model, made);
  throw new OptionError('Only ready-made networks have options.', {
    given: `--model-options ${JSON.stringify(options)}, for ${model}`,
    where: '--model-options',
    remedy: 'leave it away, and change the file',
  });
}

/** @throws OptionError for what workers of a queue can't make by its name */
export function assertForWorkers({ model, modelOptions: options, description }: OwnModel): void {
  const isOwn = isPath(model) || description !== undefined;
  if (!isOwn && options === undefined) return;
  throw new OptionError('Workers make ready-made networks as they are.', {
    given: isOwn ? `the network ${model}` : JSON.stringify(options),
    where: isOwn ? '--model' : '--model-options',
    remedy: 'do it in one process: without --nats',
  });
}

/**
 * Reads a network of a person's own.
 * @param path of a module, whose default export (or only function) makes it, or of a description
 * @returns what the run keeps of it: it can be gone on with, and used, without the file
 * @throws StorageError, OptionError or FormatError for what makes no network
 */
async function readOwnModel(path: string, made: Made): Promise<OwnModel> {
  const description = /\.json$/i.test(path) ? await readDescription(path) : await describedModule(path, made);
  // Whatever is wrong with it is said before anything is trained; and it can be made again of what is kept.
  await modelOfDescription(description, path);
  return { model: nameOfModel(path), description };
}

/** What a network is called that the file at a path makes. */
export function nameOfModel(path: string): string {
  const name = basename(path, extname(path))
    .replaceAll(/[^A-Za-z0-9_-]/g, '-')
    .replace(/^[_-]+/, '');
  return name.slice(0, 64) || 'own';
}

async function readDescription(path: string): Promise<ModelDescription> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw storageError('The file could not be read.', path, cause);
  });
  try {
    return parseJson(text) as ModelDescription;
  } catch (cause) {
    throw new FormatError('This is no description of a network.', {
      given: text.slice(0, 80),
      expected: `JSON as ${npx('models NAME --out model.json')} writes it`,
      where: path,
      cause,
    });
  }
}

async function describedModule(path: string, made: Made): Promise<ModelDescription> {
  const module = await loadModule(path, '--model');
  const make = module.default ?? Object.values(module).find((value) => typeof value === 'function');
  const refused = (what: string, given: string, cause?: unknown) =>
    new OptionError(what, {
      given,
      expected: 'export default ({ input, classes }) => sequential([...], { input })',
      where: `--model ${path}`,
      cause,
    });
  if (typeof make !== 'function') {
    throw refused(
      'The module exports no function that makes a network.',
      Object.keys(module).join(', ') || 'nothing',
    );
  }
  let network: unknown;
  try {
    network = await make(made);
  } catch (cause) {
    if (isLibraryError(cause)) throw cause;
    throw refused('The function that makes the network fails.', String(cause), cause);
  }
  if (
    typeof network !== 'object' ||
    network === null ||
    !('layers' in network) ||
    !Array.isArray(network.layers)
  ) {
    throw refused('The function gives no network.', typeof network);
  }
  return describeModel(network as Model);
}
