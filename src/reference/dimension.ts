/** How many independent bits binary activations are worth, from the Hamming distances between them. */

/**
 * Counts of pairs by their Hamming distance.
 * @param signs ±1, [rows, length]
 * @returns `length + 1` counts over all pairs of different rows
 */
export function hammingHistogram(signs: ArrayLike<number>, rows: number, length: number): number[] {
  const counts = new Array<number>(length + 1).fill(0);
  for (let a = 0; a < rows; a++) {
    for (let b = a + 1; b < rows; b++) {
      let distance = 0;
      for (let i = 0; i < length; i++) if (signs[a * length + i] !== signs[b * length + i]) distance += 1;
      counts[distance] = (counts[distance] ?? 0) + 1;
    }
  }
  return counts;
}

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

/**
 * Binary intrinsic dimension: the D(r) = d0 + d1·r for which P(r) ∝ 2^(−D)·C(D, r) is likeliest to have given the
 * distances (Acevedo, Rodriguez & Laio 2025, "Unsupervised detection of semantic correlations in big data"). d0 is the
 * number of independent bits that near neighbours see; d1 tells how it changes with the distance.
 * @param counts of pairs by distance
 * @returns NaN where the distances are all the same
 */
export function intrinsicDimension(counts: readonly number[]): { d0: number; d1: number } {
  const first = counts.findIndex((count) => count > 0);
  const last = counts.findLastIndex((count) => count > 0);
  if (first < 0 || first === last) return { d0: Number.NaN, d1: Number.NaN };
  const total = counts.reduce((sum, count) => sum + count, 0);
  const shares = counts.slice(first, last + 1).map((count) => count / total);

  /** Mean log-likelihood of a pair's distance; −∞ where D falls below a distance that was seen. */
  const likelihood = (d0: number, d1: number): number => {
    const logs: number[] = [];
    for (let r = first; r <= last; r++) {
      const d = d0 + d1 * r;
      if (d < r) return Number.NEGATIVE_INFINITY;
      logs.push(logGamma(d + 1) - logGamma(r + 1) - logGamma(d - r + 1) - d * Math.LN2);
    }
    const most = Math.max(...logs);
    const norm = most + Math.log(logs.reduce((sum, log) => sum + Math.exp(log - most), 0));
    return logs.reduce((sum, log, index) => sum + (shares[index] ?? 0) * (log - norm), 0);
  };

  // d0 and d1 pull at each other; D in the middle of the distances and its slope hardly do. A net that is drawn tighter
  // around its best knot finds both.
  const middle = (first + last) / 2;
  let best = { middle: Math.max(2 * middle, last + 1), slope: 0 };
  let most = likelihood(best.middle, 0);
  let [reach, lean] = [best.middle, 2];
  for (let round = 0; round < 40; round++) {
    const centre = best;
    for (let i = -4; i <= 4; i++) {
      for (let j = -4; j <= 4; j++) {
        const at = Math.max(1e-3, centre.middle + (i / 4) * reach);
        const slope = centre.slope + (j / 4) * lean;
        const here = likelihood(at - slope * middle, slope);
        if (here > most) [most, best] = [here, { middle: at, slope }];
      }
    }
    if (best === centre) {
      reach /= 2;
      lean /= 2;
    }
  }
  return { d0: best.middle - best.slope * middle, d1: best.slope };
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

/** @param signs ±1, [..., channels] */
export function channelBalance(signs: ArrayLike<number>, channels: number): ChannelBalance {
  const rows = signs.length / channels;
  const positive = new Array<number>(channels).fill(0);
  for (let i = 0; i < signs.length; i++) {
    if ((signs[i] ?? 0) > 0) positive[i % channels] = (positive[i % channels] ?? 0) + 1;
  }
  const part = (q: number) => (q > 0 ? -q * Math.log2(q) : 0);
  const positiveShare = positive.map((count) => count / rows);
  return {
    positiveShare,
    entropy: positiveShare.reduce((sum, p) => sum + part(p) + part(1 - p), 0) / channels,
    dead: positive.filter((count) => count === 0 || count === rows).length,
  };
}
