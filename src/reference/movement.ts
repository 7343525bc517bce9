/** Values that only move. Permutations and slices stand in `src/numerics/axes.ts`. */

/** Images [n, height, width, channels] with `value` around them. */
export function pad2d(
  x: ArrayLike<number>,
  [n, height, width, channels]: readonly [number, number, number, number],
  [[top, bottom], [left, right]]: readonly [readonly [number, number], readonly [number, number]],
  value: number,
): Float64Array<ArrayBuffer> {
  const [outHeight, outWidth] = [height + top + bottom, width + left + right];
  const out = new Float64Array(n * outHeight * outWidth * channels).fill(value);
  for (let image = 0; image < n; image++) {
    for (let row = 0; row < height; row++) {
      for (let i = 0; i < width * channels; i++) {
        const to = ((image * outHeight + row + top) * outWidth + left) * channels + i;
        out[to] = x[(image * height + row) * width * channels + i] ?? 0;
      }
    }
  }
  return out;
}
