/** `webgpu-bnn geometry`: what binarizing a stored model would do to every one of its filters. */
import { existsSync } from 'node:fs';
import { Presets, SingleBar } from 'cli-progress';
import Table from 'cli-table3';
import { Command, InvalidArgumentError } from 'commander';
import { FormatError, listed, OptionError, printable, StorageError } from '../errors.ts';
import type { LayerSurvey } from '../geometry/survey.ts';
import { assertNoComparison } from '../node/comparison.ts';
import { readFileChecked, writeFileAtomic } from '../node/index.ts';
import { MEASURED_TYPES, openModel, type StoredTensor } from '../node/tensors.ts';
import { randomGramParticipation } from '../numerics/closed-forms.ts';
import { entropyOf } from '../numerics/entropy.ts';
import { spreadSlope } from '../numerics/lines.ts';
import type { PairStructure } from '../numerics/structure.ts';
import { csvOf } from '../reports/csv.ts';
import { type GeometryReport, renderGeometry } from '../reports/geometry.ts';
import { ALL_LAYERS, groupColumns, groupOf, oneBitTable } from '../reports/one-bit.ts';
import { NO_SURVEY, parseSurvey, type SavedLayer, SURVEY_REMEDY, type SurveyKey } from '../reports/survey.ts';
import { megabytes } from '../reports/words.ts';
import { EXIT } from './exit.ts';
import { madeNow } from './made.ts';
import { type Keeping, type Measured, measureByWorkers, measureHere } from './measured.ts';
import { type NatsFlags, namingOption, serverOf, withNats } from './nats.ts';
import { type AdapterOptions, byteCount, jsonOption, withAdapter } from './options.ts';
import { emit, jsonText, OutputOption } from './output.ts';

interface Flags extends AdapterOptions, NatsFlags {
  readonly data: string;
  readonly memory: number;
  readonly nearZero: number;
  readonly axis: number;
  readonly rotate: boolean;
  readonly pairs: boolean;
  readonly groups: boolean;
  readonly resume?: string;
  readonly json?: string;
  readonly csv?: string;
  readonly html?: string;
  readonly quiet?: boolean;
}

export function geometryCommand(): Command {
  return withNats(
    withAdapter(new Command('geometry')),
    'let workers measure, which take jobs from this server',
  )
    .addOption(namingOption())
    .description('measure the angle between every filter of a stored model and its signs, and more')
    .argument(
      '<model>',
      'a .safetensors or .gguf file, an index of shards, a folder of these, or a folder of such folders',
    )
    .option('--memory <bytes>', 'GPU memory to live in', byteCount, 256 * 2 ** 20)
    .option('--near-zero <number>', 'weights smaller than this count as near zero', Number, 0.01)
    .option('--axis <n>', 'axis that counts the filters, or "last"', axisNumber, 0)
    .option('--rotate', 'measure the angles after a random rotation too', false)
    .option(
      '--pairs',
      'compare the filters of each layer with each other, and count patterns of 3x3 kernels',
      false,
    )
    .option(
      '--groups',
      'say what one bit a weight would do, with a scale for each group of 32 to 4096 weights, and for each filter',
      false,
    )
    .option('--resume <file>', 'keep finished layers in this file, and go on from it')
    .addOption(jsonOption())
    .addOption(new OutputOption('--csv <file>', 'write the table here as well'))
    .addOption(new OutputOption('--html <file>', 'write a report with charts as well'))
    .option('--quiet', 'print no progress and no table')
    .addHelpText(
      'after',
      `
Every tensor of two dimensions or more (F32, F16, BF16; of GGUF files Q8_0, Q1_0, TQ1_0 and TQ2_0, too) is taken as filters along
its first axis (PyTorch's order); Keras counts filters along the last one.

Examples:
  $ webgpu-bnn geometry model.safetensors
  $ webgpu-bnn geometry runs/mnist-mlp --pairs --html geometry.html
  $ webgpu-bnn geometry keras.safetensors --axis last --rotate
  $ webgpu-bnn geometry model.gguf --groups --html one-bit.html
  $ webgpu-bnn geometry runs --csv all-runs.csv
  $ webgpu-bnn geometry models/llama --data models --nats nats://host
  $ webgpu-bnn geometry llama/ --memory 512MB --json geometry.json --resume llama.geometry`,
    )
    .action(run);
}

async function run(path: string, flags: Flags): Promise<void> {
  assertNoComparison(path);
  const model = await openModel(path);
  try {
    const sorted = sortOut(model.tensors);
    assertSome(sorted, path);
    await survey(path, sorted, flags);
  } finally {
    await model.close();
  }
}

async function survey(path: string, { chosen, skipped }: SortedOut, flags: Flags): Promise<void> {
  const { memory, nearZero, rotate, pairs, axis, groups } = flags;
  const plain = flags.quiet || flags.json === '-';
  const total = chosen.reduce((sum, { entry }) => sum + entry.end - entry.begin, 0);
  const saved = await Saved.open(flags.resume, {
    ...{ model: path, nearZero, rotate, pairs, axis },
    // Files of before this option have no such field.
    ...(groups ? { groups } : {}),
  });
  const server = serverOf(flags);
  const bar = progressBar(plain ? 0 : total);
  const started = performance.now();
  const onSignal = () => {
    bar?.stop();
    const done = saved?.write() ?? Promise.resolve();
    void done.finally(() => process.exit(EXIT.interrupted));
  };
  process.once('SIGINT', onSignal);
  let measured: Measured;
  try {
    const numbers = { memory, nearZero, rotate, pairs, axis, groups };
    const keeping: Keeping = {
      before: ({ name, entry }) => saved?.layer(name, entry.shape),
      add: async (layer, { entry }) => await saved?.add(layer, entry.shape),
      progress: (bytes, name) => bar?.update(bytes / 2 ** 20, { name: printable(name) }),
      say: (text) => {
        if (!plain) console.log(text);
      },
    };
    measured =
      server === undefined
        ? await measureHere(chosen, numbers, flags, keeping)
        : await measureByWorkers(chosen, numbers, { server, root: flags.data }, keeping);
  } finally {
    bar?.stop();
    process.off('SIGINT', onSignal);
    await saved?.write();
  }
  const { made, adapter, bytes, peakGpuBytes } = measured;
  const seconds = (performance.now() - started) / 1000;
  const layers = made.flatMap((one) => (one.state === 'done' ? one.layer : []));
  const failed = made.filter(({ state }) => state === 'failed').length;
  const without = made.flatMap((one, index) =>
    one.state === 'done' ? [] : { name: chosen[index]?.name ?? '', reason: one.reason },
  );
  const { slope } = spreadSlope(layers);
  const report: GeometryReport = {
    ...{ version: 1, made: madeNow(), adapter, model: path, layers },
    skipped: [...skipped, ...without],
    weights: layers.reduce((sum, { filters, dimension }) => sum + filters * dimension, 0),
    spreadSlope: Number.isFinite(slope) ? slope : null,
    ...{ nearZero, seconds, bytesPerSecond: bytes / seconds, peakGpuBytes },
  };
  await emit(jsonText(report, 2), flags.json);
  if (flags.csv !== undefined) await writeFileAtomic(flags.csv, tableOf(layers));
  if (flags.html !== undefined) await writeFileAtomic(flags.html, renderGeometry(report));
  if (!plain) print(report);
  for (const { name, nonFinite } of layers) {
    if (nonFinite > 0)
      console.error(`warning: ${name} has ${nonFinite} NaN or infinite weights; they count in nothing`);
  }
  if (failed > 0) process.exitCode = EXIT.failed;
}

/** An axis, or `last`. */
function axisNumber(text: string): number {
  const value = text === 'last' ? -1 : text === 'first' ? 0 : Number(text);
  if (text.trim() === '' || !Number.isInteger(value)) {
    throw new InvalidArgumentError('A number, "first" or "last" is expected.');
  }
  return value;
}

/** Finished layers of a survey that may be broken off, in a file. */
class Saved {
  readonly #path: string;
  readonly #key: SurveyKey;
  readonly #layers: SavedLayer[];
  #written = performance.now();

  private constructor(path: string, key: SurveyKey, layers: readonly SavedLayer[]) {
    this.#path = path;
    this.#key = key;
    this.#layers = [...layers];
  }

  /** @throws FormatError, or OptionError when the file is of another survey; a file that isn't there is a new one */
  static async open(path: string | undefined, key: SurveyKey): Promise<Saved | undefined> {
    if (path === undefined) return undefined;
    if (!existsSync(path)) return new Saved(path, key, []);
    let text: string;
    try {
      text = new TextDecoder('utf-8', { fatal: true }).decode(await readFileChecked(path));
    } catch (cause) {
      throw cause instanceof StorageError ? cause : notASurvey(path, cause);
    }
    const file = parseSurvey(text, path);
    if (JSON.stringify(file.key) !== JSON.stringify(key)) {
      throw new OptionError('This survey was begun with other options.', {
        given: JSON.stringify(key),
        expected: JSON.stringify(file.key),
        where: path,
        remedy: 'give the same model and options, or another file to --resume',
      });
    }
    return new Saved(path, key, file.layers);
  }

  layer(name: string, stored: readonly number[]): LayerSurvey | undefined {
    return this.#layers.find((one) => one.layer.name === name && one.stored.join() === stored.join())?.layer;
  }

  /** Adds a layer; the file isn't renewed for each, since small layers are quicker measured than written. */
  async add(layer: LayerSurvey, stored: readonly number[]): Promise<void> {
    this.#layers.push({ stored, layer });
    if (performance.now() - this.#written > 500) await this.write();
  }

  async write(): Promise<void> {
    await writeFileAtomic(this.#path, JSON.stringify({ version: 1, key: this.#key, layers: this.#layers }));
    this.#written = performance.now();
  }
}

function notASurvey(path: string, cause: unknown): FormatError {
  return new FormatError(NO_SURVEY, { given: path, where: path, remedy: SURVEY_REMEDY, cause });
}

/** What a training keeps of a weight beside it, by the end of the name: moments of Adam, counts of flips. */
const KEPT_BESIDE = /\.(m|v|flips)$/;

interface SortedOut {
  readonly chosen: readonly StoredTensor[];
  readonly skipped: readonly { readonly name: string; readonly reason: string }[];
}

function sortOut(tensors: readonly StoredTensor[]): SortedOut {
  const names = new Set(tensors.map(({ name }) => name));
  const skipped: { name: string; reason: string }[] = [];
  const chosen: StoredTensor[] = [];
  for (const tensor of tensors) {
    const { name } = tensor;
    const { shape, dtype } = tensor.entry;
    const weight = name.replace(KEPT_BESIDE, '');
    if (weight !== name && names.has(weight)) {
      skipped.push({ name, reason: 'what a training keeps beside its weights' });
    } else if (shape.length < 2) skipped.push({ name, reason: 'fewer than two dimensions' });
    else if (shape.includes(0)) skipped.push({ name, reason: 'empty' });
    else if (!MEASURED_TYPES.includes(dtype)) {
      skipped.push({ name, reason: `${dtype}: only ${listed(MEASURED_TYPES)} are measured` });
    } else chosen.push(tensor);
  }
  return { chosen, skipped };
}

/** @throws OptionError where no tensor is measured */
function assertSome({ chosen, skipped }: SortedOut, path: string): void {
  if (chosen.length > 0) return;
  throw new OptionError('There are no weights to measure in this model.', {
    given: listed([...new Set(skipped.map(({ reason }) => reason))]),
    expected: `tensors of two dimensions or more, of ${listed(MEASURED_TYPES)}`,
    where: path,
    remedy:
      'a model file of this library holds packed signs: measure the checkpoint of its run, which has the weights',
  });
}

function progressBar(bytes: number): SingleBar | undefined {
  if (bytes === 0 || !process.stdout.isTTY) return undefined;
  const bar = new SingleBar(
    { format: '{bar} {percentage}%  {value}/{total} MB  {eta_formatted} left  {name}', hideCursor: true },
    Presets.shades_classic,
  );
  bar.start(Math.ceil(bytes / 2 ** 20), 0, { name: '' });
  return bar;
}

/** Tensors that are named where many were left out for one reason. */
const MOST_NAMED = 4;

function print(report: GeometryReport): void {
  console.log(`adapter  ${report.adapter.name}`);
  const rotated = report.layers.some((layer) => layer.rotatedAngle !== undefined);
  const rotatedHead = rotated ? ['rotated'] : [];
  const table = new Table({
    head: [
      'layer',
      'shape',
      'type',
      'angle to sign',
      'expected',
      ...rotatedHead,
      'ternary',
      '2 bits',
      'kurtosis',
      'signs +1',
    ],
    colAligns: ['left', 'left', 'left', ...Array.from({ length: 7 }, () => 'right' as const)],
    style: { head: [], border: [] },
  });
  for (const layer of report.layers) {
    const measured = layer.zeroFilters < layer.filters;
    const or = (text: string) => (measured ? text : '-');
    table.push([
      layer.name,
      layer.shape.join(' x '),
      layer.format,
      or(`${layer.meanAngle.toFixed(2)} ± ${layer.sdAngle.toFixed(2)}°`),
      `${layer.expectedAngle.toFixed(2)} ± ${layer.expectedSd.toFixed(2)}°`,
      ...(rotated ? [or(`${layer.rotatedAngle?.toFixed(2)}°`)] : []),
      or(`${layer.ternary.angle.toFixed(2)}°`),
      or(`${layer.twoBitAngle.toFixed(2)}°`),
      or(layer.meanKurtosis.toFixed(2)),
      or(`${(100 * layer.positiveShare).toFixed(1)} %`),
    ]);
  }
  console.log(table.toString());
  for (const { name, zeroFilters, filters } of report.layers) {
    if (zeroFilters > 0)
      console.log(`${name}: ${zeroFilters} of ${filters} filters are all zeros and have no angle`);
  }
  const compared = report.layers.filter(({ pairs }) => pairs !== undefined);
  if (compared.length > 0) console.log(pairTable(compared));
  const grouped = report.layers.filter(({ oneBit }) => oneBit !== undefined);
  if (grouped.length > 0) console.log(groupTable(grouped));
  const leftOut = new Map<string, string[]>();
  for (const { name, reason } of report.skipped) leftOut.set(reason, [...(leftOut.get(reason) ?? []), name]);
  for (const [reason, names] of leftOut) {
    const more = names.length > MOST_NAMED ? ` and ${names.length - MOST_NAMED} more` : '';
    console.log(`left out: ${names.slice(0, MOST_NAMED).join(', ')}${more} (${reason})`);
  }
  if (report.spreadSlope !== null) {
    console.log(
      `spread of angles against length: slope ${report.spreadSlope.toFixed(3)} in logarithms (theory -0.5)`,
    );
  }
  console.log(
    `${report.weights} weights in ${report.seconds.toFixed(1)} s, ${(report.bytesPerSecond / 1e6).toFixed(0)} MB/s, ` +
      `${megabytes(report.peakGpuBytes)} of GPU memory at most`,
  );
}

/** The filters of each layer against each other. */
function pairTable(layers: readonly LayerSurvey[]): string {
  const table = new Table({
    head: [
      'layer',
      'largest |cos|',
      'sd of cos',
      'random',
      'directions',
      'random',
      'equal',
      'opposite',
      'patterns',
    ],
    colAligns: ['left', ...Array.from({ length: 8 }, () => 'right' as const)],
    style: { head: [], border: [] },
  });
  for (const { name, filters, dimension, pairs, patterns } of layers) {
    if (pairs === undefined) continue;
    table.push([
      name,
      pairs.largestCosine.toFixed(3),
      pairs.sdCosine.toFixed(4),
      (1 / Math.sqrt(dimension)).toFixed(4),
      pairs.participation.toFixed(1),
      randomGramParticipation(filters, dimension).toFixed(1),
      pairs.duplicates,
      pairs.negatedDuplicates,
      patterns === undefined ? '-' : `${entropyOf(patterns).toFixed(2)} of 9 bits`,
    ]);
  }
  return table.toString();
}

/** What one bit a weight would make of each layer: angle and relative error, by the weights that share a scale. */
function groupTable(layers: readonly LayerSurvey[]): string {
  const { sizes, normal, rows, all } = oneBitTable(layers);
  const table = new Table({
    head: ['weights to a scale', ...sizes.map(String), 'filter'],
    colAligns: ['left', ...sizes.map(() => 'right' as const), 'right'],
    style: { head: [], border: [] },
  });
  for (const [name, cells] of [['normal weights', normal], ...rows, [ALL_LAYERS, all]] as const) {
    table.push([name, ...cells.map((cell) => cell.join('\n') || '-')]);
  }
  return table.toString();
}

const CSV = [
  'name',
  'shape',
  'format',
  'filters',
  'dimension',
  'meanAngle',
  'sdAngle',
  'expectedAngle',
  'expectedSd',
  'rotatedAngle',
  'twoBitAngle',
  'meanScale',
  'meanError',
  'meanDeviation',
  'meanKurtosis',
  'positiveShare',
  'signEntropy',
  'nearZeroShare',
  'saturatedShare',
  'zeroFilters',
  'nonFinite',
] as const satisfies readonly (keyof LayerSurvey)[];

const PAIRS_CSV = [
  'largestCosine',
  'meanCosine',
  'sdCosine',
  'participation',
  'duplicates',
  'negatedDuplicates',
] as const satisfies readonly (keyof PairStructure)[];

/** A line a layer. */
function tableOf(layers: readonly LayerSurvey[]): string {
  const sizes = layers.some(({ oneBit }) => oneBit !== undefined) ? groupColumns(layers) : [];
  const lines = layers.map((layer) => [
    ...CSV.map((column) => layer[column]),
    ...PAIRS_CSV.map((column) => layer.pairs?.[column]),
    layer.patterns && entropyOf(layer.patterns),
    ...sizes.flatMap((size) => [groupOf(layer, size)?.angle, groupOf(layer, size)?.error]),
  ]);
  const groups = sizes.flatMap((size) => [
    `oneBitAngle${size ?? 'Filter'}`,
    `oneBitError${size ?? 'Filter'}`,
  ]);
  return csvOf([[...CSV, ...PAIRS_CSV, 'patternEntropy', ...groups], ...lines]);
}
