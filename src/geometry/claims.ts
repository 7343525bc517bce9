/**
 * What Anderson & Berg, "The High-Dimensional Geometry of Binary Neural Networks" (ICLR 2018), claims of trained
 * networks, beside what was measured, with a verdict each. Pure arithmetic: the verdicts follow from the numbers.
 */

import {
  expectedAngleDegrees,
  LIMIT_ANGLE_DEGREES,
  LIMIT_COSINE,
  sdAngleDegrees,
} from '../numerics/closed-forms.ts';
import { spreadSlope } from '../numerics/lines.ts';
import type { RandomAngles, RotatedAngles } from './figures.ts';

/** A mean over filters, with its standard error. */
export interface MeanOfFilters {
  /** The mean itself. */
  readonly mean: number;
  /** Standard error of the mean, over filters and images; NaN where there are too few of either to tell. */
  readonly error: number;
}

/** What was measured of a layer, as far as claims are about it. */
export interface MeasuredLayer {
  /** Name of the layer. */
  readonly name: string;
  /** How many filters it has. */
  readonly filters: number;
  /** Weights of one filter: d of the closed forms. */
  readonly dimension: number;
  /** Between filters and their signs, in degrees. */
  readonly meanAngle: number;
  /** Standard deviation over the filters, in degrees. */
  readonly sdAngle: number;
  /** Mean cosine of the filters and their signs. */
  readonly meanCosine: number;
  /** Correlation of A·w_c and A·w_b over the filters; and on permuted activations. */
  readonly r: MeanOfFilters;
  /** The same r with the activations' elements permuted, which takes their structure away. */
  readonly permutedR: MeanOfFilters;
  /** Correlation of A_c·w_b and A_b·w_b; undefined where the input isn't binarized. */
  readonly activationsR: MeanOfFilters | undefined;
  /** Share of images classified right with this layer's latent weights in place of their signs, statistics refitted. */
  readonly continuousAccuracy: number;
}

/** All measurements that claims are judged by. */
export interface Measurements {
  /** In the order of the network; the first one takes the images, the last one gives the scores. */
  readonly layers: readonly MeasuredLayer[];
  /** Of the binary network, its statistics refitted on the same images. */
  readonly accuracy: number;
  /** Test images behind the accuracies. */
  readonly images: number;
  /** Random vectors of several dimensions, the control of the instrument. */
  readonly random: readonly RandomAngles[];
  /** Vectors with few large entries, before and after a random rotation. */
  readonly rotation: readonly RotatedAngles[];
}

/** A verdict holds or fails where two standard errors leave no doubt, and else it can't be told. */
export type Verdict = 'holds' | 'fails' | 'cannot be told';

/** A claim of the paper: its closed form, what was measured, and the verdict. */
export interface Claim {
  /** Short name, the same in every report. */
  readonly id: string;
  /**
   * What the verdict is about. What holds by construction, of random vectors or by the definition of the control, says that
   * the instrument measures right, and nothing of the network.
   */
  readonly about: 'network' | 'instrument';
  /** What the paper says, as a sentence. */
  readonly claim: string;
  /** What theory says, with numbers. */
  readonly expected: string;
  /** What was found, with numbers. */
  readonly measured: string;
  /** What follows from the two. */
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
  const isRight = ({ meanCosine, expectedCosine, expectedSdCosine, vectors }: RandomAngles) =>
    Math.abs(meanCosine - expectedCosine) <= (4 * expectedSdCosine) / Math.sqrt(vectors);
  return {
    id: 'random-vectors',
    about: 'instrument',
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
      random.map((one) => [`d = ${one.dimension}`, isRight(one) ? 'yes' : 'no']),
      'the mean cosine of each dimension is within four standard errors of the closed form',
    ),
  };
}

function hiddenAngles(hidden: readonly MeasuredLayer[]): Claim {
  return {
    id: 'angle',
    about: 'network',
    claim:
      'In hidden layers the angle between learned weights and their signs is near that of random directions.',
    expected: `${degrees(LIMIT_ANGLE_DEGREES)} in many dimensions; ${each(hidden, ({ dimension }) => degrees(expectedAngleDegrees(dimension)))}`,
    measured: each(hidden, ({ meanAngle, sdAngle }) => `${degrees(meanAngle)} ± ${degrees(sdAngle)}`),
    ...verdict(
      hidden.length > 0,
      hidden.map(({ name, meanAngle, sdAngle, filters, dimension }) => {
        const difference = Math.abs(meanAngle - expectedAngleDegrees(dimension));
        return [name, atMost(difference, errorOf(sdAngle, filters), ANGLE_SLACK)];
      }),
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
    about: 'instrument',
    claim: 'The angles of a layer spread as 1/√d: filters of more dimensions are nearer to 37°.',
    expected: `slope of log sd on log d: −0.5; ${each(layers, ({ dimension }) => degrees(sdAngleDegrees(dimension)))}`,
    measured: `slope ${signed(slope)}; ${each(layers, ({ sdAngle }) => degrees(sdAngle))}`,
    ...verdict(
      enough,
      [[`slope ${signed(slope)}`, Math.abs(slope + 0.5) <= SLOPE_SLACK ? 'yes' : 'no']],
      `the slope over all layers is −0.5 ± ${SLOPE_SLACK}; it takes three layers whose dimensions span a factor of ${LEAST_LEVER}`,
    ),
  };
}

function aboveControl(layers: readonly MeasuredLayer[]): Claim {
  return {
    id: 'proportionality',
    about: 'network',
    claim:
      'Dot products with binarized weights are proportional to those with continuous ones, more than chance has it: r is above the permuted control.',
    expected: `permuted: r = cos θ ≈ ${LIMIT_COSINE.toFixed(3)}; real: above it`,
    measured: each(layers, ({ r, permutedR }) => `${withError(r)} (permuted ${number(permutedR.mean)})`),
    ...verdict(
      layers.length > 0,
      layers.map(({ name, r, permutedR }) => [name, larger(r, permutedR)]),
      'the mean r of every layer is above that on permuted activations by more than two standard errors, over filters and images',
    ),
  };
}

function controlIsCosine(layers: readonly MeasuredLayer[]): Claim {
  return {
    id: 'control',
    about: 'instrument',
    claim: 'On permuted activations, r falls to the cosine between weights and signs.',
    expected: each(layers, ({ meanCosine }) => number(meanCosine)),
    measured: each(layers, ({ permutedR }) => number(permutedR.mean)),
    ...verdict(
      layers.length > 0,
      layers.map(({ name, permutedR, meanCosine }) => {
        const isRight = Math.abs(permutedR.mean - meanCosine) <= PERMUTED_SLACK;
        return [name, isRight ? 'yes' : 'no'];
      }),
      `r is within ${PERMUTED_SLACK} of the mean cosine in every layer`,
    ),
  };
}

function firstIsWeakest(first: MeasuredLayer | undefined, others: readonly MeasuredLayer[]): Claim {
  return {
    id: 'first-layer',
    about: 'network',
    claim: 'The first layer is the weakest: its dot products are the least proportional.',
    expected: 'the smallest r of all layers',
    measured:
      first === undefined
        ? '–'
        : `${first.name} ${withError(first.r)}; ${each(others, ({ r }) => withError(r))}`,
    ...verdict(
      first !== undefined && others.length > 0,
      first === undefined ? [] : others.map(({ name, r }) => [name, larger(r, first.r)]),
      "the first layer's mean r is smaller than that of every other layer by more than two standard errors, over filters and images",
    ),
  };
}

function activationsHarmless(layers: readonly MeasuredLayer[]): Claim {
  const binarized = layers.flatMap(({ name, activationsR }) =>
    activationsR === undefined ? [] : [{ name, r: activationsR }],
  );
  return {
    id: 'activations',
    about: 'network',
    claim:
      'Binarizing the activations does no harm: dot products with signs follow those with continuous activations.',
    expected: `r ≥ ${LIMIT_COSINE.toFixed(4)}, that of independent Gaussian activations`,
    measured: binarized.map(({ name, r }) => `${name} ${withError(r)}`).join('; '),
    ...verdict(
      binarized.length > 0,
      binarized.map(({ name, r }) => [name, larger(r, { mean: LIMIT_COSINE, error: 0 })]),
      'r of A_c·w_b and A_b·w_b is at least that of independent Gaussian activations in every layer that binarizes its input, by two standard errors',
    ),
  };
}

function continuousLayers({ layers, accuracy, images }: Measurements): Claim {
  // As of different images; both are of the same ones, so their difference varies less.
  const errorWith = (other: number) => Math.sqrt((accuracy * (1 - accuracy) + other * (1 - other)) / images);
  return {
    id: 'continuous-layers',
    about: 'network',
    claim:
      'Any one layer can use its continuous weights in place of their signs, once batch normalisation is refitted: the network computes much the same.',
    expected: `${percent(accuracy)}, the binary network's accuracy`,
    measured: each(layers, ({ continuousAccuracy }) => percent(continuousAccuracy)),
    ...verdict(
      layers.length > 0 && images > 0,
      layers.map(({ name, continuousAccuracy }) => {
        const difference = Math.abs(continuousAccuracy - accuracy);
        return [name, atMost(difference, errorWith(continuousAccuracy), ACCURACY_SLACK)];
      }),
      `accuracy stays within one point, by two standard errors on ${images.toLocaleString('en-US')} images`,
    ),
  };
}

function rotation(examples: readonly RotatedAngles[]): Claim {
  const shown = examples.filter(({ dimension }) => dimension >= 100);
  return {
    id: 'rotation',
    about: 'instrument',
    claim:
      'Where few entries hold most of a vector, binarization turns it far; a rotation before it brings the angle back.',
    expected: `68.2° at d = 100 and 80.5° at d = 500 for x_i = exp(0.1(i − d/2))·g_i; after a rotation ${shown
      .map((one) => `${degrees(one.expected)} at ${one.padded}`)
      .join(', ')}, the dimension that it is padded to`,
    measured: shown
      .map((one) => `d = ${one.dimension}: ${degrees(one.plain.mean)}, rotated ${degrees(one.rotated.mean)}`)
      .join('; '),
    ...verdict(
      shown.length > 0,
      examples.map(({ dimension, expected, rotated }) => [
        `d = ${dimension}`,
        atMost(Math.abs(rotated.mean - expected), rotated.error, 1),
      ]),
      'over several rotations, vectors have the angle of random ones of the padded dimension within 1°, by two standard errors',
    ),
  };
}

/** What numbers with an error say of a bound. */
type Answer = 'yes' | 'no' | 'open';

/** Whether a value is at most so large, by two standard errors. */
function atMost(value: number, error: number, most: number): Answer {
  if (!Number.isFinite(value)) return 'no';
  if (value + 2 * error <= most) return 'yes';
  return value - 2 * error > most ? 'no' : 'open';
}

/** Whether one mean is larger than another, by two standard errors of the difference. */
function larger(one: MeanOfFilters, other: MeanOfFilters): Answer {
  const error = Math.hypot(one.error, other.error);
  const difference = one.mean - other.mean;
  if (!Number.isFinite(difference)) return 'no';
  if (difference > 2 * error) return 'yes';
  return difference < -2 * error ? 'no' : 'open';
}

function verdict(
  known: boolean,
  answers: readonly (readonly [name: string, answer: Answer])[],
  rule: string,
): Pick<Claim, 'verdict' | 'reason'> {
  if (!known) return { verdict: 'cannot be told', reason: `Too little was measured. Rule: ${rule}.` };
  const named = (wanted: Answer) =>
    answers.flatMap(([name, answer]) => (answer === wanted ? [name] : [])).join(', ');
  const [failing, open] = [named('no'), named('open')];
  if (failing !== '') return { verdict: 'fails', reason: `Not so: ${failing}. Rule: ${rule}.` };
  if (open === '') return { verdict: 'holds', reason: `Rule: ${rule}.` };
  return {
    verdict: 'cannot be told',
    reason: `Two standard errors leave it open: ${open}. Rule: ${rule}.`,
  };
}

function each(layers: readonly MeasuredLayer[], of: (layer: MeasuredLayer) => string): string {
  return layers.map((layer) => `${layer.name} ${of(layer)}`).join('; ');
}

/** Of a mean over filters; one filter says nothing of the others. */
function errorOf(deviation: number, filters: number): number {
  return filters < 2 ? Number.NaN : deviation / Math.sqrt(filters - 1);
}

function withError({ mean, error }: MeanOfFilters): string {
  return Number.isFinite(error) ? `${number(mean)} ± ${error.toFixed(4)}` : number(mean);
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
