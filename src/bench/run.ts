/**
 * A whole run of the benchmark: ceilings, products, layers, statistics, training steps, and peers beside them. The same in
 * Node and in a page: it takes a GPU and gives figures that are plain JSON.
 */
import { GpuValidationError, OptionError } from '../errors.ts';
import type { AdapterSummary, Gpu } from '../gpu/index.ts';
import { type BackwardResult, benchBackward } from './backward.ts';
import { type Ceilings, measureCeilings } from './ceilings.ts';
import { benchCnv, type CnvResult } from './cnv.ts';
import { benchCpu, type CpuFigures, type OrtWasm } from './cpu.ts';
import { benchGeometry, GEOMETRY_IDS, type GeometryResult } from './geometry.ts';
import type { Timing } from './measure.ts';
import { type KeptActivations, keptActivations } from './memory.ts';
import { BENCH_MODELS, type BenchModel } from './noise.ts';
import { benchOneBit, ONE_BIT_SHAPES, type OneBitResult, type OneBitShape } from './one-bit.ts';
import { openJax } from './peers/jax.ts';
import { onnxOnWasm, onnxOnWebGpu, openOnnxWasm, openOnnxWebGpu } from './peers/onnxruntime.ts';
import { firstLine, type MissingPeer, optional, type Peer } from './peers/peer.ts';
import { openTensorFlow } from './peers/tensorflow.ts';
import { benchProduct, type ProductResult, timeBinary } from './products.ts';
import {
  binarynetLayers,
  matMulProduct,
  matMuls,
  type Product,
  pick,
  quickNetLayers,
  residualConvolutions,
} from './shapes.ts';
import { benchTraining, type TrainingOptions, type TrainingResult, trainingOptions } from './training.ts';
import { tuneFor } from './tune.ts';

export const SUITES = ['kernels', 'layers', 'training', 'geometry', 'cpu', 'one-bit'] as const;
export type Suite = (typeof SUITES)[number];

export interface BenchOptions {
  readonly suites: readonly Suite[];
  readonly models?: readonly BenchModel[];
  /** Images a training step, in all networks and for peers; by the network and the adapter when absent. */
  readonly batch?: number | undefined;
  /** Names of products and filters, with `*` for any letters; large ones are run in software only when named. */
  readonly shapes?: readonly string[] | undefined;
  /** Fewer repetitions and smaller batches. */
  readonly quick?: boolean;
  /**
   * A run that has taken this long leaves out what isn't measured yet, but the first figure of each part. Default: 110 if
   * `quick` and no shape was named, else no end.
   */
  readonly seconds?: number | undefined;
  /** Measure other libraries as well. */
  readonly peers?: boolean;
  /**
   * Measure first which of several kernels is the fastest here for each product, and keep the choice. Default: on hardware,
   * unless `quick`. Choices made earlier are used in any case.
   */
  readonly tune?: boolean | undefined;
}

export interface PeerResult {
  readonly peer: string;
  readonly runsOn: Peer['runsOn'];
  readonly id: string;
  readonly name: string;
  readonly time: Timing;
  /** Of the same product, right after the peer. */
  readonly binary: Timing;
  /** Median time of the peer over median binary time, both by the host's clock. */
  readonly ratio: number;
}

export interface PeerTrainingResult {
  readonly peer: string;
  readonly model: BenchModel;
  readonly batch: number;
  readonly time: Timing;
  readonly binary: Timing;
  /** Median step of the peer over this library's, both by the host's clock. */
  readonly ratio: number;
  /** Of the first step, from the same weights on the same batch. */
  readonly firstLoss: { readonly peer: number; readonly binary: number };
}

/** A step of TensorFlow.js with `webgpu-bnn/tfjs` imported, and the same layers without its kernels. */
export interface ImportTrainingResult {
  readonly peer: string;
  readonly model: BenchModel;
  readonly batch: number;
  readonly with: Timing;
  readonly without: Timing;
  /** Median step without over the one with, both by the host's clock. */
  readonly ratio: number;
  /** Of the first step, and of the second, to which the gradients of the first have led. */
  readonly losses: { readonly with: readonly number[]; readonly without: readonly number[] };
}

/** What a run found; plain JSON. */
export interface BenchFigures {
  readonly version: 1;
  readonly adapter: AdapterSummary;
  /** The GPU's own clock, beside the host's. */
  readonly timestamps: boolean;
  readonly quick: boolean;
  readonly ceilings?: Ceilings;
  readonly kernels: readonly ProductResult[];
  readonly backward: readonly BackwardResult[];
  readonly peers: readonly PeerResult[];
  readonly missingPeers: readonly MissingPeer[];
  readonly layers: readonly ProductResult[];
  /** BNN-PYNQ's CNV, whole, beside the same network of floats. */
  readonly cnv: readonly CnvResult[];
  readonly geometry: readonly GeometryResult[];
  readonly training: readonly TrainingResult[];
  readonly peerTraining: readonly PeerTrainingResult[];
  readonly importTraining: readonly ImportTrainingResult[];
  readonly memory: readonly KeptActivations[];
  /** Weights of one bit with real activations, each shape in several ways. */
  readonly oneBit: readonly OneBitResult[];
  /** Networks on the processor. */
  readonly cpu?: CpuFigures;
  /** Shapes that a software adapter would take minutes over, and that nobody named. */
  readonly leftOut: readonly string[];
  /** What a quick run had no time for. */
  readonly outOfTime: readonly string[];
}

/** Parts of a run, in their order. */
export type Section = 'cpu' | 'ceilings' | 'kernels' | 'layers' | 'geometry' | 'training' | 'one-bit';

export interface BenchHooks {
  /** Called when a part of a run is done, with all figures so far. */
  readonly done?: (section: Section, figures: BenchFigures) => void | Promise<void>;
  /** Called before a figure is taken. */
  readonly measuring?: (what: string) => void;
}

/** What a run will measure. */
interface Work {
  readonly kernels: readonly Product[];
  readonly backward: readonly Product[];
  readonly layers: readonly Product[];
  readonly geometry: readonly string[];
  readonly models: readonly BenchModel[];
  readonly oneBit: readonly OneBitShape[];
  readonly leftOut: readonly string[];
}

/**
 * Decides what is measured, before anything is.
 * @throws OptionError for an unknown suite, model or shape, listing what there is
 */
export function planBench(options: BenchOptions, software: boolean): Work {
  const { suites, shapes, quick = false } = options;
  for (const suite of suites) assertKnown('suite', suite, SUITES);
  const models = options.models ?? BENCH_MODELS;
  for (const model of models) assertKnown('model', model, BENCH_MODELS);
  const wants = (suite: Suite) => suites.includes(suite);

  const allKernels = [...matMuls(), ...residualConvolutions(1), ...residualConvolutions(32)];
  const kernels = wants('kernels') ? allKernels : [];
  const layersBatch = software ? (quick ? 1 : 4) : 50;
  const layers = wants('layers')
    ? [...binarynetLayers(layersBatch), ...quickNetLayers(quick || software ? 1 : 32)]
    : [];
  const geometry = wants('geometry') ? GEOMETRY_IDS : [];
  const oneBit = wants('one-bit') ? ONE_BIT_SHAPES : [];
  const ids = [...kernels, ...layers, ...oneBit].map(({ id }) => id).concat(geometry);
  const named = pick(shapes, ids);
  const runs = ({ id, large, a, kind }: Product) => {
    if (named !== undefined) return named.includes(id);
    return (
      !(software && large) &&
      !(quick && kind === 'conv' && (a[0] ?? 1) > 1 && wants('kernels') && id.endsWith('-b32'))
    );
  };
  const isMeasured = ({ id, large, batch }: OneBitShape) =>
    named?.includes(id) ?? !((software && large) || (quick && batch > 1));
  const chosen = kernels.filter(runs);
  return {
    kernels: chosen,
    // A large one would be a single submit of minutes in software.
    backward: chosen.filter(
      ({ id, large }) =>
        !(software && large) &&
        (named !== undefined ||
          (software && quick ? BACKWARD_QUICKLY : BACKWARD).has(id) ||
          (!software && id === matMulProduct(4096, 4096, 4096).id)),
    ),
    layers: layers.filter(runs),
    geometry: geometry.filter((id) => named === undefined || named.includes(id)),
    models: wants('training') ? models : [],
    oneBit: oneBit.filter(isMeasured),
    leftOut:
      named === undefined
        ? [
            ...kernels.filter((product) => !runs(product)),
            ...oneBit.filter((shape) => !isMeasured(shape)),
          ].map(({ id }) => id)
        : [],
  };
}

/** Of which products the backward products are measured. */
const BACKWARD = new Set([...residualConvolutions(1), matMulProduct(512, 1024, 512)].map(({ id }) => id));

const BACKWARD_QUICKLY = new Set([...BACKWARD].filter((id) => /^matmul|-28x|-7x/.test(id)));

function assertKnown(what: string, given: string, known: readonly string[]): void {
  if (known.includes(given)) return;
  throw new OptionError(`The benchmark has no ${what} of this name.`, { given, expected: known.join(', ') });
}

/**
 * @throws OptionError for what there isn't, before anything is measured; GpuValidationError at the first output that is
 *   wrong
 */
export async function runBench(
  gpu: Gpu,
  options: BenchOptions,
  hooks: BenchHooks = {},
): Promise<BenchFigures> {
  const { software } = gpu.adapter;
  const { quick = false } = options;
  const batch = options.batch === undefined ? {} : { batch: options.batch };
  const work = planBench(options, software);
  const runs = quick ? 3 : 7;
  // A machine is fast or slow for longer than a few runs of a short kernel take.
  const least = quick ? 0 : 400;
  const missingPeers: MissingPeer[] = [];
  const outOfTime: string[] = [];
  const inTime = timeKeeper(options, outOfTime);
  const figures = {
    version: 1 as const,
    adapter: gpu.adapter,
    timestamps: gpu.features.has('timestamp-query'),
    quick,
    ceilings: undefined as Ceilings | undefined,
    cpu: undefined as CpuFigures | undefined,
    kernels: [] as ProductResult[],
    backward: [] as BackwardResult[],
    peers: [] as PeerResult[],
    missingPeers,
    layers: [] as ProductResult[],
    cnv: [] as CnvResult[],
    geometry: [] as GeometryResult[],
    training: [] as TrainingResult[],
    peerTraining: [] as PeerTrainingResult[],
    importTraining: [] as ImportTrainingResult[],
    memory: [] as KeptActivations[],
    oneBit: [] as OneBitResult[],
    leftOut: work.leftOut,
    outOfTime,
  };
  const snapshot = (): BenchFigures => {
    const { ceilings, cpu, ...rest } = figures;
    return {
      ...rest,
      ...(ceilings === undefined ? {} : { ceilings }),
      ...(cpu === undefined ? {} : { cpu }),
    };
  };
  const done = async (section: Section) => hooks.done?.(section, snapshot());
  const measuring = (what: string) => hooks.measuring?.(what);
  const products = [...work.kernels, ...work.layers];

  // First, so that ONNX Runtime starts with one thread, and nothing was compiled before.
  if (options.suites.includes('cpu') && options.shapes === undefined) {
    const peers = options.peers === true;
    const ort = peers
      ? await attempt('ONNX Runtime Web WASM', missingPeers, () => optional<OrtWasm>('onnxruntime-web'))
      : undefined;
    figures.cpu = await benchCpu(gpu, ort, { quick, measuring });
    await done('cpu');
  }

  if (products.length > 0 || work.geometry.length > 0 || work.oneBit.length > 0) {
    measuring('ceilings');
    figures.ceilings = await measureCeilings(gpu, { runs, sample: software ? 1 : 5 });
    await done('ceilings');
  }
  const { ceilings } = figures;
  if (options.tune ?? (!software && !quick)) {
    measuring('kernels to choose from');
    await tuneFor(gpu, products, work.backward);
  }

  if (ceilings !== undefined && work.kernels.length > 0) {
    const results = new Map<string, Float32Array<ArrayBuffer>>();
    for (const product of work.kernels) {
      if (!inTime('kernels', product.name, figures.kernels)) continue;
      measuring(product.name);
      const also = async (result: Float32Array<ArrayBuffer>) => {
        if (options.peers && isShared(product, software, quick)) results.set(product.id, result);
      };
      const few = software && product.macs > 2e9 ? 1 : runs;
      figures.kernels.push(await benchProduct(gpu, product, ceilings, { runs: few, least, also }));
    }
    for (const product of work.backward) {
      if (!inTime('kernels', `${product.name}, backward`, figures.backward)) continue;
      measuring(`${product.name}, backward`);
      figures.backward.push(
        ...(await benchBackward(gpu, product, ceilings, { runs: software ? 3 : runs, least })),
      );
    }
    if (options.peers) {
      for (const open of [openTensorFlow, openOnnxWebGpu, openOnnxWasm, openJax]) {
        await withPeer(gpu, open, missingPeers, async (peer) => {
          for (const product of work.kernels) {
            const result = results.get(product.id);
            if (result === undefined || !peer.kinds.includes(product.kind)) continue;
            if (!inTime('kernels', `${product.name}, ${peer.name}`, figures.peers)) continue;
            measuring(`${product.name}, ${peer.name}`);
            const time = await attempt(`${peer.name}, ${product.name}`, missingPeers, () =>
              peer.time(product, result, software && quick ? 2 : software || quick ? 3 : runs),
            );
            if (time === undefined) continue;
            const binary = await timeBinary(gpu, product, result, ceilings, { runs, least });
            const { name: peerName, runsOn } = peer;
            const { id, name } = product;
            const ratio = time.median / binary.median;
            figures.peers.push({ peer: peerName, runsOn, id, name, time, binary, ratio });
          }
        });
      }
    }
    await done('kernels');
  }

  if (ceilings !== undefined && work.layers.length > 0) {
    for (const product of work.layers) {
      if (!inTime('layers', product.name, figures.layers)) continue;
      measuring(product.name);
      figures.layers.push(await benchProduct(gpu, product, ceilings, { runs: software ? 3 : runs, least }));
    }
    if (options.peers && options.shapes === undefined && inTime('layers', 'CNV', ENOUGH)) {
      measuring('CNV');
      const cnv = await attempt('CNV', missingPeers, () => benchCnv(gpu, { runs: quick ? 3 : 5 }));
      if (cnv !== undefined && 'ratio' in cnv) figures.cnv.push(cnv);
      else if (cnv !== undefined) missingPeers.push({ ...cnv, name: `${cnv.name}, CNV` });
    }
    await done('layers');
  }

  if (ceilings !== undefined && work.geometry.length > 0) {
    measuring('statistics of filters');
    figures.geometry.push(...(await benchGeometry(gpu, ceilings, runs, work.geometry)));
    await done('geometry');
  }

  if (work.models.length > 0) {
    for (const model of work.models) {
      if (!inTime('training', `training step of ${model}`, figures.training)) continue;
      measuring(`training step of ${model}`);
      const task = { ...trainingOptions(model, software, quick), ...batch };
      figures.training.push(await benchTraining(gpu, model, task));
      figures.memory.push(keptActivations(gpu, model, model === 'binarynet' ? 128 : 100));
    }
    if (options.peers) {
      await withPeer(gpu, openTensorFlow, missingPeers, async (peer) => {
        for (const model of work.models) {
          const usual = peerTask(model, software, quick);
          if (usual === undefined) continue;
          const task = { ...usual, ...batch };
          if (!inTime('training', `training step of ${model}, ${peer.name}`, ENOUGH)) continue;
          measuring(`training step of ${model}, ${peer.name}`);
          const result = await attempt(`${peer.name}, training step of ${model}`, missingPeers, () =>
            trainBeside(gpu, peer, model, task),
          );
          if (result !== undefined) figures.peerTraining.push(result);
          measuring(`training step of ${model}, ${peer.name} with this import`);
          const both = await attempt(
            `${peer.name} with this import, training step of ${model}`,
            missingPeers,
            () => trainWithImport(peer, model, task),
          );
          if (both !== undefined) figures.importTraining.push(both);
        }
      });
    }
    await done('training');
  }

  if (ceilings !== undefined && work.oneBit.length > 0) {
    for (const shape of work.oneBit) {
      // With other suites beside it, a quick run may have no time for any of it.
      if (!inTime('one-bit', shape.name, options.suites.length > 1 ? ENOUGH : figures.oneBit)) continue;
      measuring(`weights of one bit, ${shape.name}`);
      const isLong = shape.large && software;
      const rounds = isLong ? 1 : runs;
      const missing = (peer: MissingPeer) => {
        if (!missingPeers.some(({ name }) => name === peer.name)) missingPeers.push(peer);
      };
      if (isLong && options.peers === true) {
        const reason = 'not measured in software, where 16 rows take it 3 to 7 s on two quiet cores';
        missing({ name: `ONNX Runtime Web WebGPU, ${shape.name}`, reason });
      }
      const settings = {
        peers: options.peers === true ? [onnxOnWasm, ...(isLong ? [] : [onnxOnWebGpu])] : [],
        rounds,
        copy: ceilings.copy.perSecond,
        missing,
      };
      figures.oneBit.push(...(await benchOneBit(gpu, shape, settings)));
    }
    await done('one-bit');
  }
  return snapshot();
}

/** Of the seconds of a quick run, those after which a part of it begins nothing more. */
const SHARES: Readonly<Record<Section, number>> = {
  cpu: 1,
  ceilings: 1,
  kernels: 0.4,
  layers: 0.6,
  geometry: 0.7,
  training: 0.85,
  'one-bit': 0.9,
};

/** Of what may be left out altogether. */
const ENOUGH: readonly unknown[] = [undefined];

/** Says whether there is time for a figure, and keeps the names of those that there is none for. */
function timeKeeper({ seconds, quick = false, shapes }: BenchOptions, outOfTime: string[]) {
  const start = performance.now();
  const all = seconds ?? (quick && shapes === undefined ? 110 : Number.POSITIVE_INFINITY);
  return (section: Section, name: string, soFar: readonly unknown[]): boolean => {
    const spent = (performance.now() - start) / 1000;
    if (soFar.length === 0 || spent < SHARES[section] * all) return true;
    outOfTime.push(name);
    return false;
  };
}

/** Whether peers compute a product too: they take long in software. */
function isShared({ macs, kind, a }: Product, software: boolean, quick: boolean): boolean {
  if (!software) return macs <= 4096 ** 3;
  if (quick) return kind === 'conv' ? a[0] === 1 && a[3] === 256 : macs <= 100 * 512 ** 2;
  return kind === 'conv' ? a[0] === 1 : macs <= 512 ** 3;
}

/** What of a model is trained beside a peer. A software adapter takes minutes over the steps of large batches there. */
function peerTask(model: BenchModel, software: boolean, quick: boolean): TrainingOptions | undefined {
  const batches = software ? { mlp: 100, cnn: 10, binarynet: 2 } : { mlp: 100, cnn: 100, binarynet: 50 };
  if (software && quick && model !== 'mlp') return undefined;
  const steps = software ? (model === 'binarynet' || quick ? 2 : 3) : quick ? 5 : 20;
  return { batch: batches[model], steps, seed: 1, learningRate: 0.001, sameBatch: true };
}

/** Losses of the same step by both: signs of values near 0 may fall either way, which moves a loss a little. */
const LOSS_TOLERANCE = 0.05;

/** @throws GpuValidationError where losses of the same step differ by more than a few signs do */
function assertSameLoss(own: number, theirs: number, whose: string, where: string): void {
  if (Math.abs(theirs / own - 1) < LOSS_TOLERANCE) return;
  throw new GpuValidationError('The loss of a training step is another than the peer finds.', {
    given: String(own),
    expected: `${theirs}, by ${whose}`,
    where,
  });
}

async function trainBeside(
  gpu: Gpu,
  peer: Peer,
  model: BenchModel,
  options: TrainingOptions,
): Promise<PeerTrainingResult> {
  if (peer.train === undefined) throw new OptionError('This peer does not train.', { given: peer.name });
  const { batch, steps, seed = 1, learningRate = 0.001 } = options;
  const theirs = await peer.train({ model, batch, seed, learningRate }, steps);
  const own = await benchTraining(gpu, model, options);
  const firstLoss = { peer: theirs.losses[0] ?? Number.NaN, binary: own.losses[0] ?? Number.NaN };
  assertSameLoss(
    firstLoss.binary,
    firstLoss.peer,
    peer.name,
    `training step of ${model}, batch ${batch}, first step`,
  );
  return {
    peer: peer.name,
    model,
    batch,
    time: theirs.step,
    binary: own.step,
    ratio: theirs.step.median / own.step.median,
    firstLoss,
  };
}

async function trainWithImport(
  peer: Peer,
  model: BenchModel,
  { batch, steps, seed = 1, learningRate = 0.001 }: TrainingOptions,
): Promise<ImportTrainingResult> {
  if (peer.trainBothWays === undefined) {
    throw new OptionError('There is no import for this peer.', { given: peer.name });
  }
  const both = await peer.trainBothWays({ model, batch, seed, learningRate }, steps);
  const losses = { with: both.with.losses.slice(0, 2), without: both.without.losses.slice(0, 2) };
  losses.with.forEach((own, step) => {
    const where = `training step of ${model} with webgpu-bnn/tfjs, batch ${batch}, step ${step + 1}`;
    assertSameLoss(own, losses.without[step] ?? Number.NaN, `${peer.name} without it`, where);
  });
  return {
    peer: peer.name,
    model,
    batch,
    with: both.with.step,
    without: both.without.step,
    ratio: both.without.step.median / both.with.step.median,
    losses,
  };
}

async function withPeer(
  gpu: Gpu,
  open: (gpu: Gpu) => Promise<Peer | MissingPeer>,
  missing: MissingPeer[],
  body: (peer: Peer) => Promise<void>,
): Promise<void> {
  const peer = await open(gpu);
  if (!('time' in peer)) {
    if (!missing.some(({ name }) => name === peer.name)) missing.push(peer);
    return;
  }
  try {
    await body(peer);
  } finally {
    await peer.dispose();
  }
}

/** A figure that a peer may fail to give. A result that differs fails the run: one of the two is wrong. */
async function attempt<T>(
  name: string,
  missing: MissingPeer[],
  body: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await body();
  } catch (cause) {
    if (cause instanceof GpuValidationError) throw cause;
    missing.push({ name, reason: firstLine(cause) });
    return undefined;
  }
}
