/** Optimizers on latent, packed and real parameters, in float64; arrays are updated in place. */

import { type QuantizerName, surrogateGradient } from './quantize.ts';

export type WeightGate = 'none' | Exclude<QuantizerName, 'steIdentity'>;

/** Numbers that can be written, float64 or float32. */
export type Numbers = Float64Array | Float32Array;

/** What stands in for the derivative of the sign at a latent weight: `surrogateGradient`, or 1 for `none`. */
export function weightGate(gate: WeightGate, w: number, clip?: number): number {
  if (gate === 'none') return 1;
  return surrogateGradient(gate, w, clip === undefined ? {} : { clip });
}

export interface AdamStep {
  /** lr·√(1 − β2^t)/(1 − β1^t), times the step scale. */
  readonly rate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
}

/** Adam (Kingma & Ba 2015, the efficient form at the end of section 2; Keras'): w ← w − rate·m/(√v + ε). */
export function adam(w: Numbers, grad: ArrayLike<number>, m: Numbers, v: Numbers, step: AdamStep): void {
  const { rate, beta1, beta2, epsilon } = step;
  for (let i = 0; i < w.length; i++) {
    const g = grad[i] ?? 0;
    const first = beta1 * (m[i] ?? 0) + (1 - beta1) * g;
    const second = beta2 * (v[i] ?? 0) + (1 - beta2) * g * g;
    m[i] = first;
    v[i] = second;
    w[i] = (w[i] ?? 0) - (rate * first) / (Math.sqrt(second) + epsilon);
  }
}

/** Momentum: v ← μv + g, w ← w − rate·v. Without a velocity: w ← w − rate·g. */
export function sgd(
  w: Numbers,
  grad: ArrayLike<number>,
  velocity: Numbers | undefined,
  step: { readonly rate: number; readonly momentum: number },
): void {
  for (let i = 0; i < w.length; i++) {
    const change = (grad[i] ?? 0) + step.momentum * (velocity?.[i] ?? 0);
    if (velocity !== undefined) velocity[i] = change;
    w[i] = (w[i] ?? 0) - step.rate * change;
  }
}

/** The gradient of a binary weight, gated at its latent weight. */
export function gated(
  grad: ArrayLike<number>,
  latent: ArrayLike<number>,
  gate: WeightGate,
  clip?: number,
): Float64Array<ArrayBuffer> {
  return Float64Array.from(
    { length: grad.length },
    (_, i) => (grad[i] ?? 0) * weightGate(gate, latent[i] ?? 0, clip),
  );
}

/** Clips latent weights to [−1, 1]. */
export function clipLatent(latent: Numbers): void {
  for (let i = 0; i < latent.length; i++) latent[i] = Math.min(1, Math.max(-1, latent[i] ?? 0));
}

/** Bop's average (Helwegen et al. 2019, algorithm 1): m ← (1 − γ)m + γg. */
export function bopAverage(m: Numbers, grad: ArrayLike<number>, gamma: number): void {
  for (let i = 0; i < m.length; i++) m[i] = (1 - gamma) * (m[i] ?? 0) + gamma * (grad[i] ?? 0);
}

/** Bop's weights after the flip test: −w where w·m > τ, w elsewhere; m after its update. */
export function bopFlip(
  signs: ArrayLike<number>,
  m: ArrayLike<number>,
  threshold: number,
): Float64Array<ArrayBuffer> {
  return Float64Array.from({ length: signs.length }, (_, i) => {
    const w = signs[i] ?? 1;
    return w * (m[i] ?? 0) > threshold ? -w : w;
  });
}

/** How many signs differ, per filter; `signs` are [filters, ...]. */
export function countFlips(
  before: ArrayLike<number>,
  after: ArrayLike<number>,
  filters: number,
): Uint32Array<ArrayBuffer> {
  const length = before.length / filters;
  const flips = new Uint32Array(filters);
  for (let i = 0; i < before.length; i++) {
    const filter = Math.floor(i / length);
    if ((before[i] ?? 0) < 0 !== (after[i] ?? 0) < 0) flips[filter] = (flips[filter] ?? 0) + 1;
  }
  return flips;
}
