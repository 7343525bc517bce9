/** `webgpu-bnn train`: trains a network and leaves a checkpoint and a report. */
import { join } from 'node:path';
import { Presets, SingleBar } from 'cli-progress';
import Table from 'cli-table3';
import { Command } from 'commander';
import { NonFiniteError, OptionError } from '../errors.ts';
import {
  type EpochInfo,
  encodeCheckpoint,
  type GeometrySample,
  GeometryTap,
  type Gpu,
  initialValues,
  type LayerGeometry,
  type LearningRate,
  measureGeometry,
  type StepsInfo,
  sizeOf,
  Trainer,
} from '../index.ts';
import { writeFileAtomic } from '../node/index.ts';
import type { EpochRecord, InitialRecord, RunOptions, RunStory, SampleRecord } from '../reports/story.ts';
import { renderReport, type TrainReport } from '../reports/training.ts';
import { duration, megabytes } from '../reports/words.ts';
import { EXIT } from './exit.ts';
import { madeNow } from './made.ts';
import {
  type AdapterOptions,
  acquire,
  byteCount,
  datasetOption,
  describeAdapter,
  learningRate,
  lossOption,
  modelOption,
  optimizerOption,
  positiveInteger,
  seedNumber,
  withAdapter,
} from './options.ts';
import { emit, jsonText } from './output.ts';
import { loadRun, readRun, trainerOptions } from './runs.ts';

export interface TrainFlags extends RunOptions, AdapterOptions {
  readonly out?: string;
  readonly resume?: string;
  readonly json?: string;
  readonly checkpointEvery?: number;
  readonly tap?: number;
  readonly memoryLimit?: number;
  /** Print nothing. */
  readonly quiet?: boolean;
}

export function trainCommand(): Command {
  return withAdapter(new Command('train'))
    .description('train a binary network')
    .addOption(datasetOption())
    .addOption(modelOption())
    .option('--epochs <n>', 'passes over the training images', positiveInteger, 3)
    .option('--batch <n>', 'images a step', positiveInteger, 100)
    .addOption(optimizerOption())
    .option('--lr <rate>', 'learning rate, or first:last for an exponential decay', learningRate, {
      from: 0.02,
      to: 0.001,
      decay: 'exponential',
    } satisfies LearningRate)
    .addOption(lossOption())
    .option('--seed <n>', 'weights, order of images and augmentation follow from it', seedNumber, 1)
    .option('--fan-scaled', "scale binary weights' steps by their fan (Courbariaux et al. 2016)", false)
    .option('--augment', 'random crops and mirror images (CIFAR-10)', false)
    .option('--train-samples <n>', 'use the first n training images only', positiveInteger)
    .option('--test-samples <n>', 'use the first n test images only', positiveInteger)
    .option('--out <folder>', 'where the files go (default: runs/<dataset>-<model>)')
    .option('--resume <run>', 'go on from a run folder or a checkpoint')
    .option('--checkpoint-every <steps>', 'save within epochs too', positiveInteger)
    .option('--tap <steps>', 'measure the geometry of all filters every so many steps', positiveInteger)
    .option('--memory-limit <bytes>', 'refuse to start if more GPU memory is needed, e.g. 2GB', byteCount)
    .option('--json <file>', "write the report here as well ('-' for standard output)")
    .addHelpText(
      'after',
      `
Examples:
  $ webgpu-bnn train
  $ webgpu-bnn train --model cnn --batch 64 --loss crossEntropy --lr 0.01:0.001
  $ webgpu-bnn train --dataset cifar10 --model binarynet --epochs 100 --batch 50 --lr 1e-3:1e-5 --augment
  $ webgpu-bnn train --tap 50
  $ webgpu-bnn train --resume runs/mnist-mlp`,
    )
    .action(async (flags: TrainFlags, command: Command) => {
      await train(flags, command);
    });
}

/** Trains, or goes on with a run; leaves checkpoint and report in its folder, and an exit code where it was stopped. */
export async function train(flags: TrainFlags, command: Command): Promise<void> {
  const resumed = flags.resume === undefined ? undefined : await readRun(flags.resume);
  const run = resumed === undefined ? runOptions(flags) : mergeOptions(resumed.run, flags, command);
  const out = flags.out ?? resumed?.folder ?? join('runs', `${run.dataset}-${run.model}`);
  const quiet = flags.quiet === true || flags.json === '-';
  const say = (text: string) => {
    if (!quiet) console.log(text);
  };

  const gpu = await acquire(flags);
  say(`adapter   ${describeAdapter(gpu)}`);
  const { data, model } = await loadRun(run);
  say(`data      ${data.name}: ${data.train.count} training and ${data.test.count} test images, checked`);
  say(`\n${model.summary()}\n`);
  // From here on there is something to save.
  const interrupt = interruption(say);
  const trainer = await Trainer.create(gpu, model, data, {
    ...trainerOptions(run),
    ...(flags.memoryLimit === undefined ? {} : { maxBytes: flags.memoryLimit }),
  });
  say(
    `memory    ${megabytes(trainer.plan.peakBytes)} on the GPU, ${megabytes(trainer.plan.activations)} of it activations`,
  );

  const epochs: EpochRecord[] = [...(resumed?.epochs ?? [])];
  if (resumed !== undefined) {
    await trainer.restore(resumed.checkpoint);
    say(`resumed   at step ${trainer.progress.step}, epoch ${trainer.progress.epoch + 1} of ${run.epochs}`);
  }

  const initial: InitialRecord =
    resumed?.initial ??
    (await measureGeometry(trainer.network)).map(({ name, meanAngle }) => ({
      name,
      angleDegrees: meanAngle,
    }));

  const samples: SampleRecord[] = [...(resumed?.samples ?? [])];
  const tap =
    flags.tap === undefined
      ? undefined
      : await GeometryTap.create(trainer.network, {
          onSample: (sample) => samples.push(sampleRecord(sample)),
          start: initialValues(model, run.seed),
        });

  const progress = new ProgressLine(quiet, trainer.batches);
  const file = join(out, 'checkpoint.safetensors');
  const result = await trainer
    .fit({
      signal: interrupt.signal,
      ...(tap === undefined || flags.tap === undefined
        ? {}
        : { tap: { everySteps: flags.tap, encode: tap.encode } }),
      onSteps: (info) => progress.update(info),
      onEpoch: async (info) => {
        progress.endEpoch(info, run.epochs);
        epochs.push(await epochRecord(trainer, info));
      },
      checkpoint: {
        ...(flags.checkpointEvery === undefined ? {} : { everySteps: flags.checkpointEvery }),
        save: async (checkpoint) => {
          const story: RunStory = { run, initial, epochs, samples };
          await writeFileAtomic(file, encodeCheckpoint(checkpoint, { story: JSON.stringify(story) }));
        },
      },
    })
    .finally(() => {
      progress.stop();
      interrupt.release();
    });

  if (result.outcome === 'aborted') {
    say(
      `\nStopped after step ${result.step}; everything is saved.\nGo on with:  webgpu-bnn train --resume ${out}`,
    );
    process.exitCode = EXIT.interrupted;
    return;
  }
  const report = await makeReport(trainer, gpu, { run, initial, epochs, samples });
  const json = jsonText(report, 2);
  await writeFileAtomic(join(out, 'report.json'), json);
  await writeFileAtomic(join(out, 'report.html'), renderReport(report));
  await emit(json, flags.json);

  say(`\n${layerTable(report)}`);
  say(`test accuracy   ${(100 * report.finalTestAccuracy).toFixed(2)} %`);
  say(`speed           ${report.imagesPerSecond.toFixed(0)} images a second`);
  say(`weights         sha256 ${report.weightsSha256}`);
  say(`files           ${join(out, '{checkpoint.safetensors, report.json, report.html}')}`);
  tap?.dispose();
  trainer.dispose();
  gpu.dispose();
}

function runOptions(flags: TrainFlags): RunOptions {
  const { dataset, model, epochs, batch, optimizer, lr, loss, seed, fanScaled, augment } = flags;
  const { trainSamples, testSamples } = flags;
  return {
    ...{ dataset, model, epochs, batch, optimizer, lr, loss, seed, fanScaled, augment },
    ...(trainSamples === undefined ? {} : { trainSamples }),
    ...(testSamples === undefined ? {} : { testSamples }),
  };
}

/** A resumed run keeps its options; one that is given again must say the same. */
function mergeOptions(saved: RunOptions, flags: TrainFlags, command: Command): RunOptions {
  const given = runOptions(flags);
  for (const [name, value] of Object.entries(given) as [keyof RunOptions, unknown][]) {
    const explicit = command.getOptionValueSource(name) === 'cli';
    const flag = `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    if (explicit && JSON.stringify(saved[name]) !== JSON.stringify(value)) {
      throw new OptionError('A resumed run keeps the options that it was started with.', {
        given: `${flag} ${JSON.stringify(value)}`,
        expected: JSON.stringify(saved[name]),
        where: '--resume',
        remedy: `leave ${flag} away, or start a new run without --resume`,
      });
    }
  }
  return saved;
}

async function epochRecord(trainer: Trainer, info: EpochInfo): Promise<EpochRecord> {
  const geometry = await measureGeometry(trainer.network);
  const broken = geometry.find(({ nonFinite }) => nonFinite > 0);
  if (broken !== undefined) {
    throw new NonFiniteError(
      "A layer's weights are not finite numbers; the last checkpoint is from before.",
      {
        given: `${broken.nonFinite} weights of ${broken.name}, after epoch ${info.epoch}`,
        where: broken.name,
        remedy: 'use a lower learning rate',
      },
    );
  }
  const ratios = await flipRatios(trainer);
  return {
    ...info,
    layers: geometry.map(({ name, meanAngle, expectedAngle }) => ({
      name,
      angleDegrees: meanAngle,
      angleExpected: expectedAngle,
      flipRatio: ratios.get(name) ?? 0,
    })),
  };
}

/** What the report keeps of a sample: means over the filters of each layer. */
function sampleRecord({ step, layers }: GeometrySample): SampleRecord {
  return {
    step,
    layers: layers.map((layer) => ({
      name: layer.name,
      angleDegrees: layer.meanAngle,
      angleSd: layer.sdAngle,
      scale: layer.meanScale,
      deviation: layer.meanDeviation,
      kurtosis: layer.meanKurtosis,
      positiveShare: layer.positiveShare,
      signEntropy: layer.signEntropy,
      nearZero: layer.nearZero,
      saturated: layer.saturated,
      flipped: layer.flipped,
      flippedSinceStart: layer.flippedSinceStart,
      age: layer.meanAge,
    })),
  };
}

/** Mean share of a layer's weights that changed sign in a step (Larq's FlipRatio), over the epoch so far. */
async function flipRatios(trainer: Trainer): Promise<Map<string, number>> {
  const { steps, counts } = await trainer.flips();
  const ratios = new Map<string, number>();
  for (const [name, flips] of counts) {
    const weights = sizeOf(trainer.network.parameters.get(name)?.spec.shape ?? []);
    ratios.set(name, flips.reduce((sum, count) => sum + count, 0) / (weights * Math.max(1, steps)));
  }
  return ratios;
}

async function makeReport(
  trainer: Trainer,
  gpu: Gpu,
  { run, initial, epochs, samples = [] }: RunStory,
): Promise<TrainReport> {
  const geometry = await measureGeometry(trainer.network);
  const last = epochs.at(-1);
  const seconds = epochs.reduce((sum, epoch) => sum + epoch.seconds, 0);
  const images = trainer.batches * run.batch * epochs.length;
  const { dataset, model, seed, ...options } = run;
  return {
    version: 1,
    made: madeNow(),
    adapter: { name: describeAdapter(gpu), ...gpu.adapter },
    dataset,
    model,
    seed,
    options,
    initial,
    epochs,
    ...(samples.length === 0 ? {} : { samples }),
    finalTestAccuracy: last?.testAccuracy ?? 0,
    imagesPerSecond: images / seconds,
    peakGpuBytes: gpu.memory.peakBytes,
    weightsSha256: await trainer.network.hash(),
    layers: geometry.map((layer) => ({
      name: layer.name,
      shape: [...layer.shape],
      bits: 1,
      filters: layer.filters,
      fanIn: layer.dimension,
      angleDegrees: layer.meanAngle,
      angleSd: layer.sdAngle,
      angleExpected: layer.expectedAngle,
      flipRatio: last?.layers.find(({ name }) => name === layer.name)?.flipRatio ?? 0,
      angles: histogram(layer),
    })),
    seconds,
  };
}

const ANGLE_BINS = { from: 0, to: 90, count: 180 };

function histogram({ angles }: LayerGeometry): { from: number; to: number; counts: number[] } {
  const { from, to, count } = ANGLE_BINS;
  const counts = new Array<number>(count).fill(0);
  for (const angle of angles) {
    const bin = Math.min(count - 1, Math.max(0, Math.floor(((angle - from) / (to - from)) * count)));
    counts[bin] = (counts[bin] ?? 0) + 1;
  }
  return { from, to, counts };
}

function layerTable(report: TrainReport): string {
  const table = new Table({
    head: ['layer', 'shape', 'bits', 'angle to sign', 'expected', 'flips a step'],
    colAligns: ['left', 'left', 'right', 'right', 'right', 'right'],
    style: { head: [], border: [] },
  });
  for (const layer of report.layers) {
    table.push([
      layer.name,
      layer.shape.join(' x '),
      layer.bits,
      `${layer.angleDegrees.toFixed(2)} ± ${layer.angleSd.toFixed(2)}°`,
      `${layer.angleExpected.toFixed(2)}°`,
      layer.flipRatio.toExponential(2),
    ]);
  }
  return table.toString();
}

/** A bar where there is a terminal, and a line an epoch where there is none. */
class ProgressLine {
  readonly #bar: SingleBar | undefined;
  readonly #quiet: boolean;

  constructor(quiet: boolean, batches: number) {
    this.#quiet = quiet;
    if (!quiet && process.stdout.isTTY) {
      this.#bar = new SingleBar(
        {
          format:
            'epoch {epoch} {bar} {percentage}%  loss {loss}  accuracy {accuracy} %  {rate} images/s  {left} left',
          etaBuffer: 50,
          hideCursor: true,
        },
        Presets.shades_classic,
      );
      this.#bar.start(batches, 0, { epoch: '', loss: '-', accuracy: '-', rate: '-', left: '-' });
    }
  }

  update(info: StepsInfo): void {
    const imagesPerStep = info.imagesPerSecond > 0 ? (info.latest.at(-1)?.count ?? 0) : 0;
    const steps = (info.epochs - info.epoch + 1) * info.batches - info.batch;
    this.#bar?.update(info.batch, {
      epoch: `${info.epoch}/${info.epochs}`,
      loss: info.loss.toFixed(4),
      accuracy: (100 * info.accuracy).toFixed(2),
      rate: info.imagesPerSecond.toFixed(0),
      left: duration((steps * imagesPerStep) / info.imagesPerSecond),
    });
  }

  endEpoch(info: EpochInfo, epochs: number): void {
    if (this.#quiet) return;
    const text =
      `epoch ${info.epoch}/${epochs}  loss ${info.trainLoss.toFixed(4)}  accuracy ${(100 * info.trainAccuracy).toFixed(2)} %` +
      `  test ${(100 * info.testAccuracy).toFixed(2)} %  ${info.imagesPerSecond.toFixed(0)} images/s  ${duration(info.seconds)}`;
    if (this.#bar === undefined) console.log(text);
    else process.stdout.write(`\r\x1b[K${text}\n`);
  }

  stop(): void {
    this.#bar?.stop();
  }
}

/** Ctrl-C asks for a stop after the step; a second one ends at once. */
function interruption(say: (text: string) => void): { signal: AbortSignal; release: () => void } {
  const controller = new AbortController();
  const onSignal = () => {
    if (controller.signal.aborted) process.exit(EXIT.interrupted);
    controller.abort();
    say('\nstopping after this step and saving (again to end at once)');
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return {
    signal: controller.signal,
    release: () => {
      process.off('SIGINT', onSignal);
      process.off('SIGTERM', onSignal);
    },
  };
}
