/** Entropies in bits. */

/** Entropy in bits of a coin that falls on one side with probability p. */
export function binaryEntropy(p: number): number {
  const part = (q: number) => (q > 0 ? -q * Math.log2(q) : 0);
  return part(p) + part(1 - p);
}

/** Entropy in bits of how often things were counted: at most 9 for the 512 patterns. 0 where nothing was. */
export function entropyOf(counts: ArrayLike<number>): number {
  const all = Array.from(counts);
  const total = all.reduce((sum, count) => sum + count, 0);
  return all.reduce((sum, count) => (count > 0 ? sum - (count / total) * Math.log2(count / total) : sum), 0);
}
