/** `webgpu-bnn train`: trains a network and leaves a checkpoint and a report. */

import { existsSync, realpathSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Presets, SingleBar } from 'cli-progress';
import Table from 'cli-table3';
import { Command, Option } from 'commander';
import { MemoryPlanError, OptionError } from '../errors.ts';
import { CHECKPOINT_FILE } from '../formats/checkpoint.ts';
import {
  AUGMENTATION_NAMES,
  bestEpoch,
  type Checkpoint,
  decodeCheckpoint,
  type EpochInfo,
  earlyStopping,
  encodeCheckpoint,
  GeometryTap,
  type Halving,
  initialValues,
  isPatienceOver,
  keepBest,
  type LearningRate,
  MONITORS,
  measureGeometry,
  monitored,
  type StepsInfo,
  Trainer,
  unfoldForTraining,
} from '../index.ts';
import { openQueue } from '../nats/index.ts';
import { type OwnData, readFileChecked, writeFileAtomic } from '../node/index.ts';
import { lockFolder } from '../node/lock.ts';
import { LOG_FILES, TrainingLog } from '../node/training-log.ts';
import { npx } from '../npx.ts';
import { epochRecord, makeReport, sampleRecord } from '../reports/recording.ts';
import type { EpochRecord, InitialRecord, RunOptions, RunStory, SampleRecord } from '../reports/story.ts';
import { optionText, renderReport, type TrainReport } from '../reports/training.ts';
import { duration, megabytes } from '../reports/words.ts';
import { withEpochs } from '../train/progress.ts';
import { EXIT } from './exit.ts';
import { assertMatches, loadStart, patterns, ratesOf, withHead } from './fine-tuning.ts';
import { type ReadableModel, readModel } from './imported.ts';
import { madeNow } from './made.ts';
import { type NatsFlags, sayQueue, serverOf, shownServer, withNats } from './nats.ts';
import {
  type AdapterOptions,
  acquire,
  augmentations,
  type ByteLimit,
  byteLimit,
  bytesIn,
  classWeights,
  clipping,
  describeAdapter,
  halved,
  jsonOption,
  lossOption,
  optimizerOption,
  positiveInteger,
  positiveNumber,
  rateOption,
  seedNumber,
  withAdapter,
} from './options.ts';
import { assertFree, assertOurs, emit, type FolderContent, jsonText } from './output.ts';
import {
  anyDatasetOption,
  assertBeside,
  assertTested,
  describeData,
  isNamed,
  keptOf,
  type OwnFlags,
  readingOf,
  readOwnData,
  shareOf,
  withOwnData,
} from './own-data.ts';
import { anyModelOption, isPath, modelOfFlags, modelOptionsOption, nameOfModel } from './own-models.ts';
import { BEST_FILE, loadRun, readRun, type SavedRun, trainerOptions } from './runs.ts';
import { type Voters, votersHere, votersThere } from './votes.ts';

export interface TrainFlags
  extends Omit<RunOptions, 'own' | 'description'>,
    AdapterOptions,
    OwnFlags,
    NatsFlags {
  readonly lrHalveEvery?: number;
  readonly out?: string;
  readonly resume?: string;
  /** Replace a saved run. */
  readonly overwrite?: boolean;
  readonly json?: string;
  readonly checkpointEvery?: number;
  readonly tap?: number;
  /** A run or a model file whose weights, and network, are started from. */
  readonly from?: string;
  readonly latents?: number;
  readonly rateOf?: readonly (readonly [string, number])[];
  /** Default 10. */
  readonly logEvery?: number;
  /** Write the report after every epoch. */
  readonly watch?: boolean;
  readonly lrDecay?: 'exponential' | 'linear' | 'cosine';
  readonly lrWarmup?: number;
  readonly lrRestarts?: number;
  readonly memoryLimit?: ByteLimit;
  /** Print nothing. */
  readonly quiet?: boolean;
  /** Seconds. */
  readonly votesDeadline?: number;
}

export function trainCommand(): Command {
  return withNats(
    withAdapter(withOwnData(new Command('train'))),
    'with --votes: let workers vote, which take seats from this server',
  )
    .description('train a binary network')
    .addOption(anyDatasetOption('mnist'))
    .addOption(anyModelOption())
    .addOption(modelOptionsOption())
    .option(
      '--from <run or file>',
      'start from the weights of a run, .safetensors, .onnx or .tflite; its network, with a head for the classes, unless --model says another',
    )
    .option(
      '--latents <size>',
      'where latent weights start of which the file has signs alone (default: 0.25)',
      positiveNumber,
    )
    .option('--freeze <names>', 'leave parameters as they are, as conv*,dense1/kernel', patterns)
    .option('--rate-of <name=factor>', 'multiply the learning rate of parameters, as conv*=0.1', ratesOf)
    .option('--epochs <n>', 'passes over the training images', positiveInteger, 3)
    .option('--batch <n>', 'images a step', positiveInteger, 100)
    .addOption(optimizerOption())
    .addOption(rateOption('learning rate, or first:last for an exponential decay'))
    .option(
      '--lr-halve-every <epochs>',
      'halve the first learning rate every so many epochs',
      positiveInteger,
    )
    .addOption(
      new Option('--lr-decay <kind>', 'how the learning rate goes from the first to the last').choices([
        'exponential',
        'linear',
        'cosine',
      ]),
    )
    .option('--lr-warmup <epochs>', 'rise to the first learning rate in so many epochs', positiveNumber)
    .option('--lr-restarts <n>', 'go from the first to the last learning rate n times more', positiveInteger)
    .option(
      '--clip <most>',
      'clip gradients: to a length of all together, as 1; or each element, as value:0.1',
      clipping,
    )
    .option(
      '--votes <n>',
      'reduce gradients to signs that n trainers decide on by majority: each has an nth of the samples and of the batch',
      positiveInteger,
    )
    .option(
      '--votes-deadline <seconds>',
      'with --nats: how long a trainer may say nothing before a step goes on without it (default: 30)',
      positiveNumber,
    )
    .option(
      '--refit-statistics',
      'measure the statistics of batch normalisation anew at the end, with the final weights',
    )
    .addOption(lossOption())
    .option(
      '--validation <share>',
      'keep a share of the training samples to judge by, as 0.1, of each class',
      shareOf,
    )
    .option('--patience <epochs>', 'stop after so many epochs without an improvement', positiveInteger)
    .addOption(
      new Option(
        '--monitor <number>',
        'what is judged (default: the loss on samples for validation, or else for tests)',
      ).choices([...MONITORS]),
    )
    .option('--keep-best', 'keep the best epoch, too: best.safetensors, which other commands use')
    .option(
      '--class-weights <list>',
      'what each class weighs: balanced, or numbers between commas',
      classWeights,
    )
    .option('--seed <n>', 'weights, order of images and augmentation follow from it', seedNumber, 1)
    .option('--fan-scaled', "scale binary weights' steps by their fan (Courbariaux et al. 2016)", false)
    .addOption(
      new Option(
        '--augment [list]',
        `what is done at random to training images, as crop:4,flip,rotate:10 (${AUGMENTATION_NAMES.join(', ')}); without a list, crops, and mirror images but of digits`,
      )
        .argParser(augmentations)
        .default(false, 'nothing'),
    )
    .option('--train-samples <n>', 'use the first n training images only', positiveInteger)
    .option('--test-samples <n>', 'use the first n test images only', positiveInteger)
    .option('--out <folder>', 'where the files go (default: runs/<dataset>-<model>)')
    .option(
      '--resume <run>',
      'go on from a run folder or a checkpoint; with more --epochs than it had, beyond its end',
    )
    .option('--overwrite', 'replace the run that is saved in the folder')
    .option('--checkpoint-every <steps>', 'save within epochs too', positiveInteger)
    .option(
      '--log-every <steps>',
      'steps between two lines of log.jsonl and TensorBoard',
      positiveInteger,
      10,
    )
    .option('--watch', 'write report.html after every epoch, as a page that loads itself again')
    .option('--tap <steps>', 'measure the geometry of all filters every so many steps', positiveInteger)
    .option('--memory-limit <bytes>', 'refuse to start if more GPU memory is needed, e.g. 2GB', byteLimit)
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Examples:
  $ webgpu-bnn train
  $ webgpu-bnn train --model cnn --batch 64 --loss crossEntropy --lr 0.01:0.001
  $ webgpu-bnn train --dataset cifar10 --model binarynet --epochs 100 --batch 50 --lr 1e-3:1e-5 --augment
  $ webgpu-bnn train --dataset fashion-mnist --model cnn --augment shift:0.05,flip,rotate:5,cutout:6,mixup
  $ webgpu-bnn train --model tfc --lr 0.02 --lr-halve-every 40 --epochs 1000
  $ webgpu-bnn train --model mlp --model-options units=256
  $ webgpu-bnn train --model ./model.js
  $ webgpu-bnn train --dataset ./flowers --size 32 --from runs/birds --freeze 'conv*' --rate-of 'dense*=0.1'
  $ webgpu-bnn train --tap 50
  $ webgpu-bnn train --dataset ./flowers --size 32 --model cnn
  $ webgpu-bnn train --dataset iris.csv --label species --epochs 30 --batch 10
  $ webgpu-bnn train --dataset houses.csv --label price --regression --batch 20
  $ webgpu-bnn train --validation 0.1 --patience 5 --keep-best --epochs 100 --watch
  $ webgpu-bnn train --lr 0.01:0 --lr-decay cosine --lr-warmup 1 --lr-restarts 3 --clip 1
  $ webgpu-bnn train --votes 4 --batch 200
  $ webgpu-bnn train --votes 4 --batch 200 --nats nats://host
  $ webgpu-bnn train --resume runs/mnist-mlp
  $ webgpu-bnn train --resume runs/mnist-mlp --epochs 10`,
    )
    .action(async (flags: TrainFlags, command: Command) => {
      await train(flags, command);
    });
}

/** Trains, or goes on with a run; leaves checkpoint and report in its folder, and an exit code where it was stopped. */
export async function train(flags: TrainFlags, command: Command): Promise<void> {
  if (flags.resume !== undefined && flags.from !== undefined) {
    throw new OptionError('A run that is gone on with has its weights.', {
      given: `--resume ${flags.resume} --from ${flags.from}`,
      remedy: 'leave --resume away to start a new run from these weights, or --from to go on',
    });
  }
  const resumed = flags.resume === undefined ? undefined : await readRun(flags.resume);
  const given = resumed === undefined ? runOptions(flags) : mergeOptions(resumed.run, flags, command);
  // What is wrong with data of one's own is said before anything is made.
  const own =
    resumed === undefined && !isNamed(flags.dataset) ? await ownRun(given, flags, command) : undefined;
  const run = own?.run ?? given;
  const out = flags.out ?? resumed?.folder ?? join('runs', `${run.dataset}-${run.model}`);
  assertNothingLost(out, flags);
  const lock = await lockFolder(out, FILES);
  try {
    await trainInto(out, run, resumed, flags, command, own?.data);
  } finally {
    await lock.release();
  }
}

/** The run of data of one's own: what they are decides what is minimised, unless that is said. */
async function ownRun(
  given: RunOptions,
  flags: TrainFlags,
  command: Command,
): Promise<{ run: RunOptions; data: OwnData }> {
  const read = readingOf(flags);
  const data = await readOwnData(flags.dataset, read, flags.seed);
  assertTested(data);
  const isSaid = command.getOptionValueSource('loss') === 'cli';
  const usual = { classes: given.loss, bits: 'binaryCrossEntropy', reals: 'meanSquare' } as const;
  const loss = isSaid ? given.loss : usual[data.targets ?? 'classes'];
  return { run: { ...given, dataset: data.name, loss, own: keptOf(data, read) }, data };
}

/** Where data of one's own lie, as it is said again. */
function placeOf({ dataset, labels }: TrainFlags): string {
  return ` --dataset ${dataset}${labels === undefined ? '' : ` --labels ${labels}`}`;
}

/** What a training leaves in its folder. */
const FILES = [CHECKPOINT_FILE, BEST_FILE, 'report.json', 'report.html', ...Object.values(LOG_FILES)];

/** What `paper` leaves there, too. */
export const PAPER_FILES = { json: 'paper.json', html: 'paper.html' } as const;

/** What the folder of a run holds. @param checkpoint one by another name, beside which a run may be gone on with */
export function ofRun(checkpoint = CHECKPOINT_FILE): FolderContent {
  return { mark: CHECKPOINT_FILE, files: [...FILES, ...Object.values(PAPER_FILES), basename(checkpoint)] };
}

/** A saved run is replaced by another one only where that was asked for, and so are files that are called like one's. */
function assertNothingLost(out: string, flags: TrainFlags): void {
  const saved = join(out, CHECKPOINT_FILE);
  const isSaved = (path: string) =>
    existsSync(path) && existsSync(saved) && realpathSync(path) === realpathSync(saved);
  const { resume } = flags;
  if (resume !== undefined && (isSaved(resume) || isSaved(join(resume, CHECKPOINT_FILE)))) return;
  assertOurs(out, '--out', ofRun(resume));
  if (resume === undefined) assertBeside(out, flags.dataset);
  if (flags.overwrite === true) return;
  if (!existsSync(saved)) {
    assertFree(
      FILES.map((name) => join(out, name)),
      flags,
      '--out',
    );
    return;
  }
  throw new OptionError('There is a saved run in this folder already.', {
    given: out,
    where: '--out',
    remedy: `go on with it: --resume ${out}; replace it: --overwrite; or keep it, and name another folder: --out`,
  });
}

async function trainInto(
  out: string,
  asked: RunOptions,
  resumed: SavedRun | undefined,
  flags: TrainFlags,
  command: Command,
  read?: OwnData,
): Promise<void> {
  const quiet = flags.quiet === true || flags.json === '-';
  const say = (text: string) => {
    if (!quiet) console.log(text);
  };

  const gpu = await acquire(flags);
  say(`adapter   ${describeAdapter(gpu)}`);
  const { from } = flags;
  const source = from === undefined || resumed !== undefined ? undefined : await readToTrain(from);
  const place = read === undefined ? flags : { data: read };
  const loaded = await loadRun(
    asked,
    place,
    resumed === undefined ? ownModelOf(flags, command, source) : undefined,
  );
  const { data, model, run } = loaded;
  assertMatches(run, model);
  const described =
    run.own === undefined
      ? [`${data.name}: ${data.train.count} training and ${data.test?.count} test images, checked`]
      : describeData(data);
  say(`data      ${described.join('\n          ')}`);
  say(`\n${model.summary()}\n`);
  // From here on there is something to save.
  const interrupt = interruption(say);
  const server = serverOf(flags);
  if (server !== undefined && run.votes === undefined) {
    throw new OptionError('Workers take part in a training by voting.', {
      given: '--nats without --votes',
      where: 'train',
      remedy: '--votes 4 --nats ..., for this trainer and three at workers',
    });
  }
  const queue = server === undefined ? undefined : await openQueue(server);
  if (server !== undefined) sayQueue(server, say);
  const deadline = 1000 * (flags.votesDeadline ?? 30);
  let voters: Voters | undefined;
  if (run.votes !== undefined) {
    voters =
      queue === undefined
        ? votersHere(gpu, run, place)
        : await votersThere(gpu, run, { queue, deadline, say });
  }
  const trainer = await Trainer.create(gpu, model, data, {
    ...trainerOptions(run),
    ...(voters === undefined ? {} : { votes: voters.votes }),
    ...(flags.memoryLimit === undefined ? {} : { maxBytes: flags.memoryLimit.bytes }),
  }).catch((error: unknown) => {
    throw inUnitOf(flags.memoryLimit, error);
  });
  say(
    `memory    ${megabytes(trainer.plan.peakBytes)} on the GPU, ${megabytes(trainer.plan.activations)} of it activations`,
  );

  if (source !== undefined) say(`from      ${from}: ${await loadStart(trainer, source, flags.latents)}`);

  const epochs: EpochRecord[] = [...(resumed?.epochs ?? [])];
  if (resumed !== undefined) {
    await trainer.restore(
      resumed.run.epochs === run.epochs ? resumed.checkpoint : withEpochs(resumed.checkpoint, run.epochs),
    );
    const { step, epoch } = trainer.progress;
    say(
      epoch < run.epochs
        ? `resumed   at step ${step}, epoch ${epoch + 1} of ${run.epochs}`
        : `complete  at step ${step}, the end of epoch ${run.epochs}; to go on: --epochs ${2 * run.epochs}`,
    );
    if (resumed.run.epochs !== run.epochs) {
      say(
        `schedule  learning rate ${optionText(run.lr)} over all ${run.epochs} epochs, from here on: it was over ${resumed.run.epochs}`,
      );
    }
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
          start: source === undefined ? initialValues(model, run.seed) : await trainer.network.values(),
          ...(resumed === undefined ? {} : { resume: resumed.checkpoint }),
        });

  const progress = new ProgressLine(quiet, trainer.batches, data.targets === 'reals');
  const file = join(out, CHECKPOINT_FILE);
  const bestFile = join(out, BEST_FILE);
  const about = { made: madeNow(), adapter: { ...gpu.adapter, name: describeAdapter(gpu) } };
  const story = (): RunStory => ({ run, initial, epochs, samples });
  const textOf = () => ({ story: JSON.stringify(story()) });
  const watch = async () => {
    if (flags.watch !== true) return;
    const running = { epochs: run.epochs };
    const page = renderReport(await makeReport(trainer, data, story(), { ...about, running }));
    await writeFileAtomic(join(out, 'report.html'), page);
  };
  const save = (checkpoint: Checkpoint) => writeFileAtomic(file, encodeCheckpoint(checkpoint, textOf()));
  if (resumed === undefined) {
    // First of all files: wherever the training is cut off, it can be resumed.
    await save(await trainer.checkpoint(tap === undefined ? [] : [tap]));
    // A run that is replaced takes its best epoch with it.
    await rm(bestFile, { force: true });
  }
  await watch();
  if (flags.watch === true) say(`watch     ${join(out, 'report.html')}`);
  const log = new TrainingLog(out, trainer.progress.step);
  const { patience, monitor } = run;
  const judged = monitor === undefined ? {} : { monitor };
  const saveBest = async (notes: { readonly ended?: 'true' } = {}) =>
    writeFileAtomic(bestFile, encodeCheckpoint(await trainer.checkpoint(), { ...textOf(), ...notes }));
  const hooks = [
    ...(run.keepBest === true ? [keepBest({ ...judged, save: () => saveBest() })] : []),
    ...(patience === undefined ? [] : [earlyStopping({ ...judged, patience })]),
  ];
  // A training that had stopped by itself has stopped.
  const isOver = patience !== undefined && isPatienceOver(epochs, patience, monitor);
  if (!isOver) await voters?.begin(trainer, interrupt.signal);
  const result = await (isOver
    ? Promise.resolve({ outcome: 'stopped' as const, step: 0 })
    : trainer.fit({
        signal: interrupt.signal,
        hooks,
        ...(tap === undefined || flags.tap === undefined ? {} : { tap: tap.every(flags.tap) }),
        onSteps: (info) => {
          progress.update(info);
          const time = Date.now() / 1000;
          for (const { step, loss, correct, count } of info.latest) {
            if ((step + 1) % (flags.logEvery ?? 10) !== 0) continue;
            log.write({
              kind: 'step',
              step: step + 1,
              epoch: info.epoch,
              loss,
              accuracy: correct / count,
              time,
            });
          }
        },
        onEpoch: async (info) => {
          progress.endEpoch(info, run.epochs);
          log.write({ kind: 'epoch', step: trainer.progress.step, time: Date.now() / 1000, ...info });
          epochs.push(await epochRecord(trainer, info));
          await watch();
        },
        checkpoint: {
          ...(flags.checkpointEvery === undefined ? {} : { everySteps: flags.checkpointEvery }),
          save,
        },
      })
  ).finally(async () => {
    log.close();
    progress.stop();
    interrupt.release();
    await voters?.end();
    await queue?.close();
  });

  if (result.outcome === 'aborted') {
    say(
      `\nStopped after step ${result.step}; everything is saved.\nGo on with:  ${npx(`train --resume ${out}`)}${run.own === undefined ? '' : placeOf(flags)}${server === undefined ? '' : ` --nats ${shownServer(server)}`}`,
    );
    process.exitCode = EXIT.interrupted;
    return;
  }
  if (result.outcome === 'stopped') {
    say(`\nstopped   after epoch ${epochs.length}: no improvement in ${patience} epochs`);
    await trainer.finish();
  }
  let best: TrainReport['best'];
  const [first] = epochs;
  if (run.keepBest === true && first !== undefined) {
    best = { epoch: bestEpoch(epochs, monitor).epoch, monitor: monitored(first, monitor) };
    say(`best      epoch ${best.epoch}, by ${best.monitor}: ${bestFile}`);
    const kept = decodeCheckpoint(await readFileChecked(bestFile), bestFile);
    await trainer.restore(kept.checkpoint);
    // It was kept while the training went on; what is done at its end is done to it once.
    if (kept.metadata.ended === undefined && (await trainer.finish())) await saveBest({ ended: 'true' });
  }
  const report = await makeReport(trainer, data, story(), {
    ...about,
    ...(best === undefined ? {} : { best }),
  });
  const json = jsonText(report, 2);
  await writeFileAtomic(join(out, 'report.json'), json);
  await writeFileAtomic(join(out, 'report.html'), renderReport(report));
  await emit(json, flags.json);

  say(`\n${layerTable(report)}`);
  if (data.targets === 'reals') say(`test loss       ${(report.epochs.at(-1)?.testLoss ?? 0).toFixed(4)}`);
  else say(`test accuracy   ${(100 * report.finalTestAccuracy).toFixed(2)} %`);
  say(`speed           ${report.imagesPerSecond.toFixed(0)} images a second`);
  say(`weights         sha256 ${report.weightsSha256}`);
  for (const line of voters?.summary() ?? []) say(`votes           ${line}`);
  say(`files           ${join(out, `{${CHECKPOINT_FILE}, report.json, report.html, log.jsonl, log.csv}`)}`);
  tap?.dispose();
  trainer.dispose();
  gpu.dispose();
}

/** A network to go on with; what a file has folded is unfolded. */
async function readToTrain(from: string): Promise<ReadableModel> {
  const read = await readModel(from, { fold: false });
  return { ...read, ...unfoldForTraining(read.model, read.values) };
}

/** What makes the network, where it isn't a ready-made one: a file, or the network that weights come from. */
function ownModelOf(flags: TrainFlags, command: Command, source: ReadableModel | undefined) {
  if (isPath(flags.model)) return (made: Parameters<typeof modelOfFlags>[1]) => modelOfFlags(flags, made);
  if (source === undefined || command.getOptionValueSource('model') === 'cli') return undefined;
  return async ({ classes }: { readonly classes: number }) => ({
    model: nameOfModel(source.model.name),
    description: await withHead(source.model, classes),
  });
}

function runOptions(flags: TrainFlags): RunOptions {
  const { dataset, epochs, batch, optimizer, loss, seed, fanScaled, augment } = flags;
  const model = isPath(flags.model) ? nameOfModel(flags.model) : flags.model;
  const lr = rateOf(flags);
  const { trainSamples, testSamples, classWeights: weights } = flags;
  const { modelOptions } = flags;
  const { validation, patience, monitor, keepBest: keeps, clip, refitStatistics, votes } = flags;
  return {
    ...{ dataset, model, epochs, batch, optimizer, lr, loss, seed, fanScaled, augment },
    ...(trainSamples === undefined ? {} : { trainSamples }),
    ...(testSamples === undefined ? {} : { testSamples }),
    ...(weights === undefined ? {} : { classWeights: weights }),
    ...(modelOptions === undefined ? {} : { modelOptions }),
    ...(flags.freeze === undefined ? {} : { freeze: flags.freeze }),
    ...(flags.rateOf === undefined ? {} : { rates: flags.rateOf }),
    ...(validation === undefined ? {} : { validation }),
    ...(patience === undefined ? {} : { patience }),
    ...(monitor === undefined ? {} : { monitor }),
    ...(keeps === undefined ? {} : { keepBest: keeps }),
    ...(clip === undefined ? {} : { clip }),
    ...(refitStatistics === undefined ? {} : { refitStatistics }),
    ...(votes === undefined ? {} : { votes }),
  };
}

/** The learning rate that several flags say together. @throws OptionError for flags that do not go together */
function rateOf({ lr, lrHalveEvery, lrDecay, lrWarmup, lrRestarts }: TrainFlags): LearningRate {
  const warm = lrWarmup === undefined ? {} : { warmupEpochs: lrWarmup };
  if (lrHalveEvery !== undefined) {
    if (lrDecay !== undefined || lrRestarts !== undefined) {
      throw new OptionError('A learning rate is halved, or decays in another way.', {
        given: `--lr-halve-every ${lrHalveEvery} with ${lrDecay === undefined ? '--lr-restarts' : '--lr-decay'}`,
        remedy: 'leave one of them away',
      });
    }
    return { ...(halved(lr, lrHalveEvery) as Halving), ...warm };
  }
  if (lrDecay === undefined && lrWarmup === undefined && lrRestarts === undefined) return lr;
  const ends = typeof lr === 'number' ? { from: lr, to: lr, decay: 'linear' as const } : lr;
  if (typeof ends !== 'object' || ends.decay === 'halving') return lr;
  return {
    ...ends,
    ...(lrDecay === undefined ? {} : { decay: lrDecay }),
    ...(lrRestarts === undefined ? {} : { cycles: lrRestarts + 1 }),
    ...warm,
  };
}

/** An error of too little memory says it in the unit that the limit was given in. */
function inUnitOf(limit: ByteLimit | undefined, error: unknown): unknown {
  if (limit === undefined || !(error instanceof MemoryPlanError)) return error;
  const { what, given, expected, where, remedy } = error;
  const said = (text?: string) =>
    text?.replace(/\b(\d+) bytes/g, (_, bytes: string) => bytesIn(Number(bytes), limit.unit));
  return new MemoryPlanError(what, {
    given: said(given),
    expected: said(expected),
    where,
    remedy,
    cause: error,
  });
}

/** A resumed run keeps its options; one that is given again must say the same, but for more epochs. */
function mergeOptions(saved: RunOptions, flags: TrainFlags, command: Command): RunOptions {
  const given = runOptions(flags);
  for (const [name, value] of Object.entries(given) as [keyof RunOptions, unknown][]) {
    const sources =
      name === 'lr'
        ? ['lr', 'lrHalveEvery', 'lrDecay', 'lrWarmup', 'lrRestarts']
        : name === 'rates'
          ? ['rateOf']
          : [name];
    if (!sources.some((source) => command.getOptionValueSource(source) === 'cli')) continue;
    if (JSON.stringify(saved[name]) === JSON.stringify(value)) continue;
    if (name === 'epochs' && given.epochs > saved.epochs) continue;
    // Where such data lie is not kept; whether they are the same is seen when the checkpoint is restored.
    if (name === 'dataset' && saved.own !== undefined) continue;
    const flag = `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    throw new OptionError('A resumed run keeps the options that it was started with.', {
      given: `${flag} ${JSON.stringify(value)}`,
      expected: `${JSON.stringify(saved[name])}${name === 'epochs' ? ', or more' : ''}`,
      where: '--resume',
      remedy: `leave ${flag} away, or start a new run without --resume`,
    });
  }
  const isLonger = command.getOptionValueSource('epochs') === 'cli' && given.epochs > saved.epochs;
  return isLonger ? { ...saved, epochs: given.epochs } : saved;
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
  readonly #isRegression: boolean;

  /** @param isRegression numbers are predicted: there is no accuracy then */
  constructor(quiet: boolean, batches: number, isRegression: boolean) {
    this.#quiet = quiet;
    this.#isRegression = isRegression;
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
    const right = this.#isRegression
      ? `  test loss ${(info.testLoss ?? Number.NaN).toFixed(4)}`
      : `  accuracy ${(100 * info.trainAccuracy).toFixed(2)} %  test ${(100 * (info.testAccuracy ?? Number.NaN)).toFixed(2)} %`;
    const text =
      `epoch ${info.epoch}/${epochs}  loss ${info.trainLoss.toFixed(4)}${right}` +
      `  ${info.imagesPerSecond.toFixed(0)} images/s  ${duration(info.seconds)}`;
    if (this.#bar === undefined) console.log(text);
    else process.stdout.write(`\r\x1b[K${text}\n`);
  }

  stop(): void {
    this.#bar?.stop();
  }
}

/** Ctrl-C asks for a stop after the step; a second one ends at once. */
export function interruption(say: (text: string) => void): { signal: AbortSignal; release: () => void } {
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
