/**
 * Dot-product proportionality during a forward pass over real data (Anderson & Berg 2018): for every filter of every
 * binary layer, how far the dot products with binarized weights, with binarized activations and with both are
 * proportional to those with continuous ones, on the data and on the same data without its structure.
 */

import { DISPOSE, Owner } from '../dispose.ts';
import { OptionError, ShapeError } from '../errors.ts';
import { describe, ProgramBuilder, runOnce, type Shape, sizeOf, Tensor } from '../gpu/index.ts';
import { type Network, recordForward } from '../graph/index.ts';
import { meanOf, standardError } from '../numerics/mean.ts';
import { FILTER_STATISTICS, type FilterStatistic, filterGeometry } from '../ops/geometry.ts';
import {
  addToPairHistogram,
  encodeGrid,
  mergeMoments,
  momentsFrom,
  NO_PAIRS,
  type PairGrid,
  type PairMoments,
  type Proportionality,
  pairMoments,
  proportionality,
} from '../ops/proportionality.ts';
import { assertKnownOptions, namesOf } from '../options.ts';
import { type BinaryLayer, COMPARISONS, dotProducts, operandOf, shuffled, windowOf } from './operands.ts';
import { addPatches, type PatchCovariance, patchCovariance, type Scatter } from './patch-covariance.ts';

/** Which samples and filters are compared. */
export interface ProportionalityOptions {
  /** Names of layers; all that have latent binary weights when absent. */
  readonly layers?: readonly string[];
  /** Samples that are in GPU memory at once; 50 when absent. */
  readonly batch?: number;
  /** Measure the control too, on permuted activations. Default true. */
  readonly permuted?: boolean;
  /** Cells along each axis of the two-dimensional histograms; 0 for none, 48 when absent. */
  readonly bins?: number;
  /** Patches of each sample that the covariance is estimated from; 0 for none, 8 when absent. Dense layers have one. */
  readonly patches?: number;
  /** Of the permutation and of the places of the patches; 1 when absent. */
  readonly seed?: number;
  /** Called after every batch. */
  readonly onProgress?: (done: number, samples: number) => void;
}

const OPTIONS = namesOf<ProportionalityOptions>({
  layers: true,
  batch: true,
  permuted: true,
  bins: true,
  patches: true,
  seed: true,
  onProgress: true,
});

/** A histogram of pairs: `counts[y · bins + x]`. */
export interface PairHistogram extends PairGrid {
  /** Pairs in each cell, row by row of y. */
  readonly counts: readonly number[];
}

/** Pairs of dot products, continuous ones (x) beside binarized ones (y), for all filters of a layer. */
export interface Comparison {
  /** Per filter: Pearson's correlation; NaN where the products don't vary, as with dead inputs. */
  readonly r: readonly number[];
  /** Per filter: slope of x ≈ slope·y + c. */
  readonly slopes: readonly number[];
  /** Per filter: share of the products whose sign changes. */
  readonly signChanges: readonly number[];
  /** Over the filters that have a correlation. */
  readonly meanR: number;
  /** Standard deviation of r over the filters. */
  readonly sdR: number;
  /**
   * Standard error of `meanR` over filters and images: from its spread over the filters, and over up to eight groups of
   * batches. NaN where there are fewer than two of either.
   */
  readonly errorR: number;
  /** Mean slope of the binarized product on the continuous one, over the filters. */
  readonly meanSlope: number;
  /** Mean share of the pairs whose signs differ, over the filters. */
  readonly meanSignChange: number;
  /** Filters without a correlation, left out of the means. */
  readonly undefinedFilters: number;
  /** All products of the layer as one set: mixes the filters' scales. */
  readonly pooled: Proportionality;
  /** Where the pairs lie; undefined where none was asked for. */
  readonly histogram: PairHistogram | undefined;
}

/** Products of a layer with continuous and with binary operands, compared. */
export interface Comparisons {
  /** A·w_c beside A·w_b, A as the network feeds it to the layer. */
  readonly weights: Comparison;
  /** A_c·w_b beside A_b·w_b; only where the layer binarizes its input. */
  readonly activations: Comparison | undefined;
  /** A_c·w_c beside A_b·w_b. */
  readonly both: Comparison | undefined;
}

/** The comparisons of a layer, with its name and sizes. */
export interface LayerProportionality extends Comparisons {
  /** Of the layer. */
  readonly name: string;
  /** Of the weights; the first axis counts filters. */
  readonly shape: Shape;
  /** How many filters it has. */
  readonly filters: number;
  /** Weights of a filter. */
  readonly dimension: number;
  /** Samples that were run. */
  readonly samples: number;
  /** Dot products of one filter. */
  readonly products: number;
  /** Per filter: cosine between latent weights and signs, the r of data without structure; 0 for a filter of zeros. */
  readonly cosines: readonly number[];
  /** Mean of `cosines` over the filters. */
  readonly meanCosine: number;
  /** Mean |w|: the slope of data without structure. */
  readonly meanScale: number;
  /** The same on activations that are shuffled along all axes within each batch. */
  readonly permuted: Comparisons | undefined;
  /** Undefined when none was asked for, for grouped convolutions, and where d² floats don't fit a binding. */
  readonly covariance: PatchCovariance | undefined;
}

/** Groups of batches whose r are compared. */
const PARTS = 8;
const DEFAULT_BATCH = 50;
const DEFAULT_BINS = 48;
const DEFAULT_PATCHES = 8;

/**
 * Runs samples through a network in inference mode, and compares dot products in each binary layer. GPU memory depends
 * on the batch and the network, not on the number of samples; of every batch only a few numbers a filter are read back.
 *
 * Layers are those with latent binary weights: `quantDense` and `quantConv2d`. Where a `sign` layer feeds the layer,
 * through `flatten` too, the continuous activation is the sign's input.
 * @param samples f32 [count, ...inputShape], normalised as in training
 * @throws ShapeError unless whole samples are given; OptionError for an unknown layer or an option out of range
 */
export async function measureProportionality(
  network: Network,
  samples: Float32Array,
  options: ProportionalityOptions = {},
): Promise<LayerProportionality[]> {
  assertKnownOptions(options, OPTIONS, 'measureProportionality');
  const { gpu, model } = network;
  const settings = resolve(options);
  const size = sizeOf(model.inputShape);
  const count = samples.length / size;
  if (!Number.isInteger(count) || count < 1) {
    throw new ShapeError('The samples are not whole.', {
      given: `${samples.length} values`,
      expected: `a multiple of ${size}, ${describe(model.inputShape)} a sample`,
      where: model.name,
    });
  }
  const batch = Math.min(count, settings.batch);
  using layers = new Measurements(network, chooseLayers(network, options.layers), settings);
  using input = gpu.tensor('samples', [batch, ...model.inputShape], 'f32');

  /** One batch; its moments are kept on the host where `tally` says so. */
  const runBatch = async (program: Recorded, first: number, tally: boolean) => {
    gpu.write(input, samples.subarray(first * size, (first + program.batch) * size));
    program.run();
    await layers.collect(program, tally);
  };

  // The grids of the histograms follow from a first batch.
  if (settings.bins > 0) {
    using probe = await layers.record(input, batch, { full: false });
    await runBatch(probe, 0, false);
    layers.setGrids();
  }
  using whole = await layers.record(input, batch, { full: true });
  for (let first = 0; first + batch <= count; first += batch) {
    await runBatch(whole, first, true);
    options.onProgress?.(first + batch, count);
  }
  const rest = count % batch;
  if (rest > 0) {
    using last = await layers.record(input, rest, { full: true });
    await runBatch(last, count - rest, true);
    options.onProgress?.(count, count);
  }
  return await layers.finish(count);
}

interface Settings {
  readonly batch: number;
  readonly permuted: boolean;
  readonly bins: number;
  readonly patches: number;
  readonly seed: number;
}

function resolve(options: ProportionalityOptions): Settings {
  const settings = {
    batch: options.batch ?? DEFAULT_BATCH,
    permuted: options.permuted ?? true,
    bins: options.bins ?? DEFAULT_BINS,
    patches: options.patches ?? DEFAULT_PATCHES,
    seed: options.seed ?? 1,
  };
  const whole = (value: number, least: number, most: number) =>
    Number.isInteger(value) && value >= least && value <= most;
  const { batch, bins, patches, seed } = settings;
  if (
    !whole(batch, 1, 2 ** 20) ||
    !whole(bins, 0, 1024) ||
    !whole(patches, 0, 2 ** 20) ||
    !whole(seed, 0, 2 ** 32 - 1)
  ) {
    throw new OptionError('An option of the measurement is out of range.', {
      given: `batch ${batch}, bins ${bins}, patches ${patches}, seed ${seed}`,
      expected: 'whole numbers: a positive batch, bins up to 1024, patches, and a seed of 32 bits',
      where: 'measureProportionality',
    });
  }
  return settings;
}

/** Indices of the layers to measure, in the model's order. */
function chooseLayers({ model, parameters }: Network, names: readonly string[] | undefined): number[] {
  const measurable = [...model.layers.keys()].filter((index) => {
    const entry = model.layers[index];
    const kinds = ['dense', 'conv2d'];
    const kernel = parameters.get(`${entry?.name}/kernel`);
    // A network for inference has packed signs only, and no memory for latent weights.
    return (
      entry !== undefined &&
      kinds.includes(entry.layer.traits?.product?.kind ?? '') &&
      kernel?.spec.role === 'binary' &&
      kernel.value.isPlaced
    );
  });
  const nameOf = (index: number) => model.layers[index]?.name ?? '';
  const known = measurable.map(nameOf);
  const unknown = names?.find((name) => !known.includes(name));
  if (unknown !== undefined || known.length === 0) {
    throw new OptionError('Dot products are compared in layers with latent binary weights.', {
      given: unknown ?? `${model.name}, which has none`,
      expected: known.length > 0 ? known.join(', ') : 'quantDense or quantConv2d with a kernelQuantizer',
      where: 'measureProportionality',
    });
  }
  return names === undefined ? measurable : measurable.filter((index) => names.includes(nameOf(index)));
}

/** One comparison as it grows. */
interface Running {
  moments: PairMoments[];
  /** The same of every eighth batch, which tell how far r varies with the images. */
  parts: PairMoments[][];
  batches: number;
  readonly grid: Tensor | undefined;
  readonly counts: Tensor | undefined;
  cells: PairGrid | undefined;
  /** Whether y is an integer: its cells must hold the same number of them each. */
  readonly integer: boolean;
}

interface Target extends BinaryLayer {
  readonly index: number;
  readonly name: string;
  readonly running: Map<string, Running>;
  readonly scatter: Scatter | undefined;
  patches: number;
}

/** A recorded batch: where each comparison's moments end up. */
interface Recorded {
  readonly batch: number;
  readonly moments: readonly { readonly running: Running; readonly tensor: Tensor; readonly rows: number }[];
  readonly patches: readonly { readonly target: Target; readonly count: number }[];
  run(): void;
  [DISPOSE](): void;
}

class Measurements extends Owner {
  readonly #network: Network;
  readonly #settings: Settings;
  readonly #targets: readonly Target[];
  readonly #owned: Tensor[] = [];

  constructor(network: Network, layers: readonly number[], settings: Settings) {
    super();
    this.#network = network;
    this.#settings = settings;
    this.#targets = layers.map((index) => this.#target(index));
  }

  dispose(): void {
    for (const tensor of this.#owned) if (!tensor.disposed) tensor.dispose();
  }

  /** Records a batch; `full` with histograms and covariances, else moments only. */
  async record(input: Tensor, batch: number, { full }: { full: boolean }): Promise<Recorded> {
    const { gpu, model, parameters, arena } = this.#network;
    const builder = new ProgramBuilder(gpu, `proportionality in ${model.name}`);
    const { permuted, seed } = this.#settings;
    const { buffer, offset } = input.placement;
    const x = Tensor.view('samples', [batch, ...model.inputShape], 'f32', buffer, offset);
    const pass = recordForward(builder, model, parameters, x, { training: false });
    const moments: Recorded['moments'][number][] = [];
    const patches: Recorded['patches'][number][] = [];
    for (const target of this.#targets) {
      builder.within(target.name, () => {
        const operand = operandOf(builder, model, pass, x, target.index);
        const controls = permuted ? ['data', 'permuted'] : ['data'];
        for (const control of controls) {
          const shown = control === 'data' ? operand : shuffled(builder, operand, seed);
          for (const [name, pair] of dotProducts(builder, target, shown)) {
            const running = this.#running(target, `${control} ${name}`, shown.signs !== undefined);
            const tensor = builder.keep(pairMoments(builder, ...pair));
            moments.push({ running, tensor, rows: pair[0].size / (pair[0].shape.at(-1) ?? 1) });
            const { grid, counts } = running;
            if (full && grid && counts) addToPairHistogram(builder, ...pair, { grid, counts });
          }
        }
        if (full && target.scatter) {
          patches.push({
            target,
            count: addPatches(builder, target, target.scatter, operand, this.#settings),
          });
        }
      });
    }
    const program = await builder.compile({ arena });
    return {
      batch,
      moments,
      patches,
      run: () => program.run(),
      [DISPOSE]: () => program.dispose(),
    };
  }

  /** Waits for a batch; adds its moments to those before, or puts them in their place. */
  async collect({ moments, patches }: Recorded, add: boolean): Promise<void> {
    const values = await Promise.all(moments.map(({ tensor }) => this.#network.gpu.readFloats(tensor)));
    for (const [index, { running, rows }] of moments.entries()) {
      const found = momentsFrom(values[index] ?? [], rows);
      running.moments = add
        ? found.map((one, filter) => mergeMoments(running.moments[filter] ?? NO_PAIRS, one))
        : found;
      if (!add) continue;
      const part = running.batches++ % PARTS;
      running.parts[part] = found.map((one, filter) =>
        mergeMoments(running.parts[part]?.[filter] ?? NO_PAIRS, one),
      );
    }
    for (const { target, count } of patches) target.patches += count;
  }

  /** Lays the grids over four standard deviations around the means of what was collected, and forgets the rest. */
  setGrids(): void {
    for (const running of this.#targets.flatMap((target) => [...target.running.values()])) {
      const { grid, integer } = running;
      const { bins } = this.#settings;
      const all = running.moments.reduce(mergeMoments, NO_PAIRS);
      running.moments = [];
      if (grid === undefined) continue;
      const x = span(all.meanX, all.squaresX / all.count, bins, false);
      const y = span(all.meanY, all.squaresY / all.count, bins, integer);
      running.cells = { bins, x0: x.from, cellX: x.cell, y0: y.from, cellY: y.cell };
      this.#network.gpu.write(grid, encodeGrid(running.cells));
    }
  }

  async finish(samples: number): Promise<LayerProportionality[]> {
    const layers: LayerProportionality[] = [];
    for (const target of this.#targets) {
      const { gpu } = this.#network;
      const { scatter, patches } = target;
      const { spec } = target.kernel;
      const filters = spec.shape[0] ?? 1;
      const { cosines, scales } = await this.#cosines(target);
      const permuted = this.#settings.permuted ? await this.#comparisons(target, 'permuted') : undefined;
      layers.push({
        name: target.name,
        shape: spec.shape,
        filters,
        dimension: sizeOf(spec.shape) / filters,
        samples,
        products: target.running.get('data weights')?.moments[0]?.count ?? 0,
        cosines,
        meanCosine: meanOf(cosines),
        meanScale: meanOf(scales),
        ...(await this.#comparisons(target, 'data')),
        permuted,
        covariance:
          scatter && patches > 0 ? await patchCovariance(gpu, target, scatter, patches, cosines) : undefined,
      });
    }
    return layers;
  }

  #target(index: number): Target {
    const { model, parameters, gpu } = this.#network;
    const entry = model.layers[index];
    const kernel = parameters.get(`${entry?.name}/kernel`);
    if (entry === undefined || kernel?.packed === undefined) {
      throw new OptionError('The network has no such layer.', { given: `${index}`, where: model.name });
    }
    const window = entry.layer.traits?.product?.kind === 'conv2d' ? windowOf(entry.layer.config) : undefined;
    const d = sizeOf(kernel.spec.shape.slice(1));
    const fits = 4 * d * d <= Math.min(gpu.limits.maxStorageBufferBindingSize, gpu.limits.maxBufferSize);
    const wanted = this.#settings.patches > 0 && fits && (window?.groups ?? 1) === 1;
    return {
      index,
      name: entry.name,
      kernel,
      packed: kernel.packed,
      window,
      running: new Map(),
      scatter: wanted
        ? {
            products: this.#own(gpu.tensor('patch products', [d, d], 'f32')),
            sums: this.#own(gpu.tensor('patch sums', [d], 'f32')),
          }
        : undefined,
      patches: 0,
    };
  }

  #own(tensor: Tensor): Tensor {
    this.#owned.push(tensor);
    return tensor;
  }

  #running(target: Target, key: string, integer: boolean): Running {
    let running = target.running.get(key);
    if (running === undefined) {
      const { bins } = this.#settings;
      const { gpu } = this.#network;
      running = {
        moments: [],
        parts: [],
        batches: 0,
        grid: bins > 0 ? this.#own(gpu.tensor('grid', [4], 'f32')) : undefined,
        counts: bins > 0 ? this.#own(gpu.tensor('pair counts', [bins, bins], 'u32')) : undefined,
        cells: undefined,
        integer,
      };
      target.running.set(key, running);
    }
    return running;
  }

  async #comparisons(target: Target, control: string): Promise<Comparisons> {
    const [weights, activations, both] = await Promise.all(
      COMPARISONS.map(async (name) => {
        const running = target.running.get(`${control} ${name}`);
        return running && (await this.#comparison(running));
      }),
    );
    if (weights === undefined) {
      throw new OptionError("The layer's input is neither real nor signs.", { given: target.name });
    }
    return { weights, activations, both };
  }

  async #comparison({ moments, parts, counts, cells }: Running): Promise<Comparison> {
    const filters = moments.map(proportionality);
    const r = filters.map((one) => one.r);
    const defined = filters.filter((one) => !Number.isNaN(one.r));
    const meanR = meanOf(defined.map((one) => one.r));
    return {
      r,
      slopes: filters.map(({ slope }) => slope),
      signChanges: filters.map(({ signChange }) => signChange),
      meanR,
      sdR: Math.sqrt(meanOf(defined.map((one) => (one.r - meanR) ** 2))),
      errorR: Math.hypot(
        standardError(defined.map((one) => one.r)),
        standardError(
          parts.map((part) =>
            meanOf(part.map((one) => proportionality(one).r).filter((one) => !Number.isNaN(one))),
          ),
        ),
      ),
      meanSlope: meanOf(defined.map(({ slope }) => slope)),
      meanSignChange: meanOf(defined.map(({ signChange }) => signChange)),
      undefinedFilters: filters.length - defined.length,
      pooled: proportionality(moments.reduce(mergeMoments, NO_PAIRS)),
      histogram:
        counts && cells
          ? { ...cells, counts: Array.from(await this.#network.gpu.readWords(counts)) }
          : undefined,
    };
  }

  async #cosines({ kernel }: Target): Promise<{ cosines: number[]; scales: number[] }> {
    const { gpu } = this.#network;
    using measured = await runOnce(gpu, 'geometry', (b) =>
      b.keep(filterGeometry(b, { latent: kernel.value })),
    );
    const rows = await gpu.readFloats(measured.result);
    const column = (statistic: FilterStatistic) => {
      const at = FILTER_STATISTICS.indexOf(statistic);
      const width = FILTER_STATISTICS.length;
      return Array.from({ length: rows.length / width }, (_, row) => rows[row * width + at] ?? 0);
    };
    return { cosines: column('cosine'), scales: column('scale') };
  }
}

/** Cells over four standard deviations on either side of a mean. */
function span(
  mean: number,
  variance: number,
  bins: number,
  integer: boolean,
): { from: number; cell: number } {
  const width = variance > 0 ? 8 * Math.sqrt(variance) : 1;
  if (!integer) return { from: mean - width / 2, cell: width / bins };
  // Dot products of signs are all even or all odd: cells of even width that begin between integers.
  const cell = 2 * Math.max(1, Math.round(width / bins / 2));
  return { from: Math.round(mean - (cell * bins) / 2) - 0.5, cell };
}
