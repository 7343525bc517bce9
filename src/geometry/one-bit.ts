/** What one bit a weight would make of filters that are being measured. */
import { sizeOf } from '../gpu/index.ts';
import { widenBrains, widenHalves } from '../numerics/halves.ts';
import { GroupSums, type OneBit } from '../numerics/one-bit.ts';
import type { StoredFilters } from './survey.ts';

/**
 * The same filters: what is read of them, each filter once, is added up on its way.
 * @returns `oneBit` tells the sums when all were read
 */
export function withOneBit(source: StoredFilters): { filters: StoredFilters; oneBit(): OneBit } {
  const dimension = sizeOf(source.shape.slice(1));
  const sums = new GroupSums(dimension);
  const { format } = source;
  const width = format === 'f32' ? 4 : 2;
  const numbers = (buffer: ArrayBuffer, at: number) => {
    if (format === 'f32') return new Float32Array(buffer, at, dimension);
    const halves = new Uint16Array(buffer, at, dimension);
    return format === 'f16' ? widenHalves(halves) : widenBrains(halves);
  };
  return {
    oneBit: () => sums.result(),
    filters: {
      ...source,
      async read(offset, into) {
        await source.read(offset, into);
        for (let at = 0; at < into.length; at += width * dimension) {
          sums.add(numbers(into.buffer, into.byteOffset + at));
        }
      },
    },
  };
}
