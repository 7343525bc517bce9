/** The figures of a benchmark as tables: heads and rows of text, which the terminal and the report both show. */
import type {
  BackwardResult,
  BenchFigures,
  Ceilings,
  CnvResult,
  CpuFigures,
  GeometryResult,
  ImportTrainingResult,
  KeptActivations,
  OneBitResult,
  PeerResult,
  PeerTrainingResult,
  ProductResult,
  Section,
  Timing,
  TrainingResult,
} from '../bench/index.ts';
import { megabytes } from './words.ts';

export interface TextTable {
  readonly title: string;
  /** The first column is names, the others are figures. */
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
  readonly note?: string;
}

/** Parts of a run, in the order in which they are shown. */
export const SECTIONS = [
  'cpu',
  'ceilings',
  'kernels',
  'layers',
  'geometry',
  'training',
  'one-bit',
] as const satisfies readonly Section[];

const SAME_BITS = 'All outputs agree to the bit.';

/** The tables of a part of a run; none for a part that has no figures. */
export function tablesOf(section: Section, figures: BenchFigures): TextTable[] {
  const { ceilings } = figures;
  const tables: Readonly<Record<Section, () => TextTable[]>> = {
    cpu: () => (figures.cpu === undefined ? [] : cpuTables(figures.cpu)),
    ceilings: () => (ceilings === undefined ? [] : [ceilingTable(ceilings)]),
    kernels: () => [
      productTable('Kernels', 'kernel', figures.kernels),
      backwardTable(figures.backward),
      peerTable(figures.peers),
    ],
    layers: () => [
      productTable('Layers of binarynet and QuickNet', 'layer', figures.layers),
      cnvTable(figures.cnv),
    ],
    geometry: () => [geometryTable(figures.geometry)],
    training: () => [
      trainingTable(figures.training),
      peerTrainingTable(figures.peerTraining),
      importTrainingTable(figures),
      memoryTable(figures.memory),
    ],
    'one-bit': () => [oneBitTable(figures.oneBit)],
  };
  return tables[section]().filter(({ rows }) => rows.length > 0);
}

function cpuTables({ peer, clock, rows, first, memory }: CpuFigures): TextTable[] {
  const time = (timing: Timing | undefined) =>
    timing === undefined ? '-' : `${milliseconds(timing.median)} (${milliseconds(timing.fastest)})`;
  const ratio = (of: Timing | undefined, own: Timing | undefined) =>
    of === undefined || own === undefined
      ? '-'
      : `${times(of.median / own.median)} (${times(of.fastest / own.fastest)})`;
  const by = clock === 'processor' ? 'by the time that the process computed' : 'by the clock on the wall';
  return [
    {
      title: 'On the processor',
      head: ['work', 'one thread', 'f32 peer', 'ratio', 'two threads', 'kernels', 'ratio'],
      rows: rows.map(({ name, one, two, float, gpu }) => [
        name,
        ...[time(one), time(float), ratio(float, one)],
        ...[time(two), time(gpu), ratio(gpu, two)],
      ]),
      note: `Medians of runs in turns, in one process; the fastest in brackets. The peer is ${peer ?? 'absent'}, in one thread: it and one thread are timed ${by}. Kernels are this library's on the adapter: they and two threads are timed by the clock on the wall. Convolutions run from packed bits to packed bits, the peer's from floats to floats; their results agree to the bit.`,
    },
    {
      title: 'The engine of the processor',
      head: ['what', 'figure'],
      rows: [
        ['CNV, from a model in memory to its first scores', milliseconds(first)],
        ['CNV, weights at one bit', `${(memory.weights / 1e3).toFixed(0)} kB`],
        ['CNV, all of its memory', `${(memory.all / 1e3).toFixed(0)} kB`],
        [`growth of its memory over ${memory.calls} calls`, `${memory.grown} bytes`],
      ],
    },
  ];
}

/** The figures of several adapters beside each other: a row a figure, a column an adapter. */
export function acrossAdapters(
  reports: readonly (Pick<BenchFigures, 'ceilings' | 'kernels' | 'layers' | 'training'> & {
    readonly adapter: { readonly name: string };
  })[],
): TextTable {
  const columns = reports.map((report) => new Map(mainFigures(report)));
  const names = [...new Set(columns.flatMap((column) => [...column.keys()]))];
  return {
    title: 'Figures of all adapters',
    head: ['figure', ...reports.map(({ adapter }, index) => `${index + 1}: ${adapter.name}`)],
    rows: names.map((name) => [name, ...columns.map((column) => column.get(name) ?? '-')]),
  };
}

function mainFigures({
  ceilings,
  kernels,
  layers,
  training,
}: Pick<BenchFigures, 'ceilings' | 'kernels' | 'layers' | 'training'>): [string, string][] {
  const rates = ceilings === undefined ? [] : ceilingRates(ceilings);
  return [
    ...rates.map(([name, { perSecond }, unit]): [string, string] => [name, inBillions(perSecond, unit)]),
    ...[...kernels, ...layers].map(({ name, macs, binary }): [string, string] => [
      `${name}, binary`,
      `${((2 * macs) / binary.median / 1e6).toFixed(1)} GOPS`,
    ]),
    ...training.map(({ model, batch, imagesPerSecond }): [string, string] => [
      `training ${model}, batch ${batch}`,
      `${imagesPerSecond.toFixed(0)} images/s`,
    ]),
  ];
}

function ceilingRates(ceilings: Pick<Ceilings, 'popcounts' | 'logic' | 'multiplyAdds' | 'copy'>) {
  return [
    ['population counts of 32 bits', ceilings.popcounts, 'G/s'],
    ['exclusive-ors of 32 bits', ceilings.logic, 'G/s'],
    ['f32 multiply-adds', ceilings.multiplyAdds, 'G/s'],
    ['copying, read + written', ceilings.copy, 'GB/s'],
  ] as const;
}

const inBillions = (perSecond: number, unit: string) => `${(perSecond / 1e9).toFixed(2)} ${unit}`;

function ceilingTable(ceilings: Ceilings): TextTable {
  const overheads = [
    ['one more dispatch', ceilings.dispatch],
    ['one more submit', ceilings.submit],
    ['submit and wait', ceilings.roundTrip],
  ] as const;
  return {
    title: 'Ceilings',
    head: ['ceiling', 'rate', 'median', 'spread'],
    rows: [
      ...ceilingRates(ceilings).map(([name, { perSecond, time }, unit]) => [
        name,
        inBillions(perSecond, unit),
        milliseconds(time.median),
        spread(time),
      ]),
      ...overheads.map(([name, time]) => [name, '', microseconds(time.median), spread(time, microseconds)]),
    ],
    note: 'What the adapter does at most, in kernels that do nothing else; their results were compared with exact ones.',
  };
}

function productTable(title: string, what: string, results: readonly ProductResult[]): TextTable {
  const rate = (macs: number, time: number) => ((2 * macs) / time / 1e6).toFixed(1);
  return {
    title,
    head: [
      what,
      'binary',
      'spread',
      'GPU clock',
      'binary GOPS',
      'of popcount',
      'of memory',
      'f32',
      'f32 GFLOPS',
      'of multiply-add',
      'ratio',
    ],
    rows: results.map(({ name, macs, binary, binaryOnGpu, float, ratio, shares }) => [
      name,
      milliseconds(binary.median),
      spread(binary),
      onGpu(binaryOnGpu),
      rate(macs, binary.median),
      percent(shares.popcounts),
      percent(shares.memory),
      milliseconds(float.median),
      rate(macs, float.median),
      percent(shares.multiplyAdds),
      times(ratio),
    ]),
    note: `${SAME_BITS} Shares are of the ceilings: population counts as plain counting needs them, bytes of operands and result, multiply-adds of the f32 form.`,
  };
}

function backwardTable(results: readonly BackwardResult[]): TextTable {
  return {
    title: 'Backward products with signs',
    head: [
      'product',
      'with signs',
      'spread',
      'GPU clock',
      'reads',
      'of multiply-add',
      'f32',
      'GPU clock',
      'reads',
      'of multiply-add',
      'ratio',
    ],
    rows: results.map(({ name, binary, binaryOnGpu, float, floatOnGpu, bytesRead, shares, ratio }) => [
      name,
      milliseconds(binary.median),
      spread(binary),
      onGpu(binaryOnGpu),
      megabytes(bytesRead.binary),
      percent(shares.binary),
      milliseconds(float.median),
      onGpu(floatOnGpu),
      megabytes(bytesRead.float),
      percent(shares.float),
      times(ratio),
    ]),
    note: `${SAME_BITS} A sum of signed gradients counts as many multiply-adds as the product of floats. The f32 form is this library's own; gradients are whole numbers, so that sums are exact.`,
  };
}

function peerTable(results: readonly PeerResult[]): TextTable {
  return {
    title: 'Other libraries, in f32',
    head: ['kernel', 'library', 'on', 'its f32', 'spread', 'binary', 'ratio'],
    rows: results.map(({ name, peer, runsOn, time, binary, ratio }) => [
      name,
      peer,
      runsOn,
      milliseconds(time.median),
      spread(time),
      milliseconds(binary.median),
      times(ratio),
    ]),
    note: `${SAME_BITS} The binary form is timed anew right after each library, since machines have slow and fast spells.`,
  };
}

function oneBitTable(results: readonly OneBitResult[]): TextTable {
  const floatOf = ({ id }: OneBitResult) =>
    results.find((result) => result.id === id && result.way === 'f32')?.time.median ?? Number.NaN;
  return {
    title: 'Weights of one bit, real activations',
    head: ['inputs x outputs', 'way', 'on', 'weights', 'time', 'spread', 'f32 over it', 'of copy', 'error'],
    rows: results.map((result) => [
      result.name,
      result.way,
      result.runsOn,
      megabytes(result.bytes),
      milliseconds(result.time.median),
      spread(result.time),
      times(floatOf(result) / result.time.median),
      result.ofCopy === undefined ? '' : percent(result.ofCopy),
      result.error.toExponential(1),
    ]),
    note: "Signs, or ternary weights, with an f16 scale for 128 of them; MatMulNBits has the same signs as codes of 2 and 4 bits with f32 scales. All ways of a shape run in turns. `f32` is this library's product of floats. The error is the largest, of the largest output, against float64; of copy are the bytes of weights a second, over those that a copy reads and writes.",
  };
}

function cnvTable(results: readonly CnvResult[]): TextTable {
  return {
    title: 'CNV of BNN-PYNQ, from host to host',
    head: [
      'batch',
      'images/s',
      'a batch',
      'spread',
      'weights',
      'peer, in f32',
      'images/s',
      'weights',
      'ratio',
    ],
    rows: results.map(({ batch, imagesPerSecond, binary, weightBytes, peer, ratio }) => [
      String(batch),
      imagesPerSecond.binary.toFixed(0),
      milliseconds(binary.median),
      spread(binary),
      megabytes(weightBytes.binary),
      peer,
      imagesPerSecond.float.toFixed(0),
      megabytes(weightBytes.float),
      times(ratio),
    ]),
    note: 'The scores of the float network with signs between its layers are the same; what is timed has ReLU there.',
  };
}

function geometryTable(results: readonly GeometryResult[]): TextTable {
  return {
    title: 'Statistics of latent filters',
    head: ['geometry', 'time', 'spread', 'GPU clock', 'GB/s', 'of memory', 'plain loop', 'ratio'],
    rows: results.map(({ name, bytes, time, onGpu: stamped, share, plain, ratio }) => [
      name,
      milliseconds(time.median),
      spread(time),
      onGpu(stamped),
      (bytes / time.median / 1e6).toFixed(1),
      percent(share),
      milliseconds(plain.median),
      times(ratio),
    ]),
    note: 'The plain loop takes the same statistics of a typed array, on one thread of JavaScript.',
  };
}

function trainingTable(results: readonly TrainingResult[]): TextTable {
  return {
    title: 'Training steps',
    head: [
      'training step',
      'batch',
      'images/s',
      'step',
      'spread',
      'GPU clock',
      'dispatches',
      'submits',
      'readbacks',
      'JavaScript',
      'encoding',
      'first step',
      'GPU memory',
    ],
    rows: results.map((result) => [
      result.model,
      String(result.batch),
      result.imagesPerSecond.toFixed(0),
      milliseconds(result.step.median),
      spread(result.step),
      onGpu(result.onGpu),
      String(result.dispatches),
      result.submitsPerStep.toFixed(2),
      result.readbacksPerStep.toFixed(2),
      milliseconds(result.javascript.median),
      milliseconds(result.encoding.median),
      milliseconds(result.firstStep),
      megabytes(result.plannedBytes),
    ]),
    note: 'The loss is read back after every step here; a training reads a group of steps at once. JavaScript is what the host does between two waits, encoding what one step of a group costs it.',
  };
}

function peerTrainingTable(results: readonly PeerTrainingResult[]): TextTable {
  return {
    title: 'The same training steps by another library, with float signs',
    head: [
      'training step',
      'library',
      'batch',
      'its step',
      'spread',
      'this library',
      'ratio',
      'first losses',
    ],
    rows: results.map(({ model, peer, batch, time, binary, ratio, firstLoss }) => [
      model,
      peer,
      String(batch),
      milliseconds(time.median),
      spread(time),
      milliseconds(binary.median),
      times(ratio),
      `${firstLoss.peer.toPrecision(5)} and ${firstLoss.binary.toPrecision(5)}`,
    ]),
    note: 'The same weights, batch, loss and optimizer; the first loss of both is compared.',
  };
}

function importTrainingTable({ importTraining, peerTraining }: BenchFigures): TextTable {
  const ownOf = ({ model, batch }: ImportTrainingResult) =>
    peerTraining.find((result) => result.model === model && result.batch === batch)?.binary;
  const both = ([first = Number.NaN, second = Number.NaN]: readonly number[]) =>
    `${first.toPrecision(5)}, ${second.toPrecision(5)}`;
  return {
    title: 'TensorFlow.js with this import and without',
    head: [
      'training step',
      'library',
      'batch',
      'without',
      'spread',
      'with webgpu-bnn/tfjs',
      'spread',
      'ratio',
      'this library alone',
      'losses without',
      'losses with',
    ],
    rows: importTraining.map((result) => {
      const own = ownOf(result);
      return [
        result.model,
        result.peer,
        String(result.batch),
        milliseconds(result.without.median),
        spread(result.without),
        milliseconds(result.with.median),
        spread(result.with),
        times(result.ratio),
        own === undefined ? '-' : milliseconds(own.median),
        both(result.losses.without),
        both(result.losses.with),
      ];
    }),
    note: "The same layers, weights, batch, loss and optimizer, step by step in turns: once in TensorFlow.js' own operations, once in this library's kernels. The losses of the first two steps of both are compared; gradients led to the second.",
  };
}

function memoryTable(results: readonly KeptActivations[]): TextTable {
  return {
    title: 'Activations kept for the backward pass',
    head: ['network', 'batch', 'kept', 'as floats', 'share'],
    rows: results.map(({ model, batch, bytes, asFloats, share }) => [
      model,
      String(batch),
      megabytes(bytes),
      megabytes(asFloats),
      percent(share),
    ]),
    note: 'From the memory plan. As floats: the outputs of all layers, and the signs of quantized inputs, in f32.',
  };
}

export function milliseconds(value: number): string {
  return value < 10 ? `${value.toFixed(2)} ms` : `${value.toFixed(0)} ms`;
}

function microseconds(value: number): string {
  return `${(1000 * value).toFixed(1)} us`;
}

export function seconds(value: number): string {
  return value < 120 ? `${value.toFixed(0)} s` : `${(value / 60).toFixed(1)} min`;
}

/** What was not measured though it belongs to the suites, and why; `--shapes` measures it all the same. Empty for nothing. */
export function leftOutOf({
  leftOut,
  outOfTime,
  adapter,
  quick,
}: Pick<BenchFigures, 'leftOut' | 'outOfTime' | 'adapter' | 'quick'>): string {
  const reasons = [
    ...(adapter.software ? ['a software adapter takes minutes over the largest'] : []),
    ...(quick ? ['--quick leaves large batches out'] : []),
  ];
  return [
    ...(leftOut.length === 0
      ? []
      : [`${leftOut.join(', ')} (${reasons.join('; ')}; name them with --shapes to measure them)`]),
    ...(outOfTime.length === 0
      ? []
      : [`${outOfTime.join('; ')} (the two minutes of --quick were over: measure without it)`]),
  ].join('; and ');
}

export function percent(share: number): string {
  return `${(100 * share).toFixed(0)} %`;
}

function times(ratio: number): string {
  return `${ratio.toFixed(1)}x`;
}

function onGpu(time: Timing | undefined): string {
  return time === undefined ? '-' : milliseconds(time.median);
}

function spread({ fastest, slowest }: Timing, format: (value: number) => string = milliseconds): string {
  const [from, to] = [format(fastest), format(slowest)];
  const unit = to.slice(to.indexOf(' '));
  return `${from.endsWith(unit) ? from.slice(0, -unit.length) : from} to ${to}`;
}
