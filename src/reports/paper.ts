/** The report of `webgpu-bnn paper` as one self-contained page: claims with verdicts, and the paper's figures. */
import type { LayerTwins, Predictors } from '../geometry/predictors.ts';
import type { Claim, FewBitCurves, RandomAngles, RotatedAngles } from '../index.ts';
import { meanOf } from '../numerics/mean.ts';
import { type Html, html } from './html.ts';
import { charts, type Made, page, table } from './page.ts';
import {
  accuracyChart,
  bitsChart,
  correlationChart,
  flipsChart,
  hullsChart,
  latentChart,
  overlapChart,
  type PaperLayer,
  pairMaps,
  randomChart,
  rotationChart,
  skippedChart,
  spreadChart,
  ternaryChart,
} from './paper-figures.ts';
import { angleHistogram, colourOf, figure } from './plots.ts';
import type { RunOptions } from './story.ts';
import { percent, whole } from './words.ts';

export interface PaperReport {
  readonly version: 1;
  readonly made: Made;
  readonly adapter: { readonly name: string; readonly software: boolean };
  readonly run: RunOptions;
  /** That were trained. */
  readonly epochs: number;
  readonly claims: readonly Claim[];
  readonly accuracy: {
    readonly trained: number;
    /** With refitted statistics: what the swaps are compared with. */
    readonly refitted: number;
    readonly images: number;
    readonly refittedOn: number;
  };
  readonly layers: readonly PaperLayer[];
  readonly curves: FewBitCurves;
  readonly random: readonly RandomAngles[];
  readonly rotation: readonly RotatedAngles[];
  readonly predictors: Predictors;
  /** Of measuring. */
  readonly seconds: number;
}

export function renderPaper(report: PaperReport): string {
  const { layers, claims, accuracy } = report;
  const own = claims.filter(({ about }) => about === 'network');
  const holding = own.filter(({ verdict }) => verdict === 'holds').length;
  return page({
    kicker:
      'webgpu-bnn paper report: Anderson & Berg, The High-Dimensional Geometry of Binary Neural Networks (ICLR 2018)',
    title: `${report.run.model} on ${report.run.dataset}`,
    header: html`<p class="figures"><strong>${holding} of ${own.length}</strong> claims hold on this network, which classifies
${percent(accuracy.trained)} of ${whole(accuracy.images)} test images right</p>`,
    body: html`<h2>Claims</h2>
<p>Verdicts follow from the numbers by the rule that stands with each of them. A small network that was trained for minutes
is not the paper's, and where a claim fails on it, it says so. A verdict needs two standard errors, else it cannot be told.
Checks of the instrument hold by construction, and say that it measures right.</p>
${claims.map(claimOf)}
<h2>Vectors and their signs</h2>
${charts([
  figure(
    'Random vectors',
    'Density of the angle between Gaussian vectors and their signs; the dotted line marks 37.07°, the limit of many dimensions.',
    randomChart(report.random),
  ),
  figure(
    'Spread of the angles against dimension',
    'A point a layer, on logarithmic axes; the dashed line is the closed form for random filters.',
    spreadChart(layers),
  ),
  figure(
    'Rotation before binarization',
    'Vectors with entries exp(0.1(i − d/2))·g: mean angle to their signs, without and with a random rotation.',
    rotationChart(report.rotation),
  ),
  figure(
    'Ternary filters',
    'Angle between filters and their ternary versions against the threshold, in standard deviations; dashes are the closed form for Gaussian weights.',
    ternaryChart(report.curves, layers),
  ),
  figure(
    'More bits',
    'Angle between filters and greedy sums of sign vectors; dashes are those of Gaussian weights.',
    bitsChart(report.curves, layers),
  ),
])}
<h2>Angles of the layers</h2>
<p>Each filter turns by an angle when its weights are replaced by their signs. The dotted lines mark uniform weights (30°, the
start of training) and random directions in many dimensions (37.07°); the dashed line marks the closed form for the layer's
dimension.</p>
${charts(
  layers.map((layer, index) =>
    figure(
      layer.name,
      `${whole(layer.filters)} filters of ${whole(layer.dimension)} weights: ${layer.meanAngle.toFixed(2)}° ± ${layer.sdAngle.toFixed(2)}°; ${layer.rotatedAngle.toFixed(2)}° if rotated first.`,
      angleHistogram({ angles: layer.angles, angleExpected: layer.expectedAngle }, index),
      'small',
    ),
  ),
)}
<h2>Latent weights</h2>
${charts(
  layers.map((layer, index) =>
    figure(layer.name, 'Density of the latent weights.', latentChart(layer.latent, index), 'small'),
  ),
)}
<h2>Dot products</h2>
<p>For every filter, dot products with the data: continuous weights (w_c) beside their signs (w_b), and continuous activations
(A_c) beside theirs (A_b). r is the correlation, its mean over the filters of a layer. Permuted activations keep their values and
lose their structure: there, r is the cosine of the angle, about 0.80. In the maps, each step of shade is a fixed factor in
counts; the scale below a map says where the first, the middle and the last begin and end.</p>
${charts([
  figure(
    'Correlation by layer',
    'Mean r over the filters; marks show the mean cosine between weights and signs.',
    correlationChart(layers),
  ),
  figure(
    'One layer continuous',
    `Accuracy with the latent weights of one layer in place of their signs, statistics refitted on ${whole(accuracy.refittedOn)} training images, less the ${percent(accuracy.refitted)} of the binary network.`,
    accuracyChart(layers, accuracy.refitted),
  ),
])}
${layers.map((layer, index) => pairMaps(layer.proportionality, colourOf(index)))}
<h2>What signs tell</h2>
<p>Pairs of test images, output after weights were flipped at random, test images put to the nearest convex hull of training images'
signs, and the products of signs as predictors of the real ones: where a line through both says that a neuron of a ReLU is zero, its
real product need not be computed. Nothing is left out here; it is what could be.</p>
${predictorCharts(report.predictors)}
${twinTable(report.predictors.twins)}
<h2>Layers</h2>
${layerTable(layers)}
<h2>Ternary weights and more bits</h2>
<p>The figures above are of all weights of a layer, each in units of its own filter's root mean square. Where filters
are spread differently, the mean of their own angles is another.</p>
${fewBitsTable(report.curves)}
<h2>What the filters see</h2>
<p>Covariance of each layer's input patches: in how many directions the data vary, how far the filters lie along the main ones
(1 for isotropic data), and the r that follows if the binarization error is random with respect to the data. The effective
rank of few patches is too low, by an eighth to a quarter where there are fewer than some ten times as many patches as weights:
more --images raise it.</p>
${fewPatches(layers)}
${covarianceTable(layers)}`,
    facts: [
      ['adapter', report.adapter.name],
      ['data set', report.run.dataset],
      ['model', report.run.model],
      ['epochs trained', `${report.epochs} of ${report.run.epochs}`],
      ['seed', String(report.run.seed)],
      ['images behind the dot products', whole(layers[0]?.proportionality.samples ?? 0)],
      ['measured in', `${report.seconds.toFixed(0)} seconds`],
    ],
    made: report.made,
  });
}

function predictorCharts({ overlaps, flips, hulls, twins }: Predictors): Html {
  const [hull] = hulls;
  return charts([
    figure(
      'Overlap of two inputs by depth',
      `Mean over ${overlaps.map(({ pairs, count }) => `${count} pairs of the ${pairs}`).join(' and ')}; dashes are (2/π)·arcsin of the layer before, the law of wide layers of random weights.`,
      overlapChart(overlaps),
    ),
    figure(
      'Outputs against flipped weights',
      'Mean cosine of the outputs with and without, and share of the images whose largest output is the same; dashes are 1 − 2p, of a single product.',
      flipsChart(flips),
    ),
    figure(
      'Nearest convex hull',
      `Share of ${whole(hull?.tested ?? 0)} test images whose class has the nearest hull of signs, of ${whole(hull?.corners ?? 0)} training images a class at most.`,
      hullsChart(hulls),
    ),
    figure(
      'Work that a binary twin would skip',
      'Share of the products of a ReLU that are predicted to be zero, if neurons are predicted whose r is at least the threshold.',
      skippedChart(twins),
    ),
  ]);
}

function twinTable(twins: readonly LayerTwins[]): Html {
  const thresholds = (twins[0]?.skippable ?? []).filter(({ threshold }) => threshold > 0);
  const head = [
    ...['layer', 'neurons', 'products of each', 'mean r', 'least r'],
    ...thresholds.map(({ threshold }) => `skipped (of them wrong), r ≥ ${threshold}`),
  ];
  const rows = twins.map(({ layer, products, r, skippable }) => {
    const known = r.filter((one) => Number.isFinite(one));
    return [
      ...[layer, whole(r.length), whole(products), number(meanOf(known)), number(Math.min(...known))],
      ...skippable
        .filter(({ threshold }) => threshold > 0)
        .map(({ skipped, wrong }) => `${percent(skipped)} (${percent(skipped === 0 ? 0 : wrong / skipped)})`),
    ];
  });
  return table(head, rows);
}

/** A claim: verdict, rule, theory and measurement, below each other where a page is narrow. */
function claimOf({ about, claim, expected, measured, verdict, reason }: Claim): Html {
  return html`<div class="claim"><span class="verdict ${verdict.replaceAll(' ', '-')}">${verdict}</span>${about === 'instrument' ? 'Check of the instrument: ' : ''}<b>${claim}</b>
<p class="reason">${reason}</p>
<dl><div><dt>theory</dt>${parts(expected)}</div><div><dt>measured</dt>${parts(measured)}</div></dl></div>`;
}

/** Parts of a text that semicolons separate, a line each. */
function parts(text: string): Html[] {
  return text.split('; ').map((part) => html`<dd>${part}</dd>`);
}

function layerTable(layers: readonly PaperLayer[]): Html {
  const head = [
    'layer',
    'shape',
    'd',
    'angle',
    'closed form',
    'sd, closed form',
    'rotated',
    'r weights',
    'permuted',
    'r activations',
    'r both',
    'slope',
    'mean |w|',
    'signs change',
    'accuracy if continuous',
  ];
  const rows = layers.map((layer) => {
    const { proportionality: pairs } = layer;
    return [
      layer.name,
      layer.shape.join(' × '),
      whole(layer.dimension),
      `${layer.meanAngle.toFixed(2)}° ± ${layer.sdAngle.toFixed(2)}°`,
      `${layer.expectedAngle.toFixed(2)}°`,
      `${layer.expectedSd.toFixed(2)}°`,
      `${layer.rotatedAngle.toFixed(2)}°`,
      number(pairs.weights.meanR),
      number(pairs.permuted?.weights.meanR),
      number(pairs.activations?.meanR),
      number(pairs.both?.meanR),
      number(pairs.weights.meanSlope),
      number(pairs.meanScale),
      percent(pairs.weights.meanSignChange),
      percent(layer.continuousAccuracy),
    ];
  });
  return table(head, rows);
}

function covarianceTable(layers: readonly PaperLayer[]): Html {
  const head = [
    'layer',
    'patches',
    'd',
    'participation ratio',
    'effective rank',
    'largest share of variance',
    'alignment',
    'r by covariance',
    'r if the error is random',
  ];
  const rows = layers.map(({ name, dimension, proportionality: { covariance } }) =>
    covariance === undefined
      ? [name, '–', whole(dimension), '–', '–', '–', '–', '–', '–']
      : [
          name,
          whole(covariance.samples),
          whole(dimension),
          covariance.participationRatio.toFixed(1),
          covariance.effectiveRank?.toFixed(1) ?? '–',
          percent((covariance.eigenvalues[0] ?? 0) / covariance.trace),
          covariance.meanAlignment.toFixed(2),
          number(covariance.meanCorrelation),
          number(covariance.expectedCorrelation),
        ],
  );
  return table(head, rows);
}

/** Layers whose effective rank says more of the sample than of the data. */
function fewPatches(layers: readonly PaperLayer[]): Html | undefined {
  const few = layers.filter(
    ({ dimension, proportionality: { covariance } }) =>
      covariance?.effectiveRank !== undefined && covariance.samples < 10 * dimension,
  );
  return few.length === 0 ? undefined : html`<p>Too low here: ${few.map(({ name }) => name).join(', ')}.</p>`;
}

/** Angles of the pooled weights of a layer beside the mean over its filters, which differ in how their weights are spread. */
function fewBitsTable({ thresholds, measured }: FewBitCurves): Html {
  const at = thresholds.findIndex((threshold) => threshold >= 0.6);
  const head = [
    'layer',
    'weights',
    `ternary, ${thresholds[at]?.toFixed(1)}`,
    '1 bit',
    '2 bits',
    '3 bits',
    '4 bits',
  ];
  const rows = measured.flatMap(({ name, filters, ...pooled }) =>
    [
      { of: 'pooled', ...pooled },
      { of: 'mean of filters', ...filters },
    ].map(({ of, ternary, bits }) => [
      name,
      of,
      ...[ternary[at], ...bits.slice(0, 4)].map((angle = 0) => `${angle.toFixed(2)}°`),
    ]),
  );
  return table(head, rows);
}

function number(value: number | undefined): string {
  return value === undefined || !Number.isFinite(value) ? '–' : value.toFixed(3);
}
