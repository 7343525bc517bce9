/**
 * The geometry of stored filters of any size: tensors pass through a fixed amount of GPU memory, a chunk of filters at a
 * time, and leave a few numbers a layer behind.
 */

import { Owner } from '../dispose.ts';
import { MemoryPlanError, OptionError } from '../errors.ts';
import { Arena, assertGpu, type Gpu, ProgramBuilder, sizeOf, Tensor } from '../gpu/index.ts';
import { expectedAngleDegrees, sdAngleDegrees } from '../numerics/closed-forms.ts';
import type { OneBit } from '../numerics/one-bit.ts';
import { paddedLength } from '../numerics/rotation.ts';
import { packSigns } from '../ops/dense.ts';
import {
  ANGLE_BINS,
  angleHistogram,
  DENSITY_BINS,
  DENSITY_RANGE,
  FILTER_STATISTICS,
  type FilterStatistic,
  filterGeometry,
  type WeightFormat,
  weightDensity,
  widenFilters,
} from '../ops/geometry.ts';
import { rotateFilters } from '../ops/rotation.ts';
import {
  type FilterLayout,
  filterPairs,
  kernelPatterns,
  type PairStructure,
  summarizePairs,
} from '../ops/structure.ts';
import { assertKnownOptions, namesOf } from '../options.ts';
import { bestTernary, type Density, leastSquaresTwoBits, residualAngles } from './curves.ts';

/** How the weights of a file lie in it. */
export type StoredFormat = Exclude<WeightFormat, 'bits'>;

/** A tensor of two or more dimensions that lies somewhere else; filters along its first axis. */
export interface StoredFilters {
  /** Name of the tensor in its file. */
  readonly name: string;
  /** Extent of each axis; the first counts filters. */
  readonly shape: readonly number[];
  /** How its elements are stored. */
  readonly format: StoredFormat;
  /** Fills `into` with the tensor's bytes from `offset` on; row-major, little-endian. */
  read(offset: number, into: Uint8Array<ArrayBuffer>): Promise<unknown>;
}

/** Means and deviations over the filters of a layer; filters of zeros, which have no angle, are left out of them. */
export interface LayerSurvey {
  /** Name of the tensor in its file. */
  readonly name: string;
  /** Extent of each axis; the first counts filters. */
  readonly shape: readonly number[];
  /** How its elements are stored: f32, f16, bf16, or what a file of blocks calls it. */
  readonly format: string;
  /** How many filters were measured. */
  readonly filters: number;
  /** Weights of one filter. */
  readonly dimension: number;
  /** Between a filter and its signs, in degrees; NaN where no filter has one. */
  readonly meanAngle: number;
  /** Standard deviation of the angles over the filters, in degrees. */
  readonly sdAngle: number;
  /** What the closed forms expect of filters of this length with a rotation-invariant law. */
  readonly expectedAngle: number;
  /** Standard deviation that the closed form expects of one angle, in degrees. */
  readonly expectedSd: number;
  /** Filters by their angle: equal bins from 0 to 90 degrees. */
  readonly angles: readonly number[];
  /** Weights by value, in root mean squares of their filter. */
  readonly density: Density;
  /** By that density: the best threshold of a ternary version, in root mean squares, and its angle in degrees. */
  readonly ternary: { readonly threshold: number; readonly angle: number };
  /** By that density: angles of versions of 1, 2, 3 and 4 bits, each the sign of what the bits before left over. */
  readonly residualAngles: readonly number[];
  /** By that density: angle of the best two bits, in degrees. */
  readonly twoBitAngle: number;
  /** Mean angle after a random rotation; only where it was asked for. */
  readonly rotatedAngle?: number;
  /** The signs of filters against each other; where that was asked for, and the filters fit into the memory together. */
  readonly pairs?: PairStructure;
  /**
   * How often each of the 512 patterns of signs occurs among 3x3 kernels; where that was asked for, and the shape tells
   * which axes are those of the kernels. Bit 3y + x of a pattern is 1 where the weight is negative.
   */
  readonly patterns?: readonly number[];
  /** What one bit a weight would make of the layer, by the weights that share a scale; where that was asked for. */
  readonly oneBit?: OneBit;
  /** Scale of the signs that is best for a filter: mean |w|. */
  readonly meanScale: number;
  /** 1 - cos^2: the share of a filter's square that binarizing it loses. */
  readonly meanError: number;
  /** Mean standard deviation of a filter's weights. */
  readonly meanDeviation: number;
  /** Mean excess kurtosis of a filter's weights: 0 of Gaussian ones. */
  readonly meanKurtosis: number;
  /** Mean share of a filter's signs that are +1. */
  readonly positiveShare: number;
  /** Of the signs of a filter, in bits. */
  readonly signEntropy: number;
  /** Mean share of a filter's weights that are near 0: |w| below `SurveyOptions.nearZero`. */
  readonly nearZeroShare: number;
  /** Mean share of a filter's weights at ±1. */
  readonly saturatedShare: number;
  /** Filters whose weights are all 0. */
  readonly zeroFilters: number;
  /** Weights that are NaN or infinite; they count in nothing else. */
  readonly nonFinite: number;
}

/** What a survey measures of each tensor, and the memory that it may take. */
export interface SurveyOptions {
  /** Bytes of GPU memory to live in, at least 16 MB; 256 MB when absent. */
  readonly memory?: number | undefined;
  /** |w| below which a weight counts as near zero; 0.01 when absent. */
  readonly nearZero?: number | undefined;
  /** Measure the angles after a random rotation too; false when absent, since it takes several times as long. */
  readonly rotate?: boolean | undefined;
  /** Compare the filters of a layer with each other, and count patterns of 3x3 kernels; false when absent. */
  readonly pairs?: boolean | undefined;
}

const OPTIONS = namesOf<SurveyOptions>({ memory: true, nearZero: true, rotate: true, pairs: true });

const MEGABYTE = 2 ** 20;
const LARGEST_CHUNK = 64 * MEGABYTE;
const BYTES: Readonly<Record<StoredFormat, number>> = { f32: 4, f16: 2, bf16: 2 };
/** What a part of a filter takes, and its statistics again; parts and bins that are there anyway. */
const FILTER_BYTES = 2 * 48;
const OVERHEAD = 6 * MEGABYTE;
/** Filters that are compared with each other: all pairs of them take a second or so. */
const MOST_COMPARED = 4096;

/** Measures one tensor after the other; holds its memory until it is disposed. */
export class FilterSurvey extends Owner {
  readonly #gpu: Gpu;
  readonly #arena: Arena;
  readonly #latent: Tensor;
  readonly #chunks: readonly [Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>];
  readonly #memory: number;
  readonly #nearZero: number | undefined;
  readonly #rotate: boolean;
  readonly #pairs: boolean;

  /** @throws OptionError */
  constructor(gpu: Gpu, options: SurveyOptions = {}) {
    super();
    assertGpu(gpu, 'FilterSurvey');
    assertKnownOptions(options, OPTIONS, 'FilterSurvey');
    const { memory = 256 * MEGABYTE, nearZero, rotate = false, pairs = false } = options;
    if (!(memory >= 16 * MEGABYTE)) {
      throw new OptionError('There is too little memory to measure filters in.', {
        given: `${memory} bytes`,
        expected: `${16 * MEGABYTE} at least`,
      });
    }
    this.#gpu = gpu;
    this.#memory = memory;
    this.#nearZero = nearZero;
    this.#rotate = rotate;
    this.#pairs = pairs;
    // A quarter: the driver holds as much again while a chunk is on its way.
    const most = Math.min(memory / 4, LARGEST_CHUNK, gpu.limits.maxStorageBufferBindingSize);
    const bytes = 16 * Math.floor(most / 16);
    this.#arena = new Arena(gpu);
    this.#latent = gpu.tensor('filters', [bytes / 4], 'u32');
    this.#chunks = [new Uint8Array(bytes), new Uint8Array(bytes)];
  }

  /**
   * Measures a tensor; the next chunk is read while the GPU is busy with this one.
   * @param onChunk called after each chunk with its share of the tensor
   * @throws MemoryPlanError where a single filter doesn't fit into the memory, before anything is read
   */
  async measure(source: StoredFilters, onChunk?: (share: number) => void): Promise<LayerSurvey> {
    const { shape, format, name } = source;
    const filters = shape[0] ?? 0;
    const dimension = sizeOf(shape.slice(1));
    const rowBytes = dimension * BYTES[format];
    const rows = Math.min(filters, this.#rowsFor(dimension, format));
    if (filters === 0 || dimension === 0 || shape.length < 2) {
      throw new OptionError('A tensor of filters has two dimensions or more, none of them empty.', {
        given: `[${shape.join(', ')}]`,
        where: name,
      });
    }
    if (rows < 1) {
      throw new MemoryPlanError("A filter doesn't fit into the memory.", {
        given: `${rowBytes} bytes`,
        expected: `${this.#latent.byteLength} at most`,
        where: name,
        remedy: 'give more memory: four times the size of a filter',
      });
    }
    const tally = new Tally(this.#rotate);
    const wanted: Comparisons = {
      pairs: this.#pairs && rows === filters && this.#comparable(filters),
      kernels: this.#pairs ? kernelsOf(shape) : undefined,
    };
    const chunkOf = (turn: number, first: number) => {
      const count = Math.min(rows, filters - first);
      const into = this.#chunks[turn % 2 === 0 ? 0 : 1].subarray(0, count * rowBytes);
      return { count, into, done: source.read(first * rowBytes, into) };
    };
    let next = chunkOf(0, 0);
    for (let turn = 0, first = 0; first < filters; turn++) {
      const { count, into, done } = next;
      await done;
      first += count;
      if (first < filters) {
        next = chunkOf(turn + 1, first);
        // It is awaited in the next turn; if this one fails, nobody does.
        next.done.catch(() => undefined);
      }
      await this.#measureChunk(into, count, dimension, format, wanted, tally);
      onChunk?.(count / filters);
    }
    return { name, shape, format, filters, dimension, ...tally.summary(dimension) };
  }

  /** Frees its memory on the GPU. */
  dispose(): void {
    this.#arena.dispose();
    this.#latent.dispose();
  }

  #rowsFor(dimension: number, format: StoredFormat): number {
    // A rotation goes to and fro between two tensors, from a widened one.
    const rotated = this.#rotate ? 4 * (2 * paddedLength(dimension) + dimension) : 0;
    // Comparisons take f32, and packed signs of it.
    const compared = this.#pairs ? 4 * dimension + 4 * Math.ceil(dimension / 32) : 0;
    const transient = FILTER_BYTES + rotated + compared;
    return Math.floor(
      Math.min(
        this.#latent.byteLength / (dimension * BYTES[format]),
        (this.#memory / 2 - OVERHEAD) / transient,
        this.#gpu.limits.maxStorageBufferBindingSize / Math.max(FILTER_BYTES, 4 * paddedLength(dimension)),
      ),
    );
  }

  #comparable(filters: number): boolean {
    return filters > 1 && filters <= MOST_COMPARED && 4 * filters ** 2 <= this.#memory / 4;
  }

  async #measureChunk(
    bytes: Uint8Array<ArrayBuffer>,
    count: number,
    length: number,
    format: StoredFormat,
    { pairs, kernels }: Comparisons,
    tally: Tally,
  ): Promise<void> {
    const { buffer } = this.#latent.placement;
    const words = Math.ceil((count * length) / 2);
    const latent =
      format === 'f32'
        ? Tensor.view('filters', [count, length], 'f32', buffer)
        : Tensor.view('filters', [words], 'u32', buffer);
    // An odd number of halves ends inside a word.
    const whole = bytes.length % 4 === 0 ? bytes : new Uint8Array(4 * Math.ceil(bytes.length / 4));
    if (whole !== bytes) whole.set(bytes);
    this.#gpu.writeBytes(latent, whole);
    const b = new ProgramBuilder(this.#gpu, 'survey');
    const options = {
      latent,
      format,
      nearZero: this.#nearZero,
      ...(format === 'f32' ? {} : { filters: [count, length] as const }),
    };
    const statistics = b.keep(filterGeometry(b, options));
    const bins = b.keep(angleHistogram(b, statistics));
    const density = b.keep(weightDensity(b, options, statistics));
    const turned = this.#rotate
      ? b.keep(filterGeometry(b, { latent: rotateFilters(b, { x: widenFilters(b, options) }) }))
      : undefined;
    const widened = pairs || kernels !== undefined ? widenFilters(b, options) : undefined;
    const compared = widened && pairs ? b.keep(filterPairs(b, packSigns(b, widened))) : undefined;
    const patterns =
      widened && kernels
        ? b.keep(kernelPatterns(b, widened.reshape([count, ...kernels.shape]), kernels.layout))
        : undefined;
    using program = await b.compile({ arena: this.#arena });
    program.run();
    const [rows, counts, values, rotated, pairRows, patternCounts] = await Promise.all([
      this.#gpu.readFloats(statistics),
      this.#gpu.readWords(bins),
      this.#gpu.readWords(density),
      turned && this.#gpu.readFloats(turned),
      compared && this.#gpu.readFloats(compared),
      patterns && this.#gpu.readWords(patterns),
    ]);
    tally.add(rows, counts, values, rotated);
    if (pairRows !== undefined) tally.pairs = summarizePairs(pairRows, count);
    if (patternCounts !== undefined) tally.addPatterns(patternCounts);
  }
}

/** What is asked of the signs of a layer beside the statistics of each filter. */
interface Comparisons {
  readonly pairs: boolean;
  readonly kernels: { readonly shape: readonly number[]; readonly layout: FilterLayout } | undefined;
}

/** The 3x3 kernels of a layer of filters [O, I, 3, 3] or [O, 3, 3, I]; undefined where there are none, or both fit. */
function kernelsOf([, ...shape]: readonly number[]): Comparisons['kernels'] {
  const [a, b, c] = shape;
  const [first, last] = [b === 3 && c === 3, a === 3 && b === 3];
  if (shape.length !== 3 || first === last) return undefined;
  return { shape, layout: first ? 'OIHW' : 'OHWI' };
}

/** Columns whose means a layer keeps. */
const AVERAGED = [
  'scale',
  'standardDeviation',
  'excessKurtosis',
  'positiveShare',
  'signEntropy',
  'nearZeroShare',
  'saturatedShare',
] as const satisfies readonly FilterStatistic[];

/** Bits of which the angles are told. */
const RESIDUAL_BITS = 4;

function addTo(sums: number[], counts: ArrayLike<number>): void {
  for (let bin = 0; bin < sums.length; bin++) sums[bin] = (sums[bin] ?? 0) + (counts[bin] ?? 0);
}

/** What becomes of the rows of a layer's filters, in float64. */
class Tally {
  readonly #sums = new Map<string, number>();
  readonly #angles = new Array<number>(ANGLE_BINS).fill(0);
  readonly #density = new Array<number>(DENSITY_BINS).fill(0);
  readonly #rotate: boolean;
  pairs: PairStructure | undefined;
  #patterns: number[] | undefined;
  #rotated = 0;
  #counted = 0;
  #zero = 0;
  #nonFinite = 0;
  #mean = 0;
  #squares = 0;
  #error = 0;

  constructor(rotate: boolean) {
    this.#rotate = rotate;
  }

  add(
    rows: Float32Array,
    angles: ArrayLike<number>,
    density: ArrayLike<number>,
    rotated: Float32Array | undefined,
  ): void {
    const columns = FILTER_STATISTICS.length;
    const at = Object.fromEntries(FILTER_STATISTICS.map((name, column) => [name, column])) as Record<
      FilterStatistic,
      number
    >;
    for (let row = 0; row < rows.length; row += columns) {
      const value = (name: FilterStatistic) => rows[row + at[name]] ?? 0;
      this.#nonFinite += value('nonFinite');
      if (!(value('scale') > 0)) {
        this.#zero += 1;
        continue;
      }
      this.#counted += 1;
      // Welford, "Note on a method for calculating corrected sums of squares and products" (1962).
      const delta = value('angleDegrees') - this.#mean;
      this.#mean += delta / this.#counted;
      this.#squares += delta * (value('angleDegrees') - this.#mean);
      this.#error += 1 - value('cosine') ** 2;
      this.#rotated += rotated?.[row + at.angleDegrees] ?? 0;
      for (const name of AVERAGED) this.#sums.set(name, (this.#sums.get(name) ?? 0) + value(name));
    }
    addTo(this.#angles, angles);
    addTo(this.#density, density);
  }

  addPatterns(counts: ArrayLike<number>): void {
    this.#patterns ??= new Array<number>(counts.length).fill(0);
    addTo(this.#patterns, counts);
  }

  summary(dimension: number) {
    const n = this.#counted;
    const mean = (name: (typeof AVERAGED)[number]) => (this.#sums.get(name) ?? 0) / n;
    const density: Density = { from: -DENSITY_RANGE, to: DENSITY_RANGE, counts: this.#density };
    return {
      density,
      ternary: bestTernary(density),
      residualAngles: residualAngles(density, RESIDUAL_BITS),
      twoBitAngle: leastSquaresTwoBits(density).angle,
      ...(this.pairs && { pairs: this.pairs }),
      ...(this.#patterns && { patterns: this.#patterns }),
      ...(this.#rotate ? { rotatedAngle: n > 0 ? this.#rotated / n : Number.NaN } : {}),
      meanAngle: n > 0 ? this.#mean : Number.NaN,
      sdAngle: Math.sqrt(this.#squares / n),
      expectedAngle: expectedAngleDegrees(dimension),
      expectedSd: sdAngleDegrees(dimension),
      angles: this.#angles,
      meanScale: mean('scale'),
      meanError: this.#error / n,
      meanDeviation: mean('standardDeviation'),
      meanKurtosis: mean('excessKurtosis'),
      positiveShare: mean('positiveShare'),
      signEntropy: mean('signEntropy'),
      nearZeroShare: mean('nearZeroShare'),
      saturatedShare: mean('saturatedShare'),
      zeroFilters: this.#zero,
      nonFinite: this.#nonFinite,
    };
  }
}
