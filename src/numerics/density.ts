/** Values in equal bins. */

/** How many values lie in each of `bins` equal bins from `from` to `to`; the ends take what lies beyond them. */
export function densityOf(values: ArrayLike<number>, from: number, to: number, bins: number): number[] {
  const counts = Array.from({ length: bins }, () => 0);
  for (let i = 0; i < values.length; i++) {
    const place = Math.floor((((values[i] ?? 0) - from) / (to - from)) * bins);
    const bin = Math.max(0, Math.min(bins - 1, place));
    counts[bin] = (counts[bin] ?? 0) + 1;
  }
  return counts;
}
