/** Arithmetic of two tensors. */
import { broadcastShape } from './axes.ts';

/** Their numbers in the kernel are their places here. */
export const COMBINATIONS = ['add', 'subtract', 'multiply', 'divide', 'minimum', 'maximum'] as const;
/** What may be done with two values. */
export type Combination = (typeof COMBINATIONS)[number];

/** Arithmetic of two tensors of as many axes; extents of 1 are repeated. */
export function combine(
  kind: Combination,
  a: ArrayLike<number>,
  aShape: readonly number[],
  b: ArrayLike<number>,
  bShape: readonly number[],
): Float64Array<ArrayBuffer> {
  const shape = broadcastShape(aShape, bShape) ?? [];
  const out = new Float64Array(shape.reduce((size, extent) => size * extent, 1));
  const at = (own: readonly number[], index: number) => {
    let [place, stride, rest] = [0, 1, index];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const [extent, mine] = [shape[axis] ?? 1, own[axis] ?? 1];
      if (mine !== 1) place += (rest % extent) * stride;
      stride *= mine;
      rest = Math.floor(rest / extent);
    }
    return place;
  };
  for (let i = 0; i < out.length; i++) {
    const [x, y] = [a[at(aShape, i)] ?? 0, b[at(bShape, i)] ?? 0];
    out[i] = combined(kind, x, y);
  }
  return out;
}

function combined(kind: Combination, x: number, y: number): number {
  switch (kind) {
    case 'add':
      return x + y;
    case 'subtract':
      return x - y;
    case 'multiply':
      return x * y;
    case 'divide':
      return x / y;
    case 'minimum':
      return Math.min(x, y);
    case 'maximum':
      return Math.max(x, y);
  }
}
