/** `webgpu-bnn geometry`: what binarizing a stored model would do to every one of its filters. */
import { Presets, SingleBar } from 'cli-progress';
import Table from 'cli-table3';
import { Command } from 'commander';
import { MemoryPlanError } from '../errors.ts';
import { FilterSurvey, type LayerSurvey } from '../geometry/survey.ts';
import { writeFileAtomic } from '../node/index.ts';
import { openModel, type StoredTensor } from '../node/safetensors.ts';
import type { WeightFormat } from '../ops/geometry.ts';
import { spreadSlope } from '../reference/geometry.ts';
import { renderGeometry } from './geometry-report.ts';
import { type AdapterOptions, acquire, byteCount, describeAdapter, withAdapter } from './options.ts';
import { emit, megabytes } from './output.ts';

interface Flags extends AdapterOptions {
  readonly memory: number;
  readonly nearZero: number;
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
    .option('--json <file>', "write everything here as well ('-' for standard output)")
    .option('--csv <file>', 'write the table here as well')
    .option('--html <file>', 'write a report with charts as well')
    .option('--quiet', 'print no progress and no table')
    .addHelpText(
      'after',
      `
Every float tensor (F32, F16, BF16) of two dimensions or more is taken as filters along its first axis.

Examples:
  $ webgpu-bnn geometry model.safetensors
  $ webgpu-bnn geometry runs/mnist-mlp --html geometry.html
  $ webgpu-bnn geometry llama/ --memory 512MB --json geometry.json`,
    )
    .action(run);
}

const FORMATS: Readonly<Record<string, WeightFormat>> = { F32: 'f32', F16: 'f16', BF16: 'bf16' };

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
    using survey = new FilterSurvey(gpu, { memory: flags.memory, nearZero: flags.nearZero });
    let bytes = 0;
    try {
      for (const { name, entry, file } of chosen) {
        const format = FORMATS[entry.dtype] ?? 'f32';
        const read = (offset: number, into: Uint8Array<ArrayBuffer>) => file.read(entry, offset, into);
        try {
          layers.push(
            await survey.measure({ name, shape: entry.shape, format, read }, (chunk) => {
              bytes += chunk;
              bar?.update(bytes / 2 ** 20, { name });
            }),
          );
        } catch (error) {
          // One filter that is too long is no reason to leave the others unmeasured.
          if (!(error instanceof MemoryPlanError)) throw error;
          skipped.push({ name, reason: `${error.what} ${error.remedy ?? ''}`.trim() });
        }
      }
    } finally {
      bar?.stop();
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
  const table = new Table({
    head: ['layer', 'shape', 'type', 'angle to sign', 'expected', 'scale', 'kurtosis', 'signs +1', 'near 0'],
    colAligns: ['left', 'left', 'left', 'right', 'right', 'right', 'right', 'right', 'right'],
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
      or(layer.meanScale.toPrecision(3)),
      or(layer.meanKurtosis.toFixed(2)),
      or(`${(100 * layer.positiveShare).toFixed(1)} %`),
      or(`${(100 * layer.nearZeroShare).toFixed(1)} %`),
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
    const text = Array.isArray(value) ? value.join('x') : String(value);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const lines = layers.map((layer) => CSV.map((column) => cell(layer[column])).join(','));
  return `${[CSV.join(','), ...lines].join('\r\n')}\r\n`;
}
