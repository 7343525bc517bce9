/**
 * What Anderson & Berg, "The High-Dimensional Geometry of Binary Neural Networks" (ICLR 2018), claims of trained
 * networks, beside what was measured, with a verdict each. Pure arithmetic: the verdicts follow from the numbers.
 */
import { spreadSlope } from '../reference/geometry.ts';
import { expectedAngleDegrees, LIMIT_ANGLE_DEGREES, LIMIT_COSINE, sdAngleDegrees } from './closed-forms.ts';
import type { RandomAngles, RotatedAngles } from './figures.ts';

export interface MeasuredLayer {
  readonly name: string;
  readonly filters: number;
  readonly dimension: number;
  /** Between filters and their signs, in degrees. */
  readonly meanAngle: number;
  readonly sdAngle: number;
  /** Mean cosine of the filters and their signs. */
  readonly meanCosine: number;
  /** Correlation of A·w_c and A·w_b: mean and deviation over the filters; and on permuted activations. */
  readonly r: { readonly mean: number; readonly deviation: number };
  readonly permutedR: { readonly mean: number; readonly deviation: number };
  /** Correlation of A_c·w_b and A_b·w_b; undefined where the input isn't binarized. */
  readonly activationsR: number | undefined;
  /** Share of images classified right with this layer's latent weights in place of their signs, statistics refitted. */
  readonly continuousAccuracy: number;
}

export interface Measurements {
  /** In the order of the network; the first one takes the images, the last one gives the scores. */
  readonly layers: readonly MeasuredLayer[];
  /** Of the binary network, its statistics refitted on the same images. */
  readonly accuracy: number;
  /** Test images behind the accuracies. */
  readonly images: number;
  readonly random: readonly RandomAngles[];
  readonly rotation: readonly RotatedAngles[];
}

export type Verdict = 'holds' | 'fails' | 'cannot be told';

export interface Claim {
  readonly id: string;
  readonly claim: string;
  /** What theory says, with numbers. */
  readonly expected: string;
  readonly measured: string;
  readonly verdict: Verdict;
  /** The rule that the verdict follows from, and where it failed. */
  readonly reason: string;
}

/** Degrees that the mean angle of a hidden layer may be off. */
const ANGLE_SLACK = 2;
/** How far the slope of log sd on log d may be from -1/2. */
const SLOPE_SLACK = 0.1;
/** Least ratio of the longest to the shortest filters from which a slope can be told. */
const LEAST_LEVER = 4;
/** How far r on permuted data may be from the cosine. */
const PERMUTED_SLACK = 0.03;
/** Share of accuracy that a continuous layer may change. */
const ACCURACY_SLACK = 0.01;

/** Judges every claim. */
export function judgeClaims(measurements: Measurements): Claim[] {
  const { layers } = measurements;
  const [first] = layers;
  const hidden = layers.length > 2 ? layers.slice(1, -1) : layers.slice(1);
  return [
    randomVectors(measurements.random),
    hiddenAngles(hidden),
    spreads(layers),
    aboveControl(layers),
    controlIsCosine(layers),
    firstIsWeakest(first, layers.slice(1)),
    activationsHarmless(layers),
    continuousLayers(measurements),
    rotation(measurements.rotation),
  ];
}

function randomVectors(random: readonly RandomAngles[]): Claim {
  const off = random.filter(
    ({ meanCosine, expectedCosine, expectedSdCosine, vectors }) =>
      !(Math.abs(meanCosine - expectedCosine) <= (4 * expectedSdCosine) / Math.sqrt(vectors)),
  );
  return {
    id: 'random-vectors',
    claim:
      'A random vector turns by an angle near 37° when it is binarized, and the more dimensions, the more surely.',
    expected: `${degrees(LIMIT_ANGLE_DEGREES)} in many dimensions; ${random
      .map((one) => `d = ${one.dimension}: cos ${one.expectedCosine.toFixed(4)}`)
      .join('; ')}`,
    measured: random
      .map(
        (one) =>
          `d = ${one.dimension}: cos ${one.meanCosine.toFixed(4)}, ${degrees(one.meanAngle)} ± ${degrees(one.sdAngle)}`,
      )
      .join('; '),
    ...verdict(
      random.length > 0,
      off.map(({ dimension }) => `d = ${dimension}`),
      'the mean cosine of each dimension is within four standard errors of the closed form',
    ),
  };
}

function hiddenAngles(hidden: readonly MeasuredLayer[]): Claim {
  const off = hidden.filter(
    ({ meanAngle, dimension }) => !(Math.abs(meanAngle - expectedAngleDegrees(dimension)) <= ANGLE_SLACK),
  );
  return {
    id: 'angle',
    claim:
      'In hidden layers the angle between learned weights and their signs is near that of random directions.',
    expected: `${degrees(LIMIT_ANGLE_DEGREES)} in many dimensions; ${each(hidden, ({ dimension }) => degrees(expectedAngleDegrees(dimension)))}`,
    measured: each(hidden, ({ meanAngle, sdAngle }) => `${degrees(meanAngle)} ± ${degrees(sdAngle)}`),
    ...verdict(
      hidden.length > 0,
      names(off),
      `the mean of each hidden layer is within ${ANGLE_SLACK}° of the closed form for its dimension`,
    ),
  };
}

function spreads(layers: readonly MeasuredLayer[]): Claim {
  const counted = layers.filter(({ filters, sdAngle }) => filters > 1 && sdAngle > 0);
  const lengths = counted.map(({ dimension }) => dimension);
  const lever = Math.max(...lengths) / Math.min(...lengths);
  const { slope } = spreadSlope(counted);
  const enough = counted.length >= 3 && lever >= LEAST_LEVER;
  return {
    id: 'spread',
    claim: 'The angles of a layer spread as 1/√d: filters of more dimensions are nearer to 37°.',
    expected: `slope of log sd on log d: −0.5; ${each(layers, ({ dimension }) => degrees(sdAngleDegrees(dimension)))}`,
    measured: `slope ${signed(slope)}; ${each(layers, ({ sdAngle }) => degrees(sdAngle))}`,
    ...verdict(
      enough,
      enough && !(Math.abs(slope + 0.5) <= SLOPE_SLACK) ? [`slope ${signed(slope)}`] : [],
      `the slope over all layers is −0.5 ± ${SLOPE_SLACK}; it takes three layers whose dimensions span a factor of ${LEAST_LEVER}`,
    ),
  };
}

function aboveControl(layers: readonly MeasuredLayer[]): Claim {
  const below = layers.filter(({ r, permutedR, filters }) => {
    const error = Math.sqrt((r.deviation ** 2 + permutedR.deviation ** 2) / filters);
    return !(r.mean - permutedR.mean > 2 * error);
  });
  return {
    id: 'proportionality',
    claim:
      'Dot products with binarized weights are proportional to those with continuous ones, more than chance has it: r is above the permuted control.',
    expected: `permuted: r = cos θ ≈ ${LIMIT_COSINE.toFixed(3)}; real: above it`,
    measured: each(layers, ({ r, permutedR }) => `${number(r.mean)} (permuted ${number(permutedR.mean)})`),
    ...verdict(
      layers.length > 0,
      names(below),
      'the mean r of every layer is above that on permuted activations by more than two standard errors',
    ),
  };
}

function controlIsCosine(layers: readonly MeasuredLayer[]): Claim {
  const off = layers.filter(
    ({ permutedR, meanCosine }) => !(Math.abs(permutedR.mean - meanCosine) <= PERMUTED_SLACK),
  );
  return {
    id: 'control',
    claim: 'On permuted activations, r falls to the cosine between weights and signs.',
    expected: each(layers, ({ meanCosine }) => number(meanCosine)),
    measured: each(layers, ({ permutedR }) => number(permutedR.mean)),
    ...verdict(
      layers.length > 0,
      names(off),
      `r is within ${PERMUTED_SLACK} of the mean cosine in every layer`,
    ),
  };
}

function firstIsWeakest(first: MeasuredLayer | undefined, others: readonly MeasuredLayer[]): Claim {
  const weaker = first === undefined ? [] : others.filter(({ r }) => !(r.mean > first.r.mean));
  return {
    id: 'first-layer',
    claim: 'The first layer is the weakest: its dot products are the least proportional.',
    expected: 'the smallest r of all layers',
    measured:
      first === undefined
        ? '–'
        : `${first.name} ${number(first.r.mean)}; ${each(others, ({ r }) => number(r.mean))}`,
    ...verdict(
      first !== undefined && others.length > 0,
      names(weaker),
      "the first layer's mean r is smaller than that of every other layer",
    ),
  };
}

function activationsHarmless(layers: readonly MeasuredLayer[]): Claim {
  const binarized = layers.filter(({ activationsR }) => activationsR !== undefined);
  const below = binarized.filter(({ activationsR = Number.NaN }) => !(activationsR >= LIMIT_COSINE));
  return {
    id: 'activations',
    claim:
      'Binarizing the activations does no harm: dot products with signs follow those with continuous activations.',
    expected: `r ≥ ${LIMIT_COSINE.toFixed(4)}, that of independent Gaussian activations`,
    measured: each(binarized, ({ activationsR = Number.NaN }) => number(activationsR)),
    ...verdict(
      binarized.length > 0,
      names(below),
      'r of A_c·w_b and A_b·w_b is at least that of independent Gaussian activations in every layer that binarizes its input',
    ),
  };
}

function continuousLayers({ layers, accuracy, images }: Measurements): Claim {
  // Both accuracies are of the same images, so their difference varies less than either.
  const error = Math.sqrt((accuracy * (1 - accuracy)) / images);
  const slack = Math.max(ACCURACY_SLACK, 2 * error);
  const off = layers.filter(({ continuousAccuracy }) => !(Math.abs(continuousAccuracy - accuracy) <= slack));
  return {
    id: 'continuous-layers',
    claim:
      'Any one layer can use its continuous weights in place of their signs, once batch normalisation is refitted: the network computes much the same.',
    expected: `${percent(accuracy)}, the binary network's accuracy`,
    measured: each(layers, ({ continuousAccuracy }) => percent(continuousAccuracy)),
    ...verdict(
      layers.length > 0 && images > 0,
      names(off),
      `accuracy stays within ${percent(slack)} (one point, or two standard errors on ${images.toLocaleString('en-US')} images)`,
    ),
  };
}

function rotation(examples: readonly RotatedAngles[]): Claim {
  const off = examples.filter(
    ({ dimension, rotated }) => !(Math.abs(rotated.mean - expectedAngleDegrees(dimension)) <= 1),
  );
  const shown = examples.filter(({ dimension }) => dimension >= 100);
  return {
    id: 'rotation',
    claim:
      'Where few entries hold most of a vector, binarization turns it far; a rotation before it brings the angle back.',
    expected:
      '68.2° at d = 100 and 80.5° at d = 500 for x_i = exp(0.1(i − d/2))·g_i; 36.7° and 37.03° after a rotation',
    measured: shown
      .map((one) => `d = ${one.dimension}: ${degrees(one.plain.mean)}, rotated ${degrees(one.rotated.mean)}`)
      .join('; '),
    ...verdict(
      shown.length > 0,
      off.map(({ dimension }) => `d = ${dimension}`),
      'rotated vectors have the angle of random ones within 1°',
    ),
  };
}

function verdict(
  known: boolean,
  failing: readonly string[],
  rule: string,
): Pick<Claim, 'verdict' | 'reason'> {
  if (!known) return { verdict: 'cannot be told', reason: `Too little was measured. Rule: ${rule}.` };
  if (failing.length === 0) return { verdict: 'holds', reason: `Rule: ${rule}.` };
  return { verdict: 'fails', reason: `Not so: ${failing.join(', ')}. Rule: ${rule}.` };
}

function each(layers: readonly MeasuredLayer[], of: (layer: MeasuredLayer) => string): string {
  return layers.map((layer) => `${layer.name} ${of(layer)}`).join('; ');
}

function names(layers: readonly MeasuredLayer[]): string[] {
  return layers.map(({ name }) => name);
}

function degrees(value: number): string {
  return `${value.toFixed(2)}°`;
}

function number(value: number): string {
  return value.toFixed(3);
}

function signed(value: number): string {
  return value.toFixed(3).replace('-', '−');
}

function percent(share: number): string {
  return `${(100 * share).toFixed(2)} %`;
}
