/**
 * `webgpu-bnn bench`: what the adapter can do at most, how near this library's kernels come to it, how they compare with
 * f32 kernels (its own, and other libraries'), and the training step of each model. It parses, calls `src/bench`, prints.
 */
import Table from 'cli-table3';
import { Command, InvalidArgumentError, Option } from 'commander';
import {
  benchGeometry,
  benchProduct,
  benchTraining,
  binarynetLayers,
  type Ceilings,
  type GeometryResult,
  type MissingPeer,
  matMuls,
  measureCeilings,
  openTensorFlow,
  type Peer,
  type Product,
  type ProductResult,
  residualConvolutions,
  type Timing,
  type TrainingResult,
} from '../bench/index.ts';
import { type Gpu, MODEL_NAMES, type ModelName } from '../index.ts';
import { type AdapterOptions, acquire, describeAdapter, withAdapter } from './options.ts';
import { emit, megabytes } from './output.ts';

const SUITES = ['kernels', 'layers', 'training', 'geometry'] as const;
type Suite = (typeof SUITES)[number];

interface Flags extends AdapterOptions {
  readonly suite: Suite | 'all';
  readonly models: readonly ModelName[];
  readonly quick: boolean;
  readonly peers: boolean;
  readonly json?: string;
}

interface PeerResult {
  readonly peer: string;
  readonly name: string;
  readonly time: Timing;
  readonly binary: Timing;
  /** Median time of the peer over median binary time, both by the host's clock. */
  readonly ratio: number;
}

export function benchCommand(): Command {
  return withAdapter(new Command('bench'))
    .description('measure the kernels and the training steps on this machine')
    .addOption(new Option('--suite <name>', 'what to measure').choices([...SUITES, 'all']).default('all'))
    .addOption(
      new Option('--models <list>', 'whose training step to measure, separated by commas')
        .argParser(modelList)
        .default([...MODEL_NAMES], MODEL_NAMES.join(',')),
    )
    .option('--peers', 'measure other libraries as well, on the same device (suite kernels)', false)
    .option('--quick', 'fewer repetitions, and batch 1 only', false)
    .option('--json <file>', "write the figures here as well ('-' for standard output)")
    .addHelpText(
      'after',
      `
Examples:
  $ webgpu-bnn bench
  $ webgpu-bnn bench --suite kernels --peers
  $ webgpu-bnn bench --suite kernels --toggles disable_robustness
  $ webgpu-bnn bench --suite training --models mlp --json figures.json`,
    )
    .action(bench);
}

async function bench(flags: Flags): Promise<void> {
  const gpu = await acquire(flags);
  const { software } = gpu.adapter;
  const say = (text: string) => {
    if (flags.json !== '-') console.log(text);
  };
  const wants = (suite: Suite) => flags.suite === 'all' || flags.suite === suite;
  const toggles = flags.toggles?.split(',') ?? [];
  say(`adapter  ${describeAdapter(gpu)}`);
  say(`toggles  ${toggles.join(', ') || 'none (the defaults, as in a browser)'}`);
  say(
    'times    medians and spread by the clock of this machine, warm-up apart; what kernels compute is checked\n',
  );

  const runs = flags.quick ? 3 : 7;
  let ceilings: Ceilings | undefined;
  if (flags.suite !== 'training') {
    ceilings = await measureCeilings(gpu, { runs, sample: software ? 1 : 5 });
    say(`${ceilingTable(ceilings)}\n`);
  }

  const peers: PeerResult[] = [];
  const missing: MissingPeer[] = [];
  const kernels: ProductResult[] = [];
  if (ceilings !== undefined && wants('kernels')) {
    const peer = flags.peers ? await openPeer(gpu, missing) : undefined;
    for (const product of [...matMuls(software), ...residualConvolutions(1)]) {
      // A peer takes long over a product on a software adapter.
      const shared = peer !== undefined && (product.kind === 'conv' || isSmall(product));
      kernels.push(await benchProductAndPeer(gpu, product, ceilings, runs, shared ? peer : undefined, peers));
    }
    if (!flags.quick) {
      for (const product of residualConvolutions(32)) {
        kernels.push(await benchProduct(gpu, product, ceilings, { runs: software ? 1 : runs }));
      }
    }
    say(productTable('kernel', kernels));
    if (software) say('Left out on a software adapter: matmul 2048 to 8192 and 4096 x 784 x 4096.');
    say('');
    if (peers.length > 0) say(`${peerTable(peers)}\n`);
    for (const { name, reason } of missing) say(`Not measured: ${name}: ${reason}\n`);
    peer?.dispose();
  }

  const layers: ProductResult[] = [];
  if (ceilings !== undefined && wants('layers')) {
    const batch = software ? (flags.quick ? 1 : 4) : 50;
    for (const product of binarynetLayers(batch)) {
      layers.push(await benchProduct(gpu, product, ceilings, { runs: software ? 3 : runs }));
    }
    say(`${productTable('layer of binarynet', layers)}\n`);
  }
  const geometry: GeometryResult[] = [];
  if (ceilings !== undefined && wants('geometry')) {
    geometry.push(...(await benchGeometry(gpu, ceilings, runs)));
    say(`${geometryTable(geometry)}\n`);
  }
  const training: TrainingResult[] = [];
  if (wants('training')) {
    for (const model of flags.models) training.push(await benchTraining(gpu, model, flags.quick));
    say(trainingTable(training));
  }

  const figures = {
    adapter: { name: describeAdapter(gpu), ...gpu.adapter },
    toggles,
    date: new Date().toISOString(),
    ...(ceilings === undefined ? {} : { ceilings }),
    kernels,
    peers,
    missingPeers: missing,
    layers,
    geometry,
    training,
  };
  const json = `${JSON.stringify(figures, null, 2)}\n`;
  await emit(json, flags.json);
  gpu.dispose();
}

async function openPeer(gpu: Gpu, missing: MissingPeer[]): Promise<Peer | undefined> {
  const opened = await openTensorFlow(gpu);
  if ('time' in opened) return opened;
  missing.push(opened);
  return undefined;
}

function isSmall({ macs }: Product): boolean {
  return macs <= 512 ** 3;
}

async function benchProductAndPeer(
  gpu: Gpu,
  product: Product,
  ceilings: Ceilings,
  runs: number,
  peer: Peer | undefined,
  peers: PeerResult[],
): Promise<ProductResult> {
  if (peer === undefined) return benchProduct(gpu, product, ceilings, { runs });
  const times: Timing[] = [];
  const also = async (result: Float32Array<ArrayBuffer>) => {
    times.push(await peer.time(product, result, Math.min(runs, gpu.adapter.software ? 3 : runs)));
  };
  const measured = await benchProduct(gpu, product, ceilings, { runs, also });
  for (const time of times) {
    const { binary, name } = measured;
    peers.push({ peer: peer.name, name, time, binary, ratio: time.median / binary.median });
  }
  return measured;
}

function tableOf(head: readonly string[]): InstanceType<typeof Table> {
  return new Table({
    head: [...head],
    colAligns: head.map((_, i) => (i === 0 ? 'left' : 'right')),
    style: { head: [], border: [] },
  });
}

function ceilingTable(ceilings: Ceilings): string {
  const table = tableOf(['ceiling', 'rate', 'median', 'spread']);
  const rows = [
    ['population counts of 32 bits', ceilings.popcounts, 'G/s'],
    ['exclusive-ors of 32 bits', ceilings.logic, 'G/s'],
    ['f32 multiply-adds', ceilings.multiplyAdds, 'G/s'],
    ['copying, read + written', ceilings.copy, 'GB/s'],
  ] as const;
  for (const [name, { perSecond, time }, unit] of rows) {
    table.push([name, `${(perSecond / 1e9).toFixed(2)} ${unit}`, milliseconds(time.median), spread(time)]);
  }
  const overheads = [
    ['one more dispatch', ceilings.dispatch],
    ['one more submit', ceilings.submit],
    ['submit and wait', ceilings.roundTrip],
  ] as const;
  for (const [name, time] of overheads) {
    table.push([name, '', microseconds(time.median), spread(time, microseconds)]);
  }
  return table.toString();
}

function productTable(what: string, results: readonly ProductResult[]): string {
  const table = tableOf([
    what,
    'binary',
    'spread',
    'binary GOPS',
    'of popcount',
    'of memory',
    'f32',
    'f32 GFLOPS',
    'of multiply-add',
    'ratio',
  ]);
  const rate = (macs: number, milliseconds: number) => ((2 * macs) / milliseconds / 1e6).toFixed(1);
  for (const result of results) {
    const { name, macs, ratio, shares } = result;
    // The GPU's own clock, where it has one, is apart from what the host takes to submit.
    const binary = result.binaryOnGpu ?? result.binary;
    const float = result.floatOnGpu ?? result.float;
    table.push([
      name,
      milliseconds(binary.median),
      spread(binary),
      rate(macs, binary.median),
      percent(shares.popcounts),
      percent(shares.memory),
      milliseconds(float.median),
      rate(macs, float.median),
      percent(shares.multiplyAdds),
      `${ratio.toFixed(1)}x`,
    ]);
  }
  return `${table.toString()}\nAll outputs agree to the bit.`;
}

function peerTable(results: readonly PeerResult[]): string {
  const table = tableOf(['kernel', 'peer', 'its f32', 'spread', 'binary', 'ratio']);
  for (const { name, peer, time, binary, ratio } of results) {
    table.push([
      name,
      peer,
      milliseconds(time.median),
      spread(time),
      milliseconds(binary.median),
      `${ratio.toFixed(1)}x`,
    ]);
  }
  return `${table.toString()}\nAll outputs agree to the bit.`;
}

function geometryTable(results: readonly GeometryResult[]): string {
  const table = tableOf(['geometry', 'time', 'spread', 'GB/s', 'of memory']);
  for (const { name, bytes, time, share } of results) {
    table.push([
      name,
      milliseconds(time.median),
      spread(time),
      (bytes / time.median / 1e6).toFixed(1),
      percent(share),
    ]);
  }
  return table.toString();
}

function trainingTable(results: readonly TrainingResult[]): string {
  const table = tableOf([
    'training step',
    'batch',
    'images/s',
    'step',
    'spread',
    'dispatches',
    'submits',
    'readbacks',
    'JavaScript',
    'first step',
    'GPU memory',
  ]);
  for (const result of results) {
    table.push([
      result.model,
      result.batch,
      result.imagesPerSecond.toFixed(0),
      milliseconds(result.step.median),
      spread(result.step),
      result.dispatches,
      result.submitsPerStep.toFixed(2),
      result.readbacksPerStep.toFixed(2),
      milliseconds(result.javascript),
      milliseconds(result.firstStep),
      megabytes(result.plannedBytes),
    ]);
  }
  return table.toString();
}

function milliseconds(value: number): string {
  return value < 10 ? `${value.toFixed(2)} ms` : `${value.toFixed(0)} ms`;
}

function microseconds(value: number): string {
  return `${(1000 * value).toFixed(1)} us`;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(0)} %`;
}

function spread({ fastest, slowest }: Timing, format: (value: number) => string = milliseconds): string {
  return `${format(fastest)} to ${format(slowest)}`;
}

function modelList(text: string): ModelName[] {
  return text.split(',').map((name) => {
    const known = MODEL_NAMES.find((model) => model === name);
    if (known === undefined)
      throw new InvalidArgumentError(`There is no model "${name}"; there are ${MODEL_NAMES.join(', ')}.`);
    return known;
  });
}
