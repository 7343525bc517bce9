/** Batch normalisation (Ioffe & Szegedy 2015) over the rows of x [rows, channels], in float64. */

export interface Statistics {
  readonly mean: Float64Array<ArrayBuffer>;
  /** Divided by the number of rows (biased). */
  readonly variance: Float64Array<ArrayBuffer>;
}

/** Mean and biased variance of each channel, in two passes. */
export function batchStatistics(x: ArrayLike<number>, rows: number, channels: number): Statistics {
  const mean = new Float64Array(channels);
  const variance = new Float64Array(channels);
  for (let c = 0; c < channels; c++) {
    let sum = 0;
    for (let r = 0; r < rows; r++) sum += x[r * channels + c] ?? 0;
    const centre = sum / rows;
    let squares = 0;
    for (let r = 0; r < rows; r++) squares += ((x[r * channels + c] ?? 0) - centre) ** 2;
    mean[c] = centre;
    variance[c] = squares / rows;
  }
  return { mean, variance };
}

/** y = γ·(x − mean)/√(variance + ε) + β; γ is 1 and β is 0 where they are absent. */
export function normalize(
  x: ArrayLike<number>,
  statistics: { readonly mean: ArrayLike<number>; readonly variance: ArrayLike<number> },
  epsilon: number,
  gamma?: ArrayLike<number>,
  beta?: ArrayLike<number>,
): Float64Array<ArrayBuffer> {
  const { mean, variance } = statistics;
  const channels = mean.length;
  return Float64Array.from({ length: x.length }, (_, i) => {
    const c = i % channels;
    const normal = ((x[i] ?? 0) - (mean[c] ?? 0)) / Math.sqrt((variance[c] ?? 0) + epsilon);
    return normal * (gamma?.[c] ?? 1) + (beta?.[c] ?? 0);
  });
}

/** running ← momentum·running + (1 − momentum)·batch (Keras' sense of momentum). */
export function updateRunning(
  running: ArrayLike<number>,
  batch: ArrayLike<number>,
  momentum: number,
): Float64Array<ArrayBuffer> {
  return Float64Array.from(
    { length: running.length },
    (_, c) => momentum * (running[c] ?? 0) + (1 - momentum) * (batch[c] ?? 0),
  );
}

/**
 * Gradients of a loss through the training form, where mean and variance depend on x.
 * @param gradOutput with respect to y [rows, channels]
 */
export function normalizeGrad(
  gradOutput: ArrayLike<number>,
  x: ArrayLike<number>,
  statistics: Statistics,
  epsilon: number,
  gamma?: ArrayLike<number>,
): {
  gradInput: Float64Array<ArrayBuffer>;
  gradGamma: Float64Array<ArrayBuffer>;
  gradBeta: Float64Array<ArrayBuffer>;
} {
  const channels = statistics.mean.length;
  const rows = x.length / channels;
  const normal = normalize(x, statistics, epsilon);
  const gradGamma = new Float64Array(channels);
  const gradBeta = new Float64Array(channels);
  for (let i = 0; i < x.length; i++) {
    const c = i % channels;
    gradBeta[c] = (gradBeta[c] ?? 0) + (gradOutput[i] ?? 0);
    gradGamma[c] = (gradGamma[c] ?? 0) + (gradOutput[i] ?? 0) * (normal[i] ?? 0);
  }
  const gradInput = Float64Array.from({ length: x.length }, (_, i) => {
    const c = i % channels;
    const scale = (gamma?.[c] ?? 1) / Math.sqrt((statistics.variance[c] ?? 0) + epsilon);
    const centred = (gradOutput[i] ?? 0) - (gradBeta[c] ?? 0) / rows;
    return scale * (centred - ((normal[i] ?? 0) * (gradGamma[c] ?? 0)) / rows);
  });
  return { gradInput, gradGamma, gradBeta };
}
