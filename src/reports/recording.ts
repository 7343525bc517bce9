/** What a training's report holds, measured on the trainer: after epochs, within them, and at the end. */
import { encode } from 'fast-png';
import { flipRatios } from '../compare/measure.ts';
import { NonFiniteError, OptionError } from '../errors.ts';
import {
  type EpochInfo,
  type GeometrySample,
  isStreamed,
  type LayerGeometry,
  measureGeometry,
  residentPart,
  samplesOf,
  type Trainer,
  type TrainingData,
} from '../index.ts';
import { base64Of } from './base64.ts';
import type { EpochRecord, RunStory, SampleRecord } from './story.ts';
import type { Mistakes, TrainReport } from './training.ts';

/** What an epoch leaves beside its losses: angles and flips of each layer. @throws NonFiniteError for weights that are no numbers */
export async function epochRecord(trainer: Trainer, info: EpochInfo): Promise<EpochRecord> {
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
  const { testLoss, testAccuracy } = info;
  if (testLoss === undefined || testAccuracy === undefined) {
    throw new OptionError('A report of a training needs a test split.', { given: trainer.data.name });
  }
  return {
    ...info,
    testLoss,
    testAccuracy,
    layers: geometry.map(({ name, meanAngle, expectedAngle }) => ({
      name,
      angleDegrees: meanAngle,
      angleExpected: expectedAngle,
      flipRatio: ratios.get(name) ?? 0,
    })),
  };
}

/** What the report keeps of a sample: means over the filters of each layer. */
export function sampleRecord({ step, layers }: GeometrySample): SampleRecord {
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

/**
 * The report of a training that is over, or of one under way, which leaves out what takes long.
 * @param about `best` where the trainer's weights are those of another epoch than the last
 */
export async function makeReport(
  trainer: Trainer,
  data: TrainingData,
  { run, initial, epochs, samples = [] }: RunStory,
  { best, running, ...about }: Pick<TrainReport, 'made' | 'adapter' | 'best' | 'running'>,
): Promise<TrainReport> {
  // Before more is asked of the network than its training.
  const { peakBytes: peakGpuBytes } = trainer.gpu.memory;
  const geometry = await measureGeometry(trainer.network);
  const last = best === undefined ? epochs.at(-1) : epochs.find(({ epoch }) => epoch === best.epoch);
  const isOver = running === undefined;
  const seconds = epochs.reduce((sum, epoch) => sum + epoch.seconds, 0);
  const images = trainer.batches * run.batch * epochs.length;
  const { dataset, model, seed, own, description: _, ...options } = run;
  const { targets = 'classes', test } = data;
  // Its end may have changed weights and statistics since the last epoch was judged.
  const final = isOver && test !== undefined ? await trainer.evaluate() : undefined;
  const isJudged = targets === 'classes' && test !== undefined && !isStreamed(test);
  return {
    version: 1,
    ...about,
    dataset,
    model,
    seed,
    options: { ...options, ...own?.read },
    ...(targets === 'classes' ? {} : { targets }),
    initial,
    epochs,
    ...(samples.length === 0 ? {} : { samples }),
    finalTestAccuracy: final?.accuracy ?? last?.testAccuracy ?? 0,
    imagesPerSecond: seconds > 0 ? images / seconds : 0,
    peakGpuBytes,
    weightsSha256: isOver ? await trainer.network.hash() : '',
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
    ...(isOver && isJudged ? { mistakes: await judgeImages(trainer, data) } : {}),
    ...(final === undefined ? {} : { scores: final.scores }),
    ...(best === undefined ? {} : { best }),
    ...(isOver ? {} : { running }),
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

/** Pictures of mistakes that a report shows. */
const MOST_SHOWN = 12;

/** Which classes the network takes for which, and the test images that it is most sure of and wrong about. */
async function judgeImages(trainer: Trainer, data: TrainingData): Promise<Mistakes> {
  const classes = data.classes.length;
  const { count, labels } = residentPart(data, 'test');
  const confusion = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  const wrong: { readonly image: number; readonly predicted: number; readonly margin: number }[] = [];
  const part = Math.min(count, trainer.options.batch);
  for (let first = 0; first < count; first += part) {
    const here = Math.min(part, count - first);
    const scores = await trainer.predict(samplesOf(data, 'test', { first, count: here }));
    const width = scores.length / here;
    for (let row = 0; row < here; row++) {
      const own = scores.subarray(row * width, (row + 1) * width);
      const label = labels[first + row] ?? 0;
      const most = own.reduce((largest, score) => Math.max(largest, score), Number.NEGATIVE_INFINITY);
      const predicted = own.indexOf(most);
      const counts = confusion[label];
      if (counts === undefined || predicted < 0) continue;
      counts[predicted] = (counts[predicted] ?? 0) + 1;
      const margin = most - (own[label] ?? 0);
      if (predicted !== label) wrong.push({ image: first + row, predicted, margin });
    }
  }
  const surest = wrong.sort((a, b) => b.margin - a.margin || a.image - b.image).slice(0, MOST_SHOWN);
  return {
    classes: data.classes,
    confusion,
    surest: surest.map(({ image, predicted, margin }) => ({
      ...{ image, label: labels[image] ?? 0, predicted, margin },
      png: pictureOf(data, image),
    })),
  };
}

/** A test image as PNG, in base64; nothing of what has other than one or three channels. */
function pictureOf(set: TrainingData, index: number): string {
  const [height = 0, width = 0, channels, more] = set.image;
  const { images } = residentPart(set, 'test');
  if ((channels !== 1 && channels !== 3) || more !== undefined || !(images instanceof Uint8Array)) return '';
  const size = height * width * channels;
  const data = images.slice(index * size, (index + 1) * size);
  return base64Of(encode({ width, height, data, channels, depth: 8 }));
}
