/** Linear equations with a positive definite matrix. */

/**
 * Solves A X = B by Cholesky's factors, in double precision.
 * @param a [n, n], symmetric; only its lower half is read, and it becomes the factor
 * @param b [n, columns]; becomes X
 * @returns whether A is positive definite; if not, B holds nothing
 */
export function solvePositive(a: Float64Array, n: number, b: Float64Array, columns: number): boolean {
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = a[i * n + j] ?? 0;
      for (let k = 0; k < j; k++) sum -= (a[i * n + k] ?? 0) * (a[j * n + k] ?? 0);
      if (i > j) a[i * n + j] = sum / (a[j * n + j] ?? 1);
      else if (sum > 0) a[i * n + i] = Math.sqrt(sum);
      else return false;
    }
  }
  for (let column = 0; column < columns; column++) {
    for (let i = 0; i < n; i++) {
      let sum = b[i * columns + column] ?? 0;
      for (let k = 0; k < i; k++) sum -= (a[i * n + k] ?? 0) * (b[k * columns + column] ?? 0);
      b[i * columns + column] = sum / (a[i * n + i] ?? 1);
    }
    for (let i = n - 1; i >= 0; i--) {
      let sum = b[i * columns + column] ?? 0;
      for (let k = i + 1; k < n; k++) sum -= (a[k * n + i] ?? 0) * (b[k * columns + column] ?? 0);
      b[i * columns + column] = sum / (a[i * n + i] ?? 1);
    }
  }
  return true;
}
