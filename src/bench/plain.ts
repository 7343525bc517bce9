/** The statistics of filters as anyone would write them for the host: one loop over a typed array, on one thread. */
import { NEAR_ZERO, SATURATED } from '../numerics/filter-statistics.ts';

/** Columns of `FILTER_STATISTICS`. */
const COLUMNS = 12;

/**
 * All columns of `FILTER_STATISTICS`, by sums of powers in float64 (good for weights whose spread isn't much smaller than
 * their mean), each weight read once. NaN and infinite weights are counted and left out.
 * @param weights f32 [filters, length]
 * @param statistics receives [filters, 12]
 */
export function plainStatistics(weights: Float32Array, length: number, statistics: Float64Array): void {
  for (let filter = 0; filter * length < weights.length; filter++) {
    let count = 0;
    let minus = 0;
    let saturated = 0;
    let nearZero = 0;
    let sum = 0;
    let sizes = 0;
    let squares = 0;
    let cubes = 0;
    let fourths = 0;
    for (let i = filter * length; i < (filter + 1) * length; i++) {
      const w = weights[i] as number;
      const size = Math.abs(w);
      if (!(size < Number.POSITIVE_INFINITY)) continue;
      const square = w * w;
      count += 1;
      if (w < 0) minus += 1;
      if (size >= SATURATED) saturated += 1;
      if (size < NEAR_ZERO) nearZero += 1;
      sum += w;
      sizes += size;
      squares += square;
      cubes += square * w;
      fourths += square * square;
    }
    const d = Math.max(1, count);
    const mean = sum / d;
    const scale = sizes / d;
    const variance = Math.max(0, squares / d - mean ** 2);
    const fourth = fourths / d - 4 * mean * (cubes / d) + 6 * mean ** 2 * (squares / d) - 3 * mean ** 4;
    const spread = Math.sqrt(Math.max(0, squares / d - scale ** 2));
    const at = filter * COLUMNS;
    statistics[at] = sizes;
    statistics[at + 1] = Math.sqrt(squares);
    statistics[at + 2] = sizes === 0 ? 0 : sizes / Math.sqrt(d * squares);
    statistics[at + 3] = sizes === 0 ? 90 : (Math.atan2(spread, scale) * 180) / Math.PI;
    statistics[at + 4] = scale;
    statistics[at + 5] = (count - minus) / d;
    statistics[at + 6] = saturated / d;
    statistics[at + 7] = Math.sqrt(variance);
    statistics[at + 8] = nearZero / d;
    statistics[at + 9] = surprise(minus / d) + surprise((count - minus) / d);
    statistics[at + 10] = variance === 0 ? 0 : fourth / variance ** 2 - 3;
    statistics[at + 11] = length - count;
  }
}

function surprise(p: number): number {
  return p > 0 ? -p * Math.log2(p) : 0;
}
