/** Covariance matrices and their spectra, in float64. */
import { normal } from './random.ts';

/**
 * Covariance of rows from what a stream of them leaves behind: Σxxᵀ/n − μμᵀ.
 * @param products [d, d]: Σ over rows of x_i·x_j
 * @param sums [d]: Σ over rows of x_i
 */
export function covarianceOf(
  products: ArrayLike<number>,
  sums: ArrayLike<number>,
  count: number,
): Float64Array<ArrayBuffer> {
  const d = sums.length;
  const covariance = new Float64Array(d * d);
  for (let i = 0; i < d; i++) {
    const mean = (sums[i] ?? 0) / count;
    for (let j = 0; j < d; j++) {
      covariance[i * d + j] = (products[i * d + j] ?? 0) / count - mean * ((sums[j] ?? 0) / count);
    }
  }
  return covariance;
}

export function trace(matrix: ArrayLike<number>, d: number): number {
  let sum = 0;
  for (let i = 0; i < d; i++) sum += matrix[i * d + i] ?? 0;
  return sum;
}

/** (Σλ)²/Σλ²: how many directions the data fill evenly. Needs no eigenvalues: Σλ² is the sum of all squared entries. */
export function participationRatio(matrix: ArrayLike<number>, d: number): number {
  let squares = 0;
  for (let i = 0; i < d * d; i++) squares += (matrix[i] ?? 0) ** 2;
  return squares === 0 ? 0 : trace(matrix, d) ** 2 / squares;
}

/** exp of the entropy of λ/Σλ (Roy & Vetterli 2007); rounding below zero counts as zero. */
export function effectiveRank(eigenvalues: ArrayLike<number>): number {
  const positive = Array.from(eigenvalues).filter((value) => value > 0);
  const total = positive.reduce((sum, value) => sum + value, 0);
  return Math.exp(positive.reduce((sum, value) => sum - (value / total) * Math.log(value / total), 0));
}

/**
 * All eigenvalues of a symmetric matrix, largest first: Householder's reduction to a tridiagonal matrix, then QL steps
 * with implicit shifts (Golub & Van Loan, Matrix Computations, 4th ed., algorithms 8.3.1 and 8.3.3). No vectors, so it
 * takes (4/3)d³ operations: seconds for d = 1500.
 */
export function symmetricEigenvalues(matrix: ArrayLike<number>, d: number): number[] {
  const { diagonal, beside } = tridiagonal(matrix, d);
  for (let first = 0; first < d; first++) {
    for (;;) {
      // The first entry beside the diagonal that is nothing parts off a block.
      let last = first;
      for (; last < d - 1; last++) {
        const size = Math.abs(diagonal[last] ?? 0) + Math.abs(diagonal[last + 1] ?? 0);
        if (Math.abs(beside[last] ?? 0) <= Number.EPSILON * size) break;
      }
      if (last === first) break;
      qlStep(diagonal, beside, first, last);
    }
  }
  return Array.from(diagonal).sort((a, b) => b - a);
}

/** Diagonal, and the entries right of it, of QᵀAQ. */
function tridiagonal(matrix: ArrayLike<number>, d: number) {
  const a = Float64Array.from(matrix);
  const diagonal = new Float64Array(d);
  const beside = new Float64Array(d);
  const v = new Float64Array(d);
  const p = new Float64Array(d);
  for (let k = 0; k < d; k++) {
    diagonal[k] = a[k * d + k] ?? 0;
    if (k === d - 1) break;
    let squares = 0;
    for (let i = k + 1; i < d; i++) {
      v[i] = a[k * d + i] ?? 0;
      squares += (v[i] ?? 0) ** 2;
    }
    const head = v[k + 1] ?? 0;
    const length = Math.sqrt(squares);
    beside[k] = head > 0 ? -length : length;
    // Nothing to reflect: the row is tridiagonal already.
    if (squares - head * head === 0) {
      beside[k] = head;
      continue;
    }
    v[k + 1] = head - (beside[k] ?? 0);
    const scale = 2 / (squares - head * head + (v[k + 1] ?? 0) ** 2);
    // A ← A − v qᵀ − q vᵀ with p = scale·A v and q = p − (scale/2)(pᵀv) v.
    let dot = 0;
    for (let i = k + 1; i < d; i++) {
      let sum = 0;
      const row = i * d;
      for (let j = k + 1; j < d; j++) sum += (a[row + j] ?? 0) * (v[j] ?? 0);
      p[i] = scale * sum;
      dot += (p[i] ?? 0) * (v[i] ?? 0);
    }
    for (let i = k + 1; i < d; i++) p[i] = (p[i] ?? 0) - (scale / 2) * dot * (v[i] ?? 0);
    for (let i = k + 1; i < d; i++) {
      const row = i * d;
      const [vi, qi] = [v[i] ?? 0, p[i] ?? 0];
      for (let j = k + 1; j < d; j++) {
        a[row + j] = (a[row + j] ?? 0) - vi * (p[j] ?? 0) - qi * (v[j] ?? 0);
      }
    }
  }
  return { diagonal, beside };
}

/** One implicit QL step on the block from `first` to `last`. */
function qlStep(diagonal: Float64Array, beside: Float64Array, first: number, last: number): void {
  const at = (array: Float64Array, i: number) => array[i] ?? 0;
  // Wilkinson's shift: the eigenvalue of the leading 2 × 2 that is nearer to its first entry.
  const half = (at(diagonal, first + 1) - at(diagonal, first)) / (2 * at(beside, first));
  const root = Math.hypot(half, 1);
  let g = at(diagonal, last) - at(diagonal, first) + at(beside, first) / (half + (half >= 0 ? root : -root));
  let [s, c, p] = [1, 1, 0];
  for (let i = last - 1; i >= first; i--) {
    const f = s * at(beside, i);
    const b = c * at(beside, i);
    const r = Math.hypot(f, g);
    beside[i + 1] = r;
    if (r === 0) {
      diagonal[i + 1] = at(diagonal, i + 1) - p;
      beside[last] = 0;
      return;
    }
    s = f / r;
    c = g / r;
    g = at(diagonal, i + 1) - p;
    const t = (at(diagonal, i) - g) * s + 2 * c * b;
    p = s * t;
    diagonal[i + 1] = g + p;
    g = c * t - b;
  }
  diagonal[first] = at(diagonal, first) - p;
  beside[first] = g;
  beside[last] = 0;
}

/**
 * Largest eigenvalue of a positive semidefinite matrix and its vector, by power iteration: for matrices whose whole
 * spectrum takes too long.
 * @param options.steps products with the matrix at most; 200 when absent
 */
export function powerIteration(
  matrix: ArrayLike<number>,
  d: number,
  options: { readonly steps?: number; readonly seed?: number } = {},
): { value: number; vector: Float64Array<ArrayBuffer> } {
  const { steps = 200, seed = 1 } = options;
  let vector = Float64Array.from({ length: d }, (_, i) => normal(seed, 0x706f7765, i));
  let value = 0;
  for (let step = 0; step < steps; step++) {
    const length = Math.sqrt(vector.reduce((sum, x) => sum + x * x, 0));
    if (length === 0) return { value: 0, vector };
    vector = vector.map((x) => x / length);
    const next = new Float64Array(d);
    let quotient = 0;
    for (let i = 0; i < d; i++) {
      let sum = 0;
      for (let j = 0; j < d; j++) sum += (matrix[i * d + j] ?? 0) * (vector[j] ?? 0);
      next[i] = sum;
      quotient += sum * (vector[i] ?? 0);
    }
    const change = Math.abs(quotient - value);
    value = quotient;
    if (change <= 1e-12 * Math.abs(value)) break;
    vector = next;
  }
  return { value, vector };
}
