/** Weights that are kept as rows of groups, each with a scale, as a layer multiplies with them. */

/**
 * @param rows [groups of all filters, weights of a group]: their signs count
 * @param scales of the groups
 * @param filters how many there are
 * @param kernelSize of windows; absent of a fully connected layer
 * @returns signs times scales, [filters, inputs] or [filters, height, width, channels]
 */
export function weightsOfGroups(
  rows: ArrayLike<number>,
  scales: Float32Array,
  filters: number,
  kernelSize?: number | readonly [height: number, width: number],
): { readonly values: Float32Array<ArrayBuffer>; readonly shape: readonly number[] } {
  const group = rows.length / scales.length;
  const window = typeof kernelSize === 'number' ? [kernelSize, kernelSize] : (kernelSize ?? []);
  return {
    values: Float32Array.from(rows, (w, i) => (w < 0 ? -1 : 1) * (scales[Math.floor(i / group)] ?? 0)),
    shape: [filters, ...window, rows.length / filters / window.reduce((area, n) => area * n, 1)],
  };
}
