/** `webgpu-bnn geometry`: what binarizing a stored model would do to every one of its filters. */
import { existsSync } from 'node:fs';
import { Presets, SingleBar } from 'cli-progress';
import Table from 'cli-table3';
import { Command, InvalidArgumentError } from 'commander';
import { FormatError, MemoryPlanError, OptionError } from '../errors.ts';
import { filtersAlong } from '../geometry/axis.ts';
import { FilterSurvey, type LayerSurvey, type StoredFormat } from '../geometry/survey.ts';
import { readFileChecked, writeFileAtomic } from '../node/index.ts';
import { openModel, type StoredTensor } from '../node/safetensors.ts';
import { spreadSlope } from '../reference/geometry.ts';
import { EXIT } from './exit.ts';
import { renderGeometry } from './geometry-report.ts';
import { type AdapterOptions, acquire, byteCount, describeAdapter, withAdapter } from './options.ts';
import { emit, megabytes } from './output.ts';

interface Flags extends AdapterOptions {
  readonly memory: number;
  readonly nearZero: number;
  readonly axis: number;
  readonly rotate: boolean;
  readonly resume?: string;
  readonly json?: string;
  readonly csv?: string;
  readonly html?: string;
  readonly quiet?: boolean;
}

export interface GeometryReport {
  readonly version: 1;
  readonly adapter: { readonly name: string; readonly software: boolean };
  readonly model: string;
  readonly layers: readonly LayerSurvey[];
  /** Tensors that were left out, and why. */
  readonly skipped: readonly { readonly name: string; readonly reason: string }[];
  readonly weights: number;
  /** Of log sd(angle) against log d over the layers; null where there are too few. */
  readonly spreadSlope: number | null;
  readonly nearZero: number;
  readonly seconds: number;
  readonly bytesPerSecond: number;
  readonly peakGpuBytes: number;
}

export function geometryCommand(): Command {
  return withAdapter(new Command('geometry'))
    .description('measure the angle between every filter of a stored model and its signs, and more')
    .argument('<model>', 'a .safetensors file, a folder of them, or an index of shards')
    .option('--memory <bytes>', 'GPU memory to live in', byteCount, 256 * 2 ** 20)
    .option('--near-zero <number>', 'weights smaller than this count as near zero', Number, 0.01)
    .option('--axis <n>', 'axis that counts the filters, or "last"', axisNumber, 0)
    .option('--rotate', 'measure the angles after a random rotation too', false)
    .option('--resume <file>', 'keep finished layers in this file, and go on from it')
    .option('--json <file>', "write everything here as well ('-' for standard output)")
    .option('--csv <file>', 'write the table here as well')
    .option('--html <file>', 'write a report with charts as well')
    .option('--quiet', 'print no progress and no table')
    .addHelpText(
      'after',
      `
Every float tensor (F32, F16, BF16) of two dimensions or more is taken as filters along its first axis (PyTorch's order);
Keras counts filters along the last one.

Examples:
  $ webgpu-bnn geometry model.safetensors
  $ webgpu-bnn geometry runs/mnist-mlp --html geometry.html
  $ webgpu-bnn geometry keras.safetensors --axis last --rotate
  $ webgpu-bnn geometry llama/ --memory 512MB --json geometry.json --resume llama.geometry`,
    )
    .action(run);
}

const FORMATS: Readonly<Record<string, StoredFormat>> = { F32: 'f32', F16: 'f16', BF16: 'bf16' };

async function run(path: string, flags: Flags): Promise<void> {
  const model = await openModel(path);
  const gpu = await acquire(flags);
  const plain = flags.quiet || flags.json === '-';
  try {
    const { chosen, skipped } = sortOut(model.tensors);
    const total = chosen.reduce((sum, { entry }) => sum + entry.end - entry.begin, 0);
    const bar = progressBar(plain ? 0 : total);
    const layers: LayerSurvey[] = [];
    const started = performance.now();
    const { memory, nearZero, rotate, axis } = flags;
    using survey = new FilterSurvey(gpu, { memory, nearZero, rotate });
    const saved = await Saved.open(flags.resume, { model: path, nearZero, rotate, axis });
    const onSignal = () => {
      bar?.stop();
      const done = saved?.write() ?? Promise.resolve();
      void done.finally(() => process.exit(EXIT.interrupted));
    };
    process.once('SIGINT', onSignal);
    let bytes = 0;
    try {
      for (const { name, entry, file } of chosen) {
        const format = FORMATS[entry.dtype] ?? 'f32';
        const read = (offset: number, into: Uint8Array<ArrayBuffer>) => file.read(entry, offset, into);
        const done = saved?.layer(name, entry.shape);
        if (done !== undefined) {
          bytes += entry.end - entry.begin;
          layers.push(done);
          continue;
        }
        try {
          const filters = filtersAlong({ name, shape: entry.shape, format, read }, axis);
          const layer = await survey.measure(filters, (chunk) => {
            bytes += chunk;
            bar?.update(bytes / 2 ** 20, { name });
          });
          layers.push(layer);
          await saved?.add(layer, entry.shape);
        } catch (error) {
          // One filter that is too long is no reason to leave the others unmeasured.
          if (!(error instanceof MemoryPlanError)) throw error;
          skipped.push({ name, reason: `${error.what} ${error.remedy ?? ''}`.trim() });
        }
      }
    } finally {
      bar?.stop();
      process.off('SIGINT', onSignal);
      await saved?.write();
    }
    const seconds = (performance.now() - started) / 1000;
    const { slope } = spreadSlope(layers);
    const report: GeometryReport = {
      version: 1,
      adapter: { name: describeAdapter(gpu), software: gpu.adapter.software },
      model: path,
      layers,
      skipped,
      weights: layers.reduce((sum, { filters, dimension }) => sum + filters * dimension, 0),
      spreadSlope: Number.isFinite(slope) ? slope : null,
      nearZero: flags.nearZero,
      seconds,
      bytesPerSecond: bytes / seconds,
      peakGpuBytes: gpu.memory.peakBytes,
    };
    const json = `${JSON.stringify(report, null, 2)}\n`;
    await emit(json, flags.json);
    if (flags.csv !== undefined) await writeFileAtomic(flags.csv, csvOf(layers));
    if (flags.html !== undefined) await writeFileAtomic(flags.html, renderGeometry(report));
    if (!plain) print(report);
    for (const { name, nonFinite } of layers) {
      if (nonFinite > 0)
        console.error(`warning: ${name} has ${nonFinite} NaN or infinite weights; they count in nothing`);
    }
  } finally {
    await model.close();
    gpu.dispose();
  }
}

/** An axis, or `last`. */
function axisNumber(text: string): number {
  const value = text === 'last' ? -1 : text === 'first' ? 0 : Number(text);
  if (text.trim() === '' || !Number.isInteger(value)) {
    throw new InvalidArgumentError('A number, "first" or "last" is expected.');
  }
  return value;
}

/** What decides the numbers: they must be the same when a survey goes on. */
interface SurveyKey {
  readonly model: string;
  readonly nearZero: number;
  readonly rotate: boolean;
  readonly axis: number;
}

interface SavedLayer {
  readonly stored: readonly number[];
  readonly layer: LayerSurvey;
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
    let file: { version?: unknown; key?: SurveyKey; layers?: SavedLayer[] };
    try {
      // NaN, the angle of a layer of zeros, is no JSON number: it is kept as null.
      file = JSON.parse(
        new TextDecoder().decode(await readFileChecked(path)),
        (_, value) => value ?? Number.NaN,
      );
    } catch (cause) {
      throw notASurvey(path, cause);
    }
    if (file?.version !== 1 || !Array.isArray(file.layers) || file.key === undefined) throw notASurvey(path);
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

function notASurvey(path: string, cause?: unknown): FormatError {
  return new FormatError('This file holds no survey.', {
    given: path,
    expected: 'a file that --resume wrote',
    where: '--resume',
    remedy: 'name a file that does not exist yet',
    cause,
  });
}

function sortOut(tensors: readonly StoredTensor[]) {
  const skipped: { name: string; reason: string }[] = [];
  const chosen = tensors.filter(({ name, entry: { shape, dtype } }) => {
    const reason =
      shape.length < 2
        ? 'fewer than two dimensions'
        : shape.includes(0)
          ? 'empty'
          : FORMATS[dtype] === undefined
            ? `${dtype}: only F32, F16 and BF16 are measured`
            : undefined;
    if (reason !== undefined) skipped.push({ name, reason });
    return reason === undefined;
  });
  return { chosen, skipped };
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
  for (const { name, reason } of report.skipped) console.log(`left out: ${name} (${reason})`);
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

/** RFC 4180, a line a layer. */
function csvOf(layers: readonly LayerSurvey[]): string {
  const cell = (value: unknown) => {
    const text = value === undefined ? '' : Array.isArray(value) ? value.join('x') : String(value);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const lines = layers.map((layer) => CSV.map((column) => cell(layer[column])).join(','));
  return `${[CSV.join(','), ...lines].join('\r\n')}\r\n`;
}
