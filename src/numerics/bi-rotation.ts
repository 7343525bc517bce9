/** Rotations that bring vectors nearer to their signs, in float64: two small ones, of the rows and columns of matrices. */
import { OptionError } from '../errors.ts';

/** Newton–Schulz doubles the digits that are right, and singular values below 1/√3 grow by half a round. */
const MOST_ROUNDS = 120;
const NEAR = 1e-12;

/** Rows of a [n, m] times columns of b [m, p]. */
function product(a: ArrayLike<number>, b: ArrayLike<number>, n: number, m: number, p: number): Float64Array {
  const out = new Float64Array(n * p);
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < m; k++) {
      const factor = a[i * m + k] ?? 0;
      if (factor === 0) continue;
      for (let j = 0; j < p; j++) out[i * p + j] = (out[i * p + j] ?? 0) + factor * (b[k * p + j] ?? 0);
    }
  }
  return out;
}

function transposed(a: ArrayLike<number>, n: number, m: number): Float64Array {
  return Float64Array.from({ length: n * m }, (_, i) => a[(i % n) * m + Math.floor(i / n)] ?? 0);
}

export function identity(n: number): Float64Array {
  return Float64Array.from({ length: n * n }, (_, i) => (i % (n + 1) === 0 ? 1 : 0));
}

/**
 * The orthogonal matrix nearest to a square one, UVᵀ of UΣVᵀ: of all orthogonal R it has the largest tr(RᵀM). By Newton–Schulz
 * iterations X ← X(3I − XᵀX)/2 (Higham, Functions of Matrices, 2008, 8.3).
 * @param m [n, n], of full rank
 * @throws OptionError for a matrix without full rank
 */
export function polarFactor(m: ArrayLike<number>, n: number): Float64Array {
  const size = Math.sqrt(Array.from(m).reduce((sum, value) => sum + value * value, 0));
  let x = Float64Array.from(m, (value) => value / size);
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const gram = product(transposed(x, n, n), x, n, n, n);
    const error = gram.reduce(
      (most, value, i) => Math.max(most, Math.abs(value - Number(i % (n + 1) === 0))),
      0,
    );
    if (error < NEAR) return x;
    const step = gram.map((value, i) => ((i % (n + 1) === 0 ? 3 : 0) - value) / 2);
    x = product(x, step, n, n, n) as Float64Array<ArrayBuffer>;
  }
  throw new OptionError('A matrix without full rank has no nearest rotation.', { where: 'polarFactor' });
}

/** Two factors of a number, as near to each other as there are; the first is the smaller one. */
export function nearFactors(length: number): readonly [number, number] {
  let first = Math.floor(Math.sqrt(length));
  while (length % first !== 0) first -= 1;
  return [first, length / first];
}

/** What `biRotation` found. */
export interface BiRotation {
  /** [filters, length]: R₁ᵀ W R₂ of each filter. */
  readonly rotated: Float64Array;
  /** [a, a]. */
  readonly r1: Float64Array;
  /** [b, b]. */
  readonly r2: Float64Array;
  /** Σ|R₁ᵀ W R₂| before the first and after each alternation: it never falls. */
  readonly sums: readonly number[];
}

/**
 * Rotates filters, each of them an a × b matrix W, by the same R₁ᵀ W R₂, so that they come nearer to their signs: in turn signs
 * are taken, and R₁ and R₂ are the best for these (Lin et al. 2020, RBNN, arXiv 2009.13055, eq. 12 to 17).
 * @param w [filters, length]
 */
export function biRotation(w: ArrayLike<number>, filters: number, alternations: number): BiRotation {
  const length = w.length / filters;
  const [a, b] = nearFactors(length);
  let [r1, r2] = [identity(a), identity(b)];
  const of = (filter: number) =>
    Array.prototype.slice.call(w, filter * length, (filter + 1) * length) as number[];
  const rotate = () => {
    const out = new Float64Array(w.length);
    const back = transposed(r1, a, a);
    for (let f = 0; f < filters; f++)
      out.set(product(product(back, of(f), a, a, b), r2, a, b, b), f * length);
    return out;
  };
  const sumOf = (values: Float64Array) => values.reduce((sum, value) => sum + Math.abs(value), 0);
  /** Of all that is as good, what is nearest to what was before; where nothing is known, what was before. */
  const best = (m: Float64Array, before: Float64Array, n: number) => {
    const size = Math.sqrt(m.reduce((sum, value) => sum + value * value, 0));
    if (size === 0) return before;
    return polarFactor(
      m.map((value, i) => value + 1e-6 * size * (before[i] ?? 0)),
      n,
    );
  };
  let rotated = rotate();
  const sums = [sumOf(rotated)];
  for (let i = 0; i < alternations; i++) {
    const signs = rotated.map((value) => (value < 0 ? -1 : 1));
    const signsOf = (f: number) => signs.subarray(f * length, (f + 1) * length);
    const [m1, m2] = [new Float64Array(a * a), new Float64Array(b * b)];
    const add = (to: Float64Array, from: Float64Array) => {
      for (const [at, value] of from.entries()) to[at] = (to[at] ?? 0) + value;
    };
    for (let f = 0; f < filters; f++) {
      add(m1, product(product(of(f), r2, a, b, b), transposed(signsOf(f), a, b), a, b, a));
    }
    r1 = best(m1, r1, a);
    for (let f = 0; f < filters; f++) {
      add(m2, product(product(transposed(of(f), a, b), r1, b, a, a), signsOf(f), b, a, b));
    }
    r2 = best(m2, r2, b);
    rotated = rotate();
    sums.push(sumOf(rotated));
  }
  return { rotated, r1, r2, sums };
}
