/**
 * What theory says of a vector and its sign: closed forms to compare measured filters with. Pure arithmetic, no GPU.
 *
 * The subject is that of Anderson & Berg, "The High-Dimensional Geometry of Binary Neural Networks" (ICLR 2018):
 * binarizing a high-dimensional vector turns it by about 37 degrees only. For w in R^d, cos(w, sign w) =
 * |w|_1 / (sqrt(d) |w|_2).
 */
import { OptionError } from '../errors.ts';

const DEGREES = 180 / Math.PI;
const TWO_OVER_PI = 2 / Math.PI;

/** Cosine of a Gaussian vector and its sign in infinitely many dimensions: sqrt(2/pi), 0.7979. */
export const LIMIT_COSINE = Math.sqrt(TWO_OVER_PI);
/** Its angle, 37.07 degrees. */
export const LIMIT_ANGLE_DEGREES = Math.acos(LIMIT_COSINE) * DEGREES;

/**
 * Gamma(d/2) / Gamma((d+1)/2). Far out from the asymptotic series of the ratio in 1/z, z = d/2; nearer in from there by
 * the exact recurrence ratio(d) = ratio(d + 2) * (d + 1) / d, so that nothing overflows and nothing cancels.
 */
function gammaRatio(d: number): number {
  let factor = 1;
  let n = d;
  for (; n < 200; n += 2) factor *= (n + 1) / n;
  const u = 2 / n;
  const series = 1 + u * (1 / 8 + u * (1 / 128 + u * (-5 / 1024 + u * (-21 / 32768 + (u * 399) / 262144))));
  return factor * Math.sqrt(u) * series;
}

/**
 * Mean of the cosine of w and sign(w) over any rotation-invariant law of w in R^d: sqrt(d/pi) Gamma(d/2) /
 * Gamma((d+1)/2).
 */
export function expectedCosine(d: number): number {
  assertDimension(d);
  return Math.sqrt(d / Math.PI) * gammaRatio(d);
}

/** Mean of the squared cosine: 2/pi + (1 - 2/pi)/d. */
export function expectedSquaredCosine(d: number): number {
  assertDimension(d);
  return TWO_OVER_PI + (1 - TWO_OVER_PI) / d;
}

/**
 * Variance of the cosine, about (1 - 3/pi)/d. The difference of two numbers near 0.64: good to 1e-15 * d relative, and
 * taken from its own series beyond a million dimensions.
 */
export function varianceCosine(d: number): number {
  assertDimension(d);
  if (d > 1e6) return (1 - 3 / Math.PI) / d;
  return Math.max(0, expectedSquaredCosine(d) - expectedCosine(d) ** 2);
}

/** Standard deviation of the cosine of one random vector; that of a mean over N vectors is sqrt(N) times smaller. */
export function sdCosine(d: number): number {
  return Math.sqrt(varianceCosine(d));
}

/**
 * Mean and standard deviation of the angle in 1, 2, ... dimensions, in degrees. 1 and 2 are exact: 0, and evenly spread over
 * 0 to 45. 3 is an integral over a spherical octant, the others are integrals over 2^20 points of Sobol's sequence or more,
 * whose last digit may be off by one or two. In few dimensions the cosine spreads so far towards 1, where the angle has an
 * infinite slope, that no expansion about its mean will do: in three that of second order is 0.35 degrees off.
 */
const FEW_DIMENSIONS: readonly (readonly [mean: number, deviation: number])[] = [
  [0, 0],
  [22.5, 45 / Math.sqrt(12)],
  [28.11827, 10.90855],
  [30.6072, 9.5178],
  [32.0085, 8.5616],
  [32.908, 7.8552],
  [33.5347, 7.3046],
  [33.9969, 6.8588],
  [34.3518, 6.4878],
  [34.6332, 6.1713],
];

/**
 * Mean angle between w and sign(w) in degrees. It isn't the arc cosine of the mean cosine: the second-order term of the
 * delta method is added (within 0.01 degrees from d = 11 on; about 37.07 - 23.66/d). Below, see `FEW_DIMENSIONS`.
 * @example
 * ```ts
 * import { expectedAngleDegrees } from 'webgpu-bnn';
 *
 * console.log(expectedAngleDegrees(1000)); // 37.05
 * ```
 */
export function expectedAngleDegrees(d: number): number {
  const few = FEW_DIMENSIONS[d - 1];
  if (few !== undefined) return few[0];
  const mean = expectedCosine(d);
  const curvature = -mean / (1 - mean * mean) ** 1.5;
  return (Math.acos(mean) + (curvature / 2) * varianceCosine(d)) * DEGREES;
}

/**
 * Standard deviation of that angle in degrees, about 20.18/sqrt(d), by the delta method (within 1 % from d = 27 on).
 * Up to d = 10, see `FEW_DIMENSIONS`.
 * @example
 * ```ts
 * import { sdAngleDegrees } from 'webgpu-bnn';
 *
 * console.log(sdAngleDegrees(1000)); // 0.64
 * ```
 */
export function sdAngleDegrees(d: number): number {
  const few = FEW_DIMENSIONS[d - 1];
  if (few !== undefined) return few[1];
  const mean = expectedCosine(d);
  return (sdCosine(d) / Math.sqrt(1 - mean * mean)) * DEGREES;
}

/** Laws that latent weights may follow, independently of each other. */
export type WeightLaw = 'gaussian' | 'uniform' | 'logistic' | 'laplace';

/** E|w|^k for k = 1 to 4, each at its natural scale (the angle doesn't depend on it). */
const ABSOLUTE_MOMENTS: Readonly<Record<WeightLaw, readonly [number, number, number, number]>> = {
  gaussian: [LIMIT_COSINE, 1, 2 * LIMIT_COSINE, 3],
  // On [-1, 1].
  uniform: [1 / 2, 1 / 3, 1 / 4, 1 / 5],
  // 2 k! eta(k), eta Dirichlet's; zeta(3) is Apery's constant.
  logistic: [2 * Math.LN2, Math.PI ** 2 / 3, 9 * 1.2020569031595942, (7 * Math.PI ** 4) / 15],
  laplace: [1, 2, 6, 24],
};

/** Cosine of w and sign(w) in many dimensions when the weights follow a law: E|w| / sqrt(E w^2). */
export function limitCosine(law: WeightLaw): number {
  const [first, second] = momentsOf(law);
  return first / Math.sqrt(second);
}

/**
 * Its angle in degrees: Gaussian 37.07, uniform 30, logistic 40.15, Laplace 45.
 * @example
 * ```ts
 * import { limitAngleDegrees } from 'webgpu-bnn';
 *
 * console.log(limitAngleDegrees('laplace')); // 45
 * ```
 */
export function limitAngleDegrees(law: WeightLaw): number {
  return Math.acos(limitCosine(law)) * DEGREES;
}

/**
 * Standard deviation of the angle of d weights of a law, in degrees, for large d: the delta method on mean|w| and
 * mean(w^2). Uniform: 0.3162/sqrt(d) rad.
 */
export function lawSdAngleDegrees(law: WeightLaw, d: number): number {
  assertDimension(d);
  const [m1, m2, m3, m4] = momentsOf(law);
  const relative = (m2 - m1 * m1) / (m1 * m1) + (m4 - m2 * m2) / (4 * m2 * m2) - (m3 - m1 * m2) / (m1 * m2);
  const cosine = limitCosine(law);
  const tangent = Math.sqrt(1 - cosine * cosine) / cosine;
  return (Math.sqrt(relative / d) / tangent) * DEGREES;
}

/**
 * Cosine when a share p of the weights is saturated at +-1 and the others are N(0, sigma^2):
 * (p + (1-p) sigma sqrt(2/pi)) / sqrt(p + (1-p) sigma^2).
 * @example
 * ```ts
 * import { saturatedCosine } from 'webgpu-bnn';
 *
 * console.log(saturatedCosine(0.5, 0.3)); // half of the weights at -1 or +1
 * ```
 */
export function saturatedCosine(p: number, sigma: number): number {
  if (!(p >= 0 && p <= 1) || !(sigma >= 0) || (p === 0 && sigma === 0)) {
    throw new OptionError('A share is between 0 and 1, and a standard deviation positive.', {
      given: `p = ${p}, sigma = ${sigma}`,
      where: 'saturatedCosine',
    });
  }
  return (p + (1 - p) * sigma * LIMIT_COSINE) / Math.sqrt(p + (1 - p) * sigma * sigma);
}

/** Standard deviation of the cosine of two independent random vectors in R^d, whose mean is 0: 1/sqrt(d). */
export function independentSdCosine(d: number): number {
  assertDimension(d);
  return 1 / Math.sqrt(d);
}

/**
 * Correlation of the signs of two Gaussians of correlation c (a sign layer's map of overlaps): (2/pi) asin c.
 * @example
 * ```ts
 * import { arcsinLaw } from 'webgpu-bnn';
 *
 * console.log(arcsinLaw(0.5)); // 1/3
 * ```
 */
export function arcsinLaw(c: number): number {
  assertCorrelation(c, 'arcsinLaw');
  return TWO_OVER_PI * Math.asin(c);
}

/** Share of dot products that change their sign when two Gaussian products correlate by r: arccos(r)/pi. */
export function signChangeShare(r: number): number {
  assertCorrelation(r, 'signChangeShare');
  return Math.acos(r) / Math.PI;
}

/**
 * Dot-product proportionality where the data favour a filter's direction: the correlation of w.x and sign(w).x when the
 * binarization error is random with respect to the data's covariance C: [1 + tan^2(theta) / alignment]^(-1/2).
 * @param alignment w'Cw d / (|w|^2 tr C), 1 for isotropic data
 * @param cosine of w and its sign; the Gaussian limit when absent
 */
export function alignedCorrelation(alignment: number, cosine: number = LIMIT_COSINE): number {
  if (!(alignment > 0) || !(cosine > 0 && cosine <= 1)) {
    throw new OptionError('An alignment is positive, and the cosine of a vector and its sign too.', {
      given: `alignment = ${alignment}, cosine = ${cosine}`,
      where: 'alignedCorrelation',
    });
  }
  return 1 / Math.sqrt(1 + (1 / (cosine * cosine) - 1) / alignment);
}

/**
 * Cosine of w ~ N(0, 1)^d and its ternary version 1[|w| > a] sign(w), many dimensions: sqrt(2) phi(a) / sqrt(Q(a)).
 * Largest (25.855 degrees) at a = 0.6120.
 * @example
 * ```ts
 * import { ternaryCosine } from 'webgpu-bnn';
 *
 * console.log((Math.acos(ternaryCosine(0.612)) * 180) / Math.PI); // 25.85 degrees
 * ```
 */
export function ternaryCosine(a: number): number {
  if (!(a >= 0) || !Number.isFinite(a)) {
    throw new OptionError("A threshold isn't negative.", { given: String(a), where: 'ternaryCosine' });
  }
  const density = Math.exp((-a * a) / 2) / Math.sqrt(2 * Math.PI);
  return (Math.SQRT2 * density) / Math.sqrt(normalTail(a));
}

/** Q(x) = P(N(0, 1) > x), x >= 0, to about 1e-15 relative. */
export function normalTail(x: number): number {
  const density = Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);
  if (x < 3) {
    // 1/2 - phi(x) (x + x^3/3 + x^5/15 + ...): all terms positive (Marsaglia 2004).
    let term = x;
    let sum = x;
    for (let k = 3; term > 1e-18 * sum; k += 2) {
      term *= (x * x) / k;
      sum += term;
    }
    return 0.5 - density * sum;
  }
  // phi(x) / (x + 1/(x + 2/(x + 3/...))) from the inside out.
  let tail = x;
  for (let k = 160; k >= 1; k--) tail = x + k / tail;
  return density / tail;
}

/** Participation ratio of the Gram matrix of n random +-1 filters in R^d: n / (1 + (n-1)/d). */
export function randomGramParticipation(n: number, d: number): number {
  assertDimension(n);
  assertDimension(d);
  return n / (1 + (n - 1) / d);
}

/**
 * Probability that the dot product of two random sign vectors is 0: C(d, d/2) / 2^d, about sqrt(2/(pi d)), for even d;
 * none for odd d. Why the convention sign(0) = +1 matters.
 */
export function tieProbability(d: number): number {
  assertDimension(d);
  if (d % 2 === 1) return 0;
  // C(2n, n)/4^n = Gamma(n + 1/2) / (sqrt(pi) Gamma(n + 1)), and Gamma(n + 1) = Gamma((d + 2)/2).
  return gammaRatio(d + 1) / Math.sqrt(Math.PI);
}

function momentsOf(law: WeightLaw): readonly [number, number, number, number] {
  if (!Object.hasOwn(ABSOLUTE_MOMENTS, law)) {
    throw new OptionError('There is no law of this name.', {
      given: String(law),
      expected: Object.keys(ABSOLUTE_MOMENTS).join(', '),
    });
  }
  return ABSOLUTE_MOMENTS[law];
}

function assertDimension(d: number): void {
  if (!Number.isInteger(d) || d < 1) {
    throw new OptionError('A dimension is a positive integer.', { given: String(d) });
  }
}

function assertCorrelation(r: number, where: string): void {
  if (!(r >= -1 && r <= 1)) {
    throw new OptionError('A correlation is between -1 and 1.', { given: String(r), where });
  }
}
