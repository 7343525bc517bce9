/** How far rows of signs lie from each other: all pairs of them, counted on the GPU. */
import { type Gpu, ProgramBuilder, type Tensor } from '../gpu/index.ts';
import { addHammingPairs } from '../ops/structure.ts';

/** Words that a run compares at most: less than a second on slow devices. */
const WORDS_OF_RUN = 2 ** 28;
/** Pairs after which counts are read: their 32 bits must hold what they are. */
const MOST_PAIRS = 2 ** 31;

/**
 * Pairs of different rows by their Hamming distance.
 * @param signs bits [rows, length]
 * @returns `length + 1` counts
 */
export async function hammingDistances(gpu: Gpu, signs: Tensor): Promise<number[]> {
  const [rows = 0, length = 0] = signs.shape;
  const words = signs.byteLength / 4;
  // Whole workgroups of 64 rows.
  const fit = 64 * Math.max(1, Math.floor(WORDS_OF_RUN / words / 64));
  const count = Math.min(64 * Math.ceil(rows / 64), fit);
  const zeros = new Uint32Array(length + 1);
  using first = gpu.tensor('first row', [1], 'u32', new Uint32Array(1));
  using counts = gpu.tensor('pairs by distance', [length + 1], 'u32', zeros);
  const builder = new ProgramBuilder(gpu, 'pairs by distance');
  addHammingPairs(builder, { signs, first, counts, rows: count });
  using program = await builder.compile();
  const total = new Array<number>(length + 1).fill(0);
  let pairs = 0;
  for (let row = 0; row < rows; row += count) {
    gpu.write(first, Uint32Array.of(row));
    program.run();
    pairs += count * rows;
    if (pairs + count * rows <= MOST_PAIRS && row + count < rows) continue;
    for (const [distance, seen] of (await gpu.readWords(counts)).entries()) {
      total[distance] = (total[distance] ?? 0) + seen;
    }
    gpu.write(counts, zeros);
    pairs = 0;
  }
  return total;
}
