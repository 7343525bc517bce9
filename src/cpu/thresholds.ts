/**
 * Exact padding and thresholds of binary convolutions, as tables. A window whose taps lie partly outside the image counts
 * zeros there, which is what signs of +1 are; what that is too much depends on which taps are outside alone, so windows of
 * one edge class share a correction: three classes of rows times three of columns for a 3×3 window padded as `same`.
 *
 * A sum is base − 2·count, with base = (taps inside)·channels + 2·(bits of the filter's taps outside). Where it is compared with
 * a threshold, the sum is never made: the count is compared with the largest one that passes.
 */

import type { SignEpilogue } from '../numerics/epilogue.ts';
import { clampRange } from '../numerics/epilogue.ts';
import { popcount } from '../numerics/pack.ts';
import type { Conv2dWindows } from '../numerics/windows.ts';

/** The classes of a convolution's windows. */
export interface EdgeClasses {
  /** Of each class: which taps are inside the image. */
  readonly inside: readonly (readonly boolean[])[];
  /** Of each row and of each column of the output; a window's class is the sum. */
  readonly rows: readonly number[];
  readonly columns: readonly number[];
}

export function edgeClasses(windows: Conv2dWindows): EdgeClasses {
  const { kernelHeight, kernelWidth, padValue } = windows;
  const axis = (
    out: number,
    stride: number,
    taps: number,
    dilation: number,
    before: number,
    size: number,
  ) => {
    const kinds: boolean[][] = [];
    const places = Array.from({ length: out }, (_, at) => {
      const inside = Array.from({ length: taps }, (__, tap) => {
        const place = at * stride + tap * dilation - before;
        // Padding of +1 or −1 is signs like any others.
        return padValue !== 0 || (place >= 0 && place < size);
      });
      const known = kinds.findIndex((kind) => kind.every((own, tap) => own === inside[tap]));
      return known >= 0 ? known : kinds.push(inside) - 1;
    });
    return { kinds, places };
  };
  const vertical = axis(
    windows.outHeight,
    windows.strideY,
    kernelHeight,
    windows.dilationY,
    windows.padTop,
    windows.height,
  );
  const horizontal = axis(
    windows.outWidth,
    windows.strideX,
    kernelWidth,
    windows.dilationX,
    windows.padLeft,
    windows.width,
  );
  return {
    inside: vertical.kinds.flatMap((row) =>
      horizontal.kinds.map((column) => row.flatMap((y) => column.map((x) => y && x))),
    ),
    rows: vertical.places.map((kind) => kind * horizontal.kinds.length),
    columns: horizontal.places,
  };
}

/**
 * What a count of no differences would sum to, in each class.
 * @param words packed filters [filters, taps, words]
 * @param channels of a filter
 * @returns i32 [classes][pitch]
 */
export function bases(
  classes: EdgeClasses,
  words: Uint32Array,
  filters: number,
  channels: number,
  pitch: number,
): Int32Array<ArrayBuffer> {
  const taps = classes.inside[0]?.length ?? 1;
  const each = words.length / filters / taps;
  const negative = new Int32Array(filters * taps);
  if (classes.inside.some((inside) => !inside.every(Boolean))) {
    for (let i = 0; i < words.length; i++) {
      const tap = Math.floor(i / each);
      negative[tap] = (negative[tap] ?? 0) + popcount(words[i] ?? 0);
    }
  }
  const table = new Int32Array(classes.inside.length * pitch);
  classes.inside.forEach((inside, kind) => {
    const count = inside.filter(Boolean).length * channels;
    for (let filter = 0; filter < filters; filter++) {
      let base = count;
      for (let tap = 0; tap < taps; tap++) if (!inside[tap]) base += 2 * (negative[filter * taps + tap] ?? 0);
      table[kind * pitch + filter] = base;
    }
  });
  return table;
}

/**
 * Thresholds of counts from bases of sums, in their place: +1 where the count is no more than the threshold, and where the
 * bit of the filter in `flip` is set, where it is more.
 * @param most the largest count
 * @param step what a count takes from the sum: 2, or 1 where counts are negative sums
 * @param least the smallest count
 */
export function limits(
  table: Int32Array<ArrayBuffer>,
  pitch: number,
  epilogue: SignEpilogue,
  { least, most, step }: { readonly least: number; readonly most: number; readonly step: number },
): { readonly table: Int32Array<ArrayBuffer>; readonly flip: Uint32Array<ArrayBuffer> } {
  const filters = epilogue.threshold.length;
  const [lowest, highest] = clampRange(epilogue.activation);
  const flip = new Uint32Array(Math.ceil(filters / 32));
  for (let i = 0; i < table.length; i++) {
    const filter = i % pitch;
    if (filter >= filters) continue;
    const base = table[i] ?? 0;
    const direction = epilogue.direction[filter] ?? 0;
    const threshold = epilogue.threshold[filter] ?? 0;
    const passes = (count: number) => {
      const sum = Math.min(highest, Math.max(lowest, base - step * count));
      return Math.fround(direction * sum) >= threshold;
    };
    const falls = direction < 0;
    if (falls) flip[filter >> 5] = (flip[filter >> 5] ?? 0) | (1 << (filter & 31));
    // The largest count on the side of few: what passes, or with a falling direction what doesn't.
    let [low, high] = [least - 1, most];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (passes(middle) !== falls) low = middle;
      else high = middle - 1;
    }
    table[i] = low;
  }
  return { table, flip };
}
