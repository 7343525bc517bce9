/** `webgpu-bnn paper`: the claims of Anderson & Berg (2018) about binary networks, measured on one. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Command, type Option } from 'commander';
import { OptionError } from '../errors.ts';
import { CHECKPOINT_FILE } from '../formats/checkpoint.ts';
import { measurePredictors } from '../geometry/predictors.ts';
import {
  type Comparison,
  type Dataset,
  fewBitCurves,
  type Gpu,
  judgeClaims,
  type LayerGeometry,
  type LayerProportionality,
  type LearningRate,
  type MeanOfFilters,
  type Measurements,
  type Model,
  measureGeometry,
  measureProportionality,
  measureRotationGain,
  Network,
  randomAngles,
  refitNormalization,
  rotationExample,
  samplesOf,
  sdAngleDegrees,
  testAccuracy,
  withContinuousWeights,
} from '../index.ts';
import { writeFileAtomic } from '../node/index.ts';
import { npx } from '../npx.ts';
import { densityOf } from '../numerics/density.ts';
import { type PaperReport, renderPaper } from '../reports/paper.ts';
import type { PaperLayer } from '../reports/paper-figures.ts';
import type { RunOptions } from '../reports/story.ts';
import { madeNow } from './made.ts';
import {
  type AdapterOptions,
  acquire,
  datasetOption,
  describeAdapter,
  jsonOption,
  learningRate,
  lossOption,
  modelOption,
  optimizerOption,
  positiveInteger,
  seedNumber,
  withAdapter,
} from './options.ts';
import { assertFree, assertOurs, emit, jsonText } from './output.ts';
import { checkpointPath, loadNamedRun, readRun } from './runs.ts';
import { ofRun, PAPER_FILES, train } from './train.ts';

interface Flags extends AdapterOptions, Partial<RunOptions> {
  readonly out?: string;
  readonly overwrite?: boolean;
  readonly images: number;
  readonly refit: number;
  readonly json?: string;
}

export function paperCommand(): Command {
  return withAdapter(new Command('paper'))
    .description(
      'train a network, or take a trained one, and measure the claims of Anderson & Berg (2018) on it',
    )
    .argument('[run]', `a run folder, or a ${CHECKPOINT_FILE}; without it, a network is trained`)
    .addOption(withoutDefault(datasetOption(), 'cifar10 on a GPU, mnist without'))
    .addOption(withoutDefault(modelOption(), "the paper's binarynet on a GPU, mlp without"))
    .option(
      '--epochs <n>',
      'passes over the training images (default: 100 on a GPU, 3 without)',
      positiveInteger,
    )
    .option('--batch <n>', 'images a step (default: 50 on a GPU, 100 without)', positiveInteger)
    .addOption(optimizerOption())
    .option('--lr <rate>', 'learning rate, or first:last for an exponential decay', learningRate)
    .addOption(lossOption())
    .option('--seed <n>', 'everything random follows from it', seedNumber, 1)
    .option('--train-samples <n>', 'train on the first n training images only', positiveInteger)
    .option('--test-samples <n>', 'test on the first n test images only', positiveInteger)
    .option('--images <n>', 'test images that dot products are compared on', positiveInteger, 500)
    .option('--refit <n>', 'training images that batch normalisation is refitted on', positiveInteger, 2000)
    .option('--out <folder>', 'where the files go (default: the run, or runs/paper-<dataset>-<model>)')
    .option('--overwrite', 'train anew where a run is saved, and replace paper.html and paper.json')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Leaves paper.html and paper.json: every claim, the closed form, the measured value and a verdict. Training that was
stopped goes on where it stopped when its folder is given.

Examples:
  $ webgpu-bnn paper                                    what this machine can do in reasonable time
  $ webgpu-bnn paper --dataset mnist --model cnn --epochs 2
  $ webgpu-bnn paper runs/mnist-mlp --out mlp-paper     a network that webgpu-bnn train trained
  $ webgpu-bnn paper --dataset cifar10 --model binarynet --epochs 500 --batch 50 --lr 1e-3:3e-7`,
    )
    .action(paper);
}

/** An option that follows from the machine where it isn't given. */
function withoutDefault(option: Option, text: string): Option {
  option.description += ` (default: ${text})`;
  return option.default(undefined);
}

/** What is trained where there is nothing to take, by whether there is a GPU. */
const DEFAULTS = {
  hardware: { dataset: 'cifar10', model: 'binarynet', epochs: 100, batch: 50, lr: decay(1e-3, 1e-6) },
  software: { dataset: 'mnist', model: 'mlp', epochs: 3, batch: 100, lr: decay(0.02, 0.001) },
} as const;

async function paper(path: string | undefined, flags: Flags, command: Command): Promise<void> {
  const quiet = flags.json === '-';
  const say = (text: string) => {
    if (!quiet) console.log(text);
  };
  if (path !== undefined) {
    const out = flags.out ?? (await checkpointPath(path)).folder;
    assertOurs(out, '--out', ofRun(path));
    assertFree(filesIn(out), flags, '--out');
  }
  const folder =
    path === undefined ? await trainAnew(flags, command, quiet) : await finish(path, flags, command, quiet);
  // Stopped, and saved: there is nothing to measure yet.
  if (folder === undefined) return;

  const { folder: home, run, epochs, checkpoint } = await readRun(folder);
  const { data, model } = await loadNamedRun(run);
  const values = new Map(
    [...checkpoint.tensors].flatMap(([name, { data: array }]) =>
      array instanceof Float32Array ? [[name, array] as const] : [],
    ),
  );
  const gpu = await acquire(flags);
  try {
    say(`\nmeasuring ${model.name} on ${data.name}`);
    const started = performance.now();
    const measured = await measure(gpu, model, data, values, flags, say);
    const report: PaperReport = {
      version: 1,
      made: madeNow(),
      adapter: { name: describeAdapter(gpu), software: gpu.adapter.software },
      run,
      epochs: epochs.length,
      ...measured,
      seconds: (performance.now() - started) / 1000,
    };
    const out = flags.out ?? home;
    const json = jsonText(report, 1);
    const [jsonFile, htmlFile] = filesIn(out);
    await writeFileAtomic(jsonFile, json);
    await writeFileAtomic(htmlFile, renderPaper(report));
    await emit(json, flags.json);
    for (const { about, claim, expected, measured: found, verdict, reason } of report.claims) {
      const check = about === 'instrument' ? ' (check of the instrument)' : '';
      say(
        `\n${verdict.toUpperCase()}${check}: ${claim}\n  theory    ${expected}\n  measured  ${found}\n  ${reason}`,
      );
    }
    say(`\nfiles     ${join(out, '{paper.html, paper.json}')}`);
  } finally {
    gpu.dispose();
  }
}

/** What is left in a folder. */
function filesIn(folder: string) {
  return [join(folder, PAPER_FILES.json), join(folder, PAPER_FILES.html)] as const;
}

/** Trains a network. @returns its folder; undefined where it was stopped */
async function trainAnew(flags: Flags, command: Command, quiet: boolean): Promise<string | undefined> {
  const gpu = await acquire(flags);
  const defaults = gpu.adapter.software ? DEFAULTS.software : DEFAULTS.hardware;
  gpu.dispose();
  const run = {
    ...defaults,
    optimizer: 'adam' as const,
    loss: 'squaredHinge' as const,
    seed: 1,
    fanScaled: false,
    augment: false,
    ...given(flags),
  };
  const out = flags.out ?? join('runs', `paper-${run.dataset}-${run.model}`);
  if (existsSync(join(out, CHECKPOINT_FILE)) && flags.overwrite !== true) {
    throw new OptionError('There is a saved run in this folder already.', {
      given: out,
      where: '--out',
      remedy: `measure it, and go on with it if it was stopped: ${npx(`paper ${out}`)}; replace it: --overwrite; or keep it, and name another folder: --out`,
    });
  }
  assertFree(filesIn(out), flags, '--out');
  const overwrite = flags.overwrite === true;
  return trainInto(out, { ...adapterOf(flags), ...run, out, overwrite, quiet }, command);
}

/** Goes on with a run that was stopped. @returns its folder; undefined where it was stopped again */
async function finish(
  path: string,
  flags: Flags,
  command: Command,
  quiet: boolean,
): Promise<string | undefined> {
  const { folder, run, epochs } = await readRun(path);
  for (const [name, value] of Object.entries(given(flags)) as [keyof RunOptions, unknown][]) {
    if (command.getOptionValueSource(name) === 'cli' && JSON.stringify(run[name]) !== JSON.stringify(value)) {
      throw new OptionError('A run keeps the options that it was trained with.', {
        given: `${name} = ${JSON.stringify(value)}`,
        expected: JSON.stringify(run[name]),
        where: path,
        remedy: 'leave the option away, or train another network without naming a run',
      });
    }
  }
  if (epochs.length >= run.epochs) return path;
  return trainInto(folder, { ...adapterOf(flags), ...run, out: folder, resume: path, quiet }, command);
}

async function trainInto(
  folder: string,
  flags: Parameters<typeof train>[0],
  command: Command,
): Promise<string | undefined> {
  await train(flags, command);
  if (process.exitCode !== undefined && process.exitCode !== 0) {
    if (!flags.quiet) console.log(`Or train and measure with:  ${npx(`paper ${folder}`)}`);
    return undefined;
  }
  return folder;
}

/** The training options that were given. */
function given(flags: Flags): Partial<RunOptions> {
  const { dataset, model, epochs, batch, optimizer, lr, loss, seed, trainSamples, testSamples } = flags;
  const all = { dataset, model, epochs, batch, optimizer, lr, loss, seed, trainSamples, testSamples };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

function adapterOf({ adapter, toggles }: AdapterOptions): AdapterOptions {
  return toggles === undefined ? { adapter } : { adapter, toggles };
}

function decay(from: number, to: number): LearningRate {
  return { from, to, decay: 'exponential' };
}

/** Parameters by name. */
type Values = ReadonlyMap<string, Float32Array>;

const LATENT_BINS = 80;

async function measure(
  gpu: Gpu,
  model: Model,
  data: Dataset,
  values: Values,
  flags: Flags,
  say: (text: string) => void,
) {
  const named = new Set(
    model.layers.flatMap(({ name, parameters }) => parameters.map((spec) => `${name}/${spec.name}`)),
  );
  const weights = new Map([...values].filter(([name]) => named.has(name)));
  using network = await Network.create(gpu, model, { values: weights });
  say('  angles, rotations and thresholds of every filter');
  const geometry = await measureGeometry(network);
  const gains = await measureRotationGain(network);
  const curves = await fewBitCurves(network);
  const random = await randomAngles(gpu, [3, 10, 27]);
  const rotation = await rotationExample(gpu, [10, 20, 50, 100, 200, 500]);

  const images = Math.min(flags.images, data.test.count);
  say(`  dot products of ${images} test images, real and permuted`);
  const proportionality = await measureProportionality(network, samplesOf(data, 'test', { count: images }), {
    seed: flags.seed ?? 1,
  });

  say('  overlaps, hulls and binary twins as predictors');
  const predictors = await measurePredictors(network, data, { seed: flags.seed ?? 1 });

  const refit = Math.min(flags.refit, data.train.count);
  const refitSamples = samplesOf(data, 'train', { count: refit });
  const accuracyOf = async (variant: Model) => {
    using swapped = await Network.create(gpu, variant, { values: weights });
    await refitNormalization(swapped, refitSamples);
    return await testAccuracy(data, (samples) => swapped.predict(samples));
  };
  say(`  accuracy on ${data.test.count} test images, statistics refitted on ${refit} training images`);
  const trained = await testAccuracy(data, (samples) => network.predict(samples));
  const binary = await accuracyOf(model);
  say(`    all binary   ${percent(binary)} (as trained ${percent(trained)})`);
  const layers: PaperLayer[] = [];
  for (const one of proportionality) {
    const angles = geometry.find(({ name }) => name === `${one.name}/kernel`);
    const gain = gains.find(({ name }) => name === `${one.name}/kernel`);
    if (angles === undefined || gain === undefined) continue;
    const continuousAccuracy = await accuracyOf(withContinuousWeights(model, one.name));
    say(`    ${one.name} continuous   ${percent(continuousAccuracy)}`);
    layers.push(paperLayer(one, angles, gain.rotatedAngle, weights, continuousAccuracy));
  }
  const measurements: Measurements = {
    layers: layers.map(({ proportionality: pairs, ...layer }) => ({
      ...layer,
      meanCosine: pairs.meanCosine,
      r: meanR(pairs.weights),
      permutedR: meanR(pairs.permuted?.weights),
      activationsR: pairs.activations && meanR(pairs.activations),
    })),
    accuracy: binary,
    images: data.test.count,
    random,
    rotation,
  };
  return {
    accuracy: { trained, refitted: binary, images: data.test.count, refittedOn: refit },
    claims: judgeClaims(measurements),
    layers,
    curves,
    random,
    rotation,
    predictors,
  };
}

function meanR(comparison: Pick<Comparison, 'meanR' | 'errorR'> | undefined): MeanOfFilters {
  return { mean: comparison?.meanR ?? Number.NaN, error: comparison?.errorR ?? Number.NaN };
}

function paperLayer(
  proportionality: LayerProportionality,
  { angles, meanAngle, sdAngle, expectedAngle }: LayerGeometry,
  rotatedAngle: number,
  weights: Values,
  continuousAccuracy: number,
): PaperLayer {
  const { name, shape, filters, dimension } = proportionality;
  const latent = weights.get(`${name}/kernel`) ?? new Float32Array();
  // Latent weights are clipped to [-1, 1], unless a run said otherwise.
  const most = latent.reduce((largest, w) => Math.max(largest, Math.abs(w)), 0);
  const range = most > 1.0001 ? most : 1;
  return {
    name,
    shape,
    filters,
    dimension,
    meanAngle,
    sdAngle,
    expectedAngle,
    expectedSd: sdAngleDegrees(dimension),
    rotatedAngle,
    angles: { from: 0, to: 90, counts: densityOf(angles, 0, 90, 180) },
    latent: { from: -range, to: range, counts: densityOf(latent, -range, range, LATENT_BINS) },
    proportionality,
    continuousAccuracy,
  };
}

function percent(share: number): string {
  return `${(100 * share).toFixed(2)} %`;
}
