/**
 * What activations and binary twins can tell, of one trained network: overlaps of two inputs by depth, overlaps of outputs with
 * flipped weights, the nearest convex hull of each layer's signs, and twins that predict which neurons of a ReLU are zero. The
 * cost is bounded, whatever the network: a few hundred images, and some neurons of each layer.
 */
import { residentPart, samplesOf, type TrainingData } from '../data/index.ts';
import { runOnce, sizeOf, wordsFor } from '../gpu/index.ts';
import { type Network, recordForward } from '../graph/index.ts';
import { hullDistance } from '../numerics/hulls.ts';
import { meanOf } from '../numerics/mean.ts';
import { popcount } from '../numerics/pack.ts';
import { type TwinPrediction, twinPrediction } from '../numerics/twin-predictor.ts';
import { assertKnownOptions } from '../options.ts';
import { type SeenSigns, signsRead } from './activations.ts';
import { assertAsked } from './asked.ts';
import { dotProducts, operandOf, windowOf } from './operands.ts';
import { type FlippedOverlap, type LayerOverlap, overlapAgainstFlips, overlapsByDepth } from './overlaps.ts';

/** Overlaps by depth of pairs of one kind. */
export interface PairOverlaps {
  /** Whether both images of a pair are of one class. */
  readonly pairs: 'same class' | 'other class';
  /** How many there were. */
  readonly count: number;
  /** In order of depth. */
  readonly layers: readonly LayerOverlap[];
}

/** How well the nearest hull of a layer's signs tells classes. */
export interface LayerHulls {
  /** Name of the layer that reads the signs. */
  readonly layer: string;
  /** Signs of one sample. */
  readonly bits: number;
  /** Corners of a class's hull at most: training images. */
  readonly corners: number;
  /** Test images that were put to the nearest hull. */
  readonly tested: number;
  /** Share of them that were put to their class. */
  readonly accuracy: number;
}

/** How well a layer's signs predict its real products. */
export interface LayerTwins extends TwinPrediction {
  /** Name of the layer. */
  readonly layer: string;
  /** Products of each neuron. */
  readonly products: number;
}

/** What was measured of a network. */
export interface Predictors {
  /** Of pairs of test images. */
  readonly overlaps: readonly PairOverlaps[];
  /** Of outputs for test images, by the share of weights that were flipped. */
  readonly flips: readonly FlippedOverlap[];
  /** Of every layer that reads signs. */
  readonly hulls: readonly LayerHulls[];
  /** Of every layer that reads signs of reals. */
  readonly twins: readonly LayerTwins[];
}

const MOST_IMAGES = 200;
const MOST_PAIRS = 100;
const MOST_CORNERS = 30;
const MOST_TESTED = 100;
const MOST_SAMPLES = 50;
const MOST_PRODUCTS = 2000;
const MOST_NEURONS = 64;
const SHARES = [0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5];

/**
 * Measures all of them.
 * @param data of classes, in memory
 * @param options.seed decides which weights are flipped. Default 1
 * @throws OptionError for streams, and for a network without binary weights
 */
export async function measurePredictors(
  network: Network,
  data: TrainingData,
  options: { readonly seed?: number } = {},
): Promise<Predictors> {
  assertAsked(network, 'measurePredictors');
  assertKnownOptions(options, ['seed'], 'measurePredictors');
  const count = Math.min(MOST_IMAGES, residentPart(data, 'test').count);
  return {
    overlaps: await pairOverlaps(network, data, count),
    flips: await overlapAgainstFlips(network, samplesOf(data, 'test', { count }), SHARES, options),
    hulls: await layerHulls(network, data),
    twins: await layerTwins(network, samplesOf(data, 'test', { count: Math.min(MOST_SAMPLES, count) })),
  };
}

/** Each image beside the next one of its class, and beside the next one of another. */
async function pairOverlaps(network: Network, data: TrainingData, count: number): Promise<PairOverlaps[]> {
  const { labels } = residentPart(data, 'test');
  const samples = samplesOf(data, 'test', { count });
  const size = sizeOf(data.image);
  const results: PairOverlaps[] = [];
  for (const pairs of ['same class', 'other class'] as const) {
    const found = Array.from({ length: count }, (_, i): readonly [number, number] | undefined => {
      for (let j = i + 1; j < count; j++) {
        if ((labels[i] === labels[j]) === (pairs === 'same class')) return [i, j];
      }
      return undefined;
    })
      .filter((pair) => pair !== undefined)
      .slice(0, MOST_PAIRS);
    if (found.length === 0) continue;
    const side = (of: 0 | 1) => {
      const rows = new Float32Array(found.length * size);
      for (const [row, pair] of found.entries()) {
        rows.set(samples.subarray(pair[of] * size, (pair[of] + 1) * size), row * size);
      }
      return rows;
    };
    results.push({
      ...{ pairs, count: found.length },
      layers: await overlapsByDepth(network, side(0), side(1)),
    });
  }
  return results;
}

/** Test images put to the hull of training images' signs that is nearest, at every layer. */
async function layerHulls(network: Network, data: TrainingData): Promise<LayerHulls[]> {
  const train = residentPart(data, 'train');
  const test = residentPart(data, 'test');
  const tested = Math.min(MOST_TESTED, test.count);
  // The first training images hold some of each class.
  const looked = Math.min(train.count, 2 * MOST_CORNERS * data.classes.length);
  const corners = data.classes.map((_, label) =>
    Array.from({ length: looked }, (__, i) => i)
      .filter((i) => train.labels[i] === label)
      .slice(0, MOST_CORNERS),
  );
  const learned = await signsRead(network, samplesOf(data, 'train', { count: looked }));
  const asked = await signsRead(network, samplesOf(data, 'test', { count: tested }));
  return learned.flatMap((own, index) => {
    const other = asked[index];
    if (other === undefined) return [];
    const right = nearestClasses(own, other, corners, tested).filter((label, i) => label === test.labels[i]);
    const most = Math.max(...corners.map(({ length }) => length));
    return {
      ...{ layer: own.layer, bits: own.bits, corners: most, tested },
      accuracy: right.length / tested,
    };
  });
}

/** The class whose hull of signs is the nearest, of each test image. */
function nearestClasses(
  learned: SeenSigns,
  asked: SeenSigns,
  corners: readonly (readonly number[])[],
  tested: number,
): number[] {
  const words = wordsFor(learned.bits);
  const differing = (a: SeenSigns, i: number, b: SeenSigns, j: number) => {
    let sum = 0;
    for (let word = 0; word < words; word++) {
      sum += popcount((a.rows[i * words + word] ?? 0) ^ (b.rows[j * words + word] ?? 0));
    }
    return sum;
  };
  const among = corners.map((own) => own.map((i) => own.map((j) => differing(learned, i, learned, j))));
  return Array.from({ length: tested }, (_, sample) => {
    const distances = corners.map((own, label) => {
      if (own.length === 0) return Number.POSITIVE_INFINITY;
      const away = own.map((i) => differing(learned, i, asked, sample));
      // (c - p)·(c' - p) of signs, in numbers of signs that differ.
      return hullDistance(
        own.map((__, i) =>
          Float64Array.from(
            own,
            (___, j) => 2 * ((away[i] ?? 0) + (away[j] ?? 0) - (among[label]?.[i]?.[j] ?? 0)),
          ),
        ),
      );
    });
    return distances.indexOf(Math.min(...distances));
  });
}

/**
 * Real products of continuous weights and activations, against those of their signs. What goes into the ReLU is the real product
 * less its mean, as batch normalisation has it.
 */
async function layerTwins(network: Network, samples: Float32Array): Promise<LayerTwins[]> {
  const { gpu, model, parameters } = network;
  const count = samples.length / sizeOf(model.inputShape);
  using x = gpu.tensor('samples', [count, ...model.inputShape], 'f32', samples);
  using run = await runOnce(gpu, 'twins', (builder) => {
    const pass = recordForward(builder, model, parameters, x, { training: false });
    return [...model.layers.entries()].flatMap(([index, { name, layer }]) => {
      const product = layer.traits?.product?.kind;
      const kernel = parameters.get(`${name}/kernel`);
      if ((product !== 'dense' && product !== 'conv2d') || kernel?.packed === undefined) return [];
      if (kernel.spec.role !== 'binary' || !kernel.value.isPlaced) return [];
      const window = product === 'conv2d' ? windowOf(layer.config) : undefined;
      const target = { kernel, packed: kernel.packed, window };
      const both = dotProducts(builder, target, operandOf(builder, model, pass, x, index)).get('both');
      return both === undefined ? [] : { name, both: both.map((tensor) => builder.keep(tensor)) };
    });
  });
  const results: LayerTwins[] = [];
  for (const { name, both } of run.result) {
    const [real = new Float32Array(), twin = new Float32Array()] = await Promise.all(
      both.map((tensor) => gpu.readFloats(tensor)),
    );
    const filters = both[0]?.shape.at(-1) ?? 1;
    const neurons = Math.min(MOST_NEURONS, filters);
    const rows = real.length / filters;
    const step = Math.ceil(rows / MOST_PRODUCTS);
    const products = Math.floor(rows / step);
    const some = (all: Float32Array) =>
      Float64Array.from(
        { length: products * neurons },
        (_, i) => all[Math.floor(i / neurons) * step * filters + (i % neurons)] ?? 0,
      );
    const [own, predicted] = [some(real), some(twin)];
    for (let neuron = 0; neuron < neurons; neuron++) {
      const mean = meanOf(Array.from({ length: products }, (_, row) => own[row * neurons + neuron] ?? 0));
      for (let row = 0; row < products; row++)
        own[row * neurons + neuron] = (own[row * neurons + neuron] ?? 0) - mean;
    }
    if (products > 1) results.push({ layer: name, products, ...twinPrediction(predicted, own, neurons) });
  }
  return results;
}
