/** Filters that don't lie along the first axis of their tensor. */
import { OptionError } from '../errors.ts';
import { sizeOf } from '../gpu/index.ts';
import type { StoredFilters } from './survey.ts';

/**
 * The same tensor with the filters along its first axis: what lies before that axis moves behind it. Keras keeps its
 * filters along the last axis, PyTorch and this library along the first.
 * @param axis counted from the front, or from the back where it is negative
 * @returns filters whose `read` gathers them piece by piece; it takes whole filters only
 * @throws OptionError where the tensor has no such axis
 */
export function filtersAlong(source: StoredFilters, axis: number): StoredFilters {
  const { shape, format, name } = source;
  const at = axis < 0 ? shape.length + axis : axis;
  const filters = shape[at];
  if (filters === undefined || !Number.isInteger(axis)) {
    throw new OptionError('There is no such axis.', {
      given: `axis ${axis}`,
      expected: `${-shape.length} to ${shape.length - 1}`,
      where: `${name} [${shape.join(', ')}]`,
    });
  }
  if (at === 0) return source;
  const before = shape.slice(0, at);
  const after = shape.slice(at + 1);
  const [outer, inner] = [sizeOf(before), sizeOf(after)];
  const Words = format === 'f32' ? Uint32Array : Uint16Array;
  const bytes = Words.BYTES_PER_ELEMENT;
  return {
    name,
    format,
    shape: [filters, ...before, ...after],
    async read(offset, into) {
      const rowBytes = outer * inner * bytes;
      if (offset % rowBytes !== 0 || into.length % rowBytes !== 0) {
        throw new OptionError('Filters along another axis are read whole.', {
          given: `${into.length} bytes at ${offset}`,
          expected: `multiples of ${rowBytes}`,
          where: name,
        });
      }
      const first = offset / rowBytes;
      const count = into.length / rowBytes;
      const piece = new Uint8Array(count * inner * bytes);
      const from = new Words(piece.buffer);
      const to = new Words(into.buffer, into.byteOffset, into.length / bytes);
      for (let o = 0; o < outer; o++) {
        await source.read((o * filters + first) * inner * bytes, piece);
        for (let f = 0; f < count; f++) {
          const place = (f * outer + o) * inner;
          if (inner === 1) to[place] = from[f] ?? 0;
          else to.set(from.subarray(f * inner, (f + 1) * inner), place);
        }
      }
    },
  };
}
