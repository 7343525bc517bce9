/** Matrix products and their gradients, as plain loops over the definition. Matrices are row-major. */
import { popcount, unpackSigns } from '../numerics/pack.ts';

/** Extents of the forward product [m, k] × [n, k] → [m, n]. */
export interface MatMulShape {
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

/**
 * out[i, j] = Σ over l of a[i, l] · c[l, j], with `a` stored as [k, m] or `c` as [n, k] where they are transposed.
 * @returns float64 [m, n]
 */
export function matMul(
  a: ArrayLike<number>,
  c: ArrayLike<number>,
  { m, n, k }: MatMulShape,
  { transposeA = false, transposeB = false }: { transposeA?: boolean; transposeB?: boolean } = {},
): Float64Array<ArrayBuffer> {
  const out = new Float64Array(m * n);
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      let sum = 0;
      for (let l = 0; l < k; l++) {
        const left = a[transposeA ? l * m + i : i * k + l] ?? 0;
        const right = c[transposeB ? j * k + l : l * n + j] ?? 0;
        sum += left * right;
      }
      out[i * n + j] = sum;
    }
  }
  return out;
}

/**
 * Product of packed signs: k − 2 · (number of places that differ).
 * @param a bits [m, k]
 * @param w bits [n, k]
 * @returns integers [m, n]
 */
export function binaryMatMul(
  a: ArrayLike<number>,
  w: ArrayLike<number>,
  { m, n, k }: MatMulShape,
): Int32Array<ArrayBuffer> {
  const words = Math.ceil(k / 32);
  const out = new Int32Array(m * n);
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      let differing = 0;
      for (let word = 0; word < words; word++) {
        differing += popcount((a[i * words + word] ?? 0) ^ (w[j * words + word] ?? 0));
      }
      out[i * n + j] = k - 2 * differing;
    }
  }
  return out;
}

/**
 * x · sign(w)ᵀ.
 * @param x [m, k]
 * @param w bits [n, k]
 * @returns float64 [m, n]
 */
export function signMatMul(
  x: ArrayLike<number>,
  w: ArrayLike<number>,
  shape: MatMulShape,
): Float64Array<ArrayBuffer> {
  return matMul(x, unpackSigns(w, shape.n, shape.k), shape, { transposeB: true });
}

/**
 * Gradient with respect to the left operand of a product with signs: g · sign(w), 0 where the gate is closed.
 * @param g [m, n]
 * @param w bits [n, k]
 * @param gate bits [m, k], 1 where the gradient passes; all pass when absent
 * @returns float64 [m, k]
 */
export function signMatMulGradInput(
  g: ArrayLike<number>,
  w: ArrayLike<number>,
  { m, n, k }: MatMulShape,
  gate?: ArrayLike<number>,
): Float64Array<ArrayBuffer> {
  const grad = matMul(g, unpackSigns(w, n, k), { m, n: k, k: n });
  if (gate === undefined) return grad;
  const open = unpackSigns(gate, m, k);
  return grad.map((value, index) => (open[index] === -1 ? value : 0));
}

/**
 * Gradient with respect to the signs of the weights: gᵀ · sign(a).
 * @param g [m, n]
 * @param a bits [m, k]
 * @returns float64 [n, k]
 */
export function binaryMatMulGradWeights(
  g: ArrayLike<number>,
  a: ArrayLike<number>,
  { m, n, k }: MatMulShape,
): Float64Array<ArrayBuffer> {
  return matMul(g, unpackSigns(a, m, k), { m: n, n: k, k: m }, { transposeA: true });
}

/**
 * x · (d · t)ᵀ with a scale d for each group of weights along a row, t = sign(w), or 0 where a bit of `nonzero` is 0.
 * @param x [m, k]
 * @param w bits [n, k]
 * @param scales [n, k / group]
 * @param nonzero bits [n, k]; no weight is 0 where it is absent
 * @returns float64 [m, n]
 */
export function groupedSignMatMul(
  x: ArrayLike<number>,
  w: ArrayLike<number>,
  scales: ArrayLike<number>,
  shape: MatMulShape & { readonly group: number },
  nonzero?: ArrayLike<number>,
): Float64Array<ArrayBuffer> {
  const kept = nonzero && unpackSigns(nonzero, shape.n, shape.k);
  // A row of weights is whole groups, so that those of all rows follow one another.
  const weights = unpackSigns(w, shape.n, shape.k).map((sign, i) =>
    kept?.[i] === 1 ? 0 : sign * (scales[Math.floor(i / shape.group)] ?? 0),
  );
  return matMul(x, weights, shape, { transposeB: true });
}
