/** What is measured of a training: angles and flips of each layer after an epoch; sizes, operations and r at the end. */
import { isStreamed, samplesOf, type TrainingData } from '../data/index.ts';
import { saveTraining } from '../formats/index.ts';
import { measureGeometry, measureProportionality } from '../geometry/index.ts';
import { sizeOf } from '../gpu/index.ts';
import { type Model, Network, summarize } from '../graph/index.ts';
import type { EpochInfo, Trainer } from '../train/index.ts';

/** An epoch of a job; plain JSON. */
export interface ComparedEpoch {
  /** From 1. */
  readonly epoch: number;
  /** Mean loss of the epoch's steps. */
  readonly trainLoss: number;
  /** Share of the epoch's training samples that were right, 0 to 1, counted while they trained. */
  readonly trainAccuracy: number;
  /** Mean loss on the test split after the epoch; NaN where there is none. */
  readonly testLoss: number;
  /** Share of the test samples that were right after the epoch, 0 to 1; NaN where there are none. */
  readonly testAccuracy: number;
  /** Wall time of the epoch's steps, evaluation apart. */
  readonly seconds: number;
  /** Of each layer with binary weights. */
  readonly layers: readonly {
    /** Name of the layer, without its parameter. */
    readonly name: string;
    /** Mean angle between latent weights and their signs, in degrees. */
    readonly angle: number;
    /** Mean share of the weights whose sign changed in a step. */
    readonly flipRatio: number;
  }[];
}

/** What a trained network is; plain JSON. */
export interface Trained {
  /** Of its file, with one bit a binary weight. */
  readonly bytes: number;
  /** Mean over all weights: what a weight is multiplied as. */
  readonly bitsPerWeight: number;
  /** Multiply-accumulates of a sample. */
  readonly operations: { readonly binary: number; readonly float: number };
  /** Correlation of dot products with binary and with continuous weights, a mean over the filters of a layer. */
  readonly r: readonly { readonly name: string; readonly r: number }[];
  /** Of all values as `Network.hash` has it: the same where the same bits were learned. */
  readonly weightsSha256: string;
}

/** Mean share of a layer's weights that changed sign in a step (Larq's FlipRatio), over the epoch so far, by parameter. */
export async function flipRatios(trainer: Trainer): Promise<Map<string, number>> {
  const { steps, counts } = await trainer.flips();
  const ratios = new Map<string, number>();
  for (const [name, flips] of counts) {
    const weights = sizeOf(trainer.network.parameters.get(name)?.spec.shape ?? []);
    ratios.set(name, flips.reduce((sum, count) => sum + count, 0) / (weights * Math.max(1, steps)));
  }
  return ratios;
}

export async function measureEpoch(trainer: Trainer, info: EpochInfo): Promise<ComparedEpoch> {
  const geometry = await measureGeometry(trainer.network);
  const ratios = await flipRatios(trainer);
  const { epoch, trainLoss, trainAccuracy, seconds } = info;
  return {
    ...{ epoch, trainLoss, trainAccuracy, seconds },
    testLoss: info.testLoss ?? Number.NaN,
    testAccuracy: info.testAccuracy ?? Number.NaN,
    layers: geometry.map(({ name, meanAngle }) => ({
      name: layerOf(name),
      angle: meanAngle,
      flipRatio: ratios.get(name) ?? 0,
    })),
  };
}

/** Test samples that dot products are taken of. */
const MOST_SAMPLES = 200;

/** @param model what was trained, without the outputs that only a teacher looks at */
export async function measureTrained(trainer: Trainer, model: Model, data: TrainingData): Promise<Trained> {
  const { operations } = summarize(model).total;
  const trained = async () => ({ ...(await trainer.trained()), model });
  return {
    bytes: (await saveTraining({ trained }, 'safetensors')).byteLength,
    bitsPerWeight: bitsPerWeight(model),
    operations,
    r: await rOf(trainer, model, data),
    weightsSha256: await trainer.network.hash(),
  };
}

async function rOf({ network: own }: Trainer, model: Model, data: TrainingData): Promise<Trained['r']> {
  const isPlain = own.model.outputs.length === model.outputs.length;
  const network = isPlain ? own : await Network.create(own.gpu, model, { values: await own.values() });
  try {
    return await rOfNetwork(network, data);
  } finally {
    if (network !== own) network.dispose();
  }
}

async function rOfNetwork(network: Network, data: TrainingData): Promise<Trained['r']> {
  const { test } = data;
  const isMeasured = network.binaryParameters.some(({ name }) => isProduct(network.model, layerOf(name)));
  if (!isMeasured || test === undefined || isStreamed(test)) return [];
  const samples = samplesOf(data, 'test', { first: 0, count: Math.min(MOST_SAMPLES, test.count) });
  const layers = await measureProportionality(network, samples, { permuted: false, bins: 0, patches: 0 });
  return layers.map(({ name, weights }) => ({ name, r: weights.meanR }));
}

function isProduct({ layers }: Model, name: string): boolean {
  const kind = layers.find((entry) => entry.name === name)?.layer.traits?.product?.kind;
  return kind === 'dense' || kind === 'conv2d';
}

/** Weights are parameters of two axes or more that are trained; planes of a weight are bits of it. */
function bitsPerWeight({ layers }: Model): number {
  const kernels = layers.flatMap(({ parameters }) =>
    parameters.filter(
      ({ shape, role, name }) => shape.length > 1 && role !== 'statistic' && !/Learned$/.test(name),
    ),
  );
  const bits = kernels.reduce(
    (sum, { shape, role }) => sum + sizeOf(shape) * (role === 'binary' ? 1 : 32),
    0,
  );
  const weights = kernels.reduce(
    (sum, { shape, derived }) => sum + (derived === true ? 0 : sizeOf(shape)),
    0,
  );
  return weights === 0 ? Number.NaN : bits / weights;
}

/** `dense1` of `dense1/kernel`. */
function layerOf(parameter: string): string {
  return parameter.replace(/\/kernel$/, '');
}
