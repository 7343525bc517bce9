/**
 * Batch normalisation of an integer sum followed by a sign comes to one integer threshold a channel; no float activation is
 * written there. It gives the same bits, or the layer stays as it was, with the reason.
 *
 * A sum is an integer where binary weights meet signs and nothing is added, through pooling and `flatten` too, and where a
 * layer's traits say so. The normalisation goes if everything that reads it, through `flatten`, binarizes it.
 */
import { FormatError } from '../../errors.ts';
import { threshold } from '../../layers/index.ts';
import { normalizationOf } from '../channels.ts';
import type { Model, ModelLayer } from '../model.ts';
import { isIntegers, isScaledProduct } from '../signs.ts';
import type { ParameterValues } from '../values.ts';
import { countReaders, kernelValue, type Replacement, type Rewrite, reader } from './pass.ts';

export function foldThresholds(source: Model, values: ParameterValues): Rewrite {
  const folded: string[] = [];
  const kept: { name: string; reason: string }[] = [];
  const replacements = new Map<number, Replacement>();
  const readers = countReaders(source);
  const read = reader(values);
  source.layers.forEach((entry, index) => {
    if (entry.layer.traits?.channels?.do !== 'normalize') return;
    const scaled = scaledProductBefore(source, readers, entry);
    const reason = reasonToKeep(source, index, scaled !== undefined);
    if (reason !== undefined) {
      kept.push({ name: entry.name, reason });
      return;
    }
    const numbers = normalizationOf(entry, read);
    if (numbers === undefined) return;
    const { gamma, beta, mean, variance, epsilon } = numbers;
    const scales = scaled && repeated(read(scaled.entry, 'kernelScale'), entry.outputShape.at(-1) ?? 1);
    const limits = foldBatchNorm(gamma, beta, mean, variance, epsilon, scales);
    if (limits.uncertain.length > 0) {
      const channels = limits.uncertain.slice(0, 5).join(', ');
      kept.push({ name: entry.name, reason: `rounding decides at the threshold of channel ${channels}` });
      return;
    }
    // The thresholds are for the sums of signs.
    if (scaled !== undefined) {
      const kernel = kernelValue(scaled.entry, values);
      replacements.set(scaled.at, { layer: scaled.unscaled, values: new Map([['kernel', kernel]]) });
    }
    replacements.set(index, {
      layer: threshold({ name: entry.name }),
      values: new Map([
        ['direction', limits.direction],
        ['threshold', limits.threshold],
      ]),
    });
    folded.push(entry.name);
  });
  return { replacements, folded, kept };
}

/** One integer comparison a channel: +1 where direction·x ≥ threshold. */
export interface Thresholds {
  /** 1 (at least), −1 (at most −threshold) or 0 (constant). */
  readonly direction: Float32Array;
  /** One for each channel, an integer; see `direction`. */
  readonly threshold: Float32Array;
  /** Channels in which the float path's rounding could decide otherwise for an integer right at the threshold. */
  readonly uncertain: readonly number[];
}

/** Sums of signs stay below this, and f32 holds every integer up to it. */
const LARGEST = 2 ** 24;
/** Rounding of the float path relative to its largest term: about eight f32 operations' worth, doubled. */
const ROUNDING = 2 ** -20;
/** Below this a product in f32 may be flushed to zero. */
const TINY = 1e-30;

/**
 * sign(γ·(x − μ)/√(σ² + ε) + β) as an integer threshold per channel, for integers x up to 2²⁴ in magnitude: with a
 * positive γ it is +1 from ⌈μ − β√(σ² + ε)/γ⌉ up, with a negative one up to ⌊...⌋, with γ = 0 it is the sign of β.
 * Computed in float64. Where the true threshold lies so near to an integer that f32 arithmetic could fall on its other
 * side, the channel is listed as uncertain.
 * @param gamma [C]; 1 when absent
 * @param beta [C]; 0 when absent
 * @param factor [C]: the normalisation is of factor·x instead of x; 0 or more
 * @throws FormatError unless all have the same length and only finite values
 */
export function foldBatchNorm(
  gamma: ArrayLike<number> | undefined,
  beta: ArrayLike<number> | undefined,
  mean: ArrayLike<number>,
  variance: ArrayLike<number>,
  epsilon: number,
  factor?: ArrayLike<number>,
): Thresholds {
  const channels = mean.length;
  const direction = new Float32Array(channels);
  const thresholds = new Float32Array(channels);
  const uncertain: number[] = [];
  for (const given of [gamma, beta, variance, factor]) {
    if (given !== undefined && given.length !== channels) {
      throw new FormatError("A normalisation's parameters have different lengths.", {
        given: `${given.length} values`,
        expected: `${channels}`,
        where: 'foldBatchNorm',
      });
    }
  }
  for (let c = 0; c < channels; c++) {
    const g = gamma?.[c] ?? 1;
    const b = beta?.[c] ?? 0;
    const centre = mean[c] ?? 0;
    const scale = g / Math.sqrt((variance[c] ?? 0) + epsilon);
    const times = factor?.[c] ?? 1;
    if (![scale, b, centre, times].every(Number.isFinite)) {
      throw new FormatError("A normalisation's parameters aren't finite.", {
        given: `channel ${c}: gamma ${g}, beta ${b}, mean ${centre}, variance ${variance[c]}`,
        where: 'foldBatchNorm',
      });
    }
    if (scale === 0 || times === 0) {
      const value = scale === 0 ? b : b - scale * centre;
      thresholds[c] = value >= 0 ? 0 : 1;
      // Of a difference, rounding may decide.
      const isNear = scale !== 0 && Math.abs(value) <= ROUNDING * (Math.abs(b) + Math.abs(scale * centre));
      if (isTiny(value) || (isNear && value !== 0)) uncertain.push(c);
      continue;
    }
    const edge = (centre - b / scale) / times;
    // The product with a factor is rounded too, at the edge to what the edge's own terms are.
    const terms = Math.abs(b / scale) + (factor === undefined ? 0 : Math.abs(centre));
    const slack = (ROUNDING * terms) / times;
    const distance = Math.abs(edge - Math.round(edge));
    // With β = 0 the float path compares x with μ exactly.
    const isRounded = b !== 0 || factor !== undefined;
    if ((isRounded && distance <= slack) || [scale, b, times, distance * times * scale].some(isTiny)) {
      uncertain.push(c);
    }
    direction[c] = Math.sign(scale);
    const limit = Math.ceil(Math.sign(scale) * edge);
    thresholds[c] = Math.max(-LARGEST, Math.min(LARGEST, limit)) + 0;
  }
  return { direction, threshold: thresholds, uncertain };
}

function isTiny(value: number): boolean {
  return value !== 0 && Math.abs(value) < TINY;
}

/** The product with scales of its filters that a layer reads alone, through pooling and `flatten`, and the same without them. */
function scaledProductBefore(source: Model, readers: readonly number[], reader: ModelLayer) {
  for (let at = reader.inputs[0] ?? -1; at >= 0 && readers[at] === 1; ) {
    const entry = source.layers[at];
    if (entry === undefined) return undefined;
    const { traits = {} } = entry.layer;
    if (isScaledProduct(source, at)) {
      const filters = entry.outputShape.at(-1) ?? 1;
      const isRepeated = (reader.outputShape.at(-1) ?? 1) % filters === 0;
      const unscaled = traits.product?.withWeights?.(entry.name, 'steSign');
      return isRepeated && unscaled !== undefined ? { at, entry, unscaled } : undefined;
    }
    // Each channel keeps its place.
    if (traits.output !== 'selection' || (traits.pooling === undefined && traits.reshapes !== true))
      return undefined;
    at = entry.inputs[0] ?? -1;
  }
  return undefined;
}

/** The scale of each channel; behind `flatten` those of the filters again and again. */
function repeated(scales: Float32Array, channels: number): Float32Array {
  return Float32Array.from({ length: channels }, (_, c) => scales[c % scales.length] ?? Number.NaN);
}

/** Why a normalisation can't become a threshold; undefined if it can. */
function reasonToKeep(source: Model, index: number, isScaled: boolean): string | undefined {
  const from = source.layers[index]?.inputs[0] ?? -1;
  if (!isScaled && !isIntegers(source, from)) return 'its input is no sum of signs';
  if (isOutput(source, index)) return "it is the model's output";
  return onlySignsAreRead(source, index) ? undefined : 'its values are read, not only their signs';
}

function isOutput(source: Model, index: number): boolean {
  return source.outputs.some(({ from }) => from === index);
}

function onlySignsAreRead(source: Model, index: number): boolean {
  if (isOutput(source, index)) return false;
  const readers: { reader: ModelLayer; at: number }[] = [];
  source.layers.forEach((reader, at) => {
    if (reader.inputs.includes(index)) readers.push({ reader, at });
  });
  return (
    readers.length > 0 &&
    readers.every(({ reader: { layer }, at }) => {
      const { reshapes, readsSigns } = layer.traits ?? {};
      return reshapes === true ? onlySignsAreRead(source, at) : readsSigns === true;
    })
  );
}
