/** How many independent bits binary activations are worth, from the Hamming distances between them. */
import { binaryEntropy } from './entropy.ts';

/** The dimension that mean and variance of the distances tell: (2·mean)² / (4·variance), D for D independent fair bits. */
export function momentDimension(counts: readonly number[]): number {
  let [total, sum, squares] = [0, 0, 0];
  counts.forEach((count, r) => {
    total += count;
    sum += count * r;
    squares += count * r * r;
  });
  const mean = sum / total;
  return mean ** 2 / (squares / total - mean ** 2);
}

/** Distances are fitted up to where their cumulated share reaches this: near neighbours, as its authors have it. */
const NEAR_SHARE = 0.2;

/**
 * Binary intrinsic dimension: the D(r) = d0 + d1·r for which P(r) ∝ 2^(−D)·C(D, r) lies nearest to the distances (Acevedo,
 * Rodriguez & Laio 2025, "Unsupervised detection of semantic correlations in big data"), with d0 > 0 and D ≥ r. d0 is the
 * number of independent bits that near neighbours see; d1 tells how it changes with the distance. Only distances that occur
 * are fitted, in increasing order as long as their cumulated share stays below 0.2, renormalised there; the Kullback-Leibler
 * divergence is least. Distances grow no faster than twice D there, so d1 is sought below 2: beyond lies a second valley, of
 * dimensions much larger than any distance, which means nothing.
 * @param counts of pairs by distance
 * @returns NaN where fewer than three distances occur: two numbers are fitted
 */
export function intrinsicDimension(counts: readonly number[]): { d0: number; d1: number } {
  const total = counts.reduce((sum, count) => sum + count, 0);
  const seen = counts.flatMap((count, r) => (count > 0 ? [{ r, share: count / total }] : []));
  if (seen.length < 3) return { d0: Number.NaN, d1: Number.NaN };
  let cumulated = 0;
  const near = seen.findIndex(({ share }) => {
    cumulated += share;
    return cumulated >= NEAR_SHARE;
  });
  const fitted = seen.slice(0, Math.max(3, near));
  const whole = fitted.reduce((sum, { share }) => sum + share, 0);

  /** Divergence but for a constant; ∞ where D falls below a distance. */
  const divergence = (d0: number, d1: number): number => {
    const logs: number[] = [];
    for (const { r } of fitted) {
      const d = d0 + d1 * r;
      if (d < r) return Number.POSITIVE_INFINITY;
      logs.push(logGamma(d + 1) - logGamma(r + 1) - logGamma(d - r + 1) - d * Math.LN2);
    }
    const most = Math.max(...logs);
    const norm = most + Math.log(logs.reduce((sum, log) => sum + Math.exp(log - most), 0));
    return fitted.reduce((sum, { share }, i) => sum + (share / whole) * (norm - (logs[i] ?? 0)), 0);
  };
  const bestSlope = (d0: number): number => {
    // D ≥ r at every distance.
    const least = Math.max(...fitted.map(({ r }) => (r > 0 ? 1 - d0 / r : Number.NEGATIVE_INFINITY)));
    return minimum((d1) => divergence(d0, d1), least, 2, 24);
  };
  const farthest = fitted.at(-1)?.r ?? 1;
  const logD0 = minimum(
    (log) => divergence(Math.exp(log), bestSlope(Math.exp(log))),
    Math.log(0.01),
    Math.log(100 * farthest + 100),
    60,
  );
  const d0 = Math.exp(logD0);
  return { d0, d1: bestSlope(d0) };
}

/** Where a function is least: the best of some places in a row, and the golden section around it. */
function minimum(f: (x: number) => number, from: number, to: number, places: number): number {
  const step = (to - from) / places;
  let [at, least] = [from, Number.POSITIVE_INFINITY];
  for (let i = 0; i <= places; i++) {
    const value = f(from + i * step);
    if (value < least) [at, least] = [from + i * step, value];
  }
  const ratio = (Math.sqrt(5) - 1) / 2;
  let [a, b] = [Math.max(from, at - step), Math.min(to, at + step)];
  let [c, d] = [b - ratio * (b - a), a + ratio * (b - a)];
  let [fc, fd] = [f(c), f(d)];
  for (let i = 0; i < 50; i++) {
    if (fc < fd) {
      [b, d, fd] = [d, c, fc];
      c = b - ratio * (b - a);
      fc = f(c);
    } else {
      [a, c, fc] = [c, d, fd];
      d = a + ratio * (b - a);
      fd = f(d);
    }
  }
  return (a + b) / 2;
}

/** ln Γ(x), x > 0, to about 1e-10: Stirling's series above 10, reached by the recurrence. */
function logGamma(x: number): number {
  let [value, shift] = [x, 0];
  while (value < 10) {
    shift += Math.log(value);
    value += 1;
  }
  const inverse = 1 / value;
  const square = inverse * inverse;
  const series = inverse * (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square / 1680)));
  return (value - 0.5) * Math.log(value) - value + 0.5 * Math.log(2 * Math.PI) + series - shift;
}

/** Balance of the signs of each channel over rows and places. */
export interface ChannelBalance {
  /** Share of +1 of each channel. */
  readonly positiveShare: readonly number[];
  /** Mean entropy of a channel's sign, in bits. */
  readonly entropy: number;
  /** Channels whose sign is always the same. */
  readonly dead: number;
}

/** @param negative signs −1 of each channel, of `rows` */
export function balanceOf(negative: readonly number[], rows: number): ChannelBalance {
  const positiveShare = negative.map((count) => (rows - count) / rows);
  return {
    positiveShare,
    entropy: positiveShare.reduce((sum, p) => sum + binaryEntropy(p), 0) / negative.length,
    dead: negative.filter((count) => count === 0 || count === rows).length,
  };
}
