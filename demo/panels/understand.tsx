/** Why do signs suffice? Six steps, each with a figure that reacts: the paper's closed forms beside what one draws. */
import { type Signal, useComputed, useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import {
  expectedAngleDegrees,
  expectedCosine,
  type LayerProportionality,
  LIMIT_COSINE,
  sdAngleDegrees,
} from '../../src/geometry/index.ts';
import { geometry, history, pairs } from '../state/studio.ts';
import { correlation, lopsidedAngles, randomAngles, randomProducts } from '../state/vectors.ts';
import type { Point } from '../worker/protocol.ts';
import { Chart, type Plot } from './chart.tsx';
import { colourOf, layerOf } from './theme.ts';

const VECTORS = 1000;
const PRODUCTS = 300;

export function UnderstandPanels() {
  const dimension = useSignal(6);
  const d = useComputed(() => 2 ** dimension.value);
  const share = useSignal(50);
  return (
    <>
      <AngleStep d={d} dimension={dimension} />
      <ConcentrationStep />
      <ProductStep d={d} dimension={dimension} />
      <StructureStep />
      <RotationStep share={share} />
      <TrainingStep />
    </>
  );
}

function Step(given: {
  readonly number: number;
  readonly title: string;
  readonly text: ComponentChildren;
  readonly children: ComponentChildren;
}) {
  const id = `step-${given.number}`;
  return (
    <section class="panel step" aria-labelledby={id}>
      <h2 id={id}>
        {given.number}. {given.title}
      </h2>
      <p class="hint">{given.text}</p>
      {given.children}
    </section>
  );
}

function Slider(given: {
  readonly name: string;
  readonly label: string;
  readonly value: Signal<number>;
  readonly min: number;
  readonly max: number;
}) {
  return (
    <label class="slider">
      {given.label}
      <input
        type="range"
        name={given.name}
        min={given.min}
        max={given.max}
        value={given.value}
        onInput={({ currentTarget }) => {
          given.value.value = Number(currentTarget.value);
        }}
      />
    </label>
  );
}

interface OfDimension {
  readonly d: Signal<number>;
  readonly dimension: Signal<number>;
}

function AngleStep({ d, dimension }: OfDimension) {
  const angles = useComputed(() => randomAngles(d.value, VECTORS, 1));
  const mean = useComputed(() => angles.value.reduce((sum, angle) => sum + angle, 0) / VECTORS);
  const plot = (): Plot => ({
    lines: [
      {
        ...{ name: 'random vectors', points: binned(angles.value, 0, 60), color: colourOf(0) },
        ...{ steps: true, filled: true },
        mark: {
          axis: 'x',
          at: expectedAngleDegrees(d.value),
          text: `${expectedAngleDegrees(d.value).toFixed(1)}°`,
        },
      },
    ],
    x: { name: 'angle to the signs', min: 0, max: 60, unit: '°' },
    y: {},
    tooltip: false,
  });
  return (
    <Step
      number={1}
      title="Signs keep most of a direction"
      text={
        <>
          Replace every number of a vector by its sign. In the plane it can turn by up to 45°; with many
          numbers it turns by about 37°, while two random directions are 90° apart. Of {VECTORS} random
          vectors of dimension {d}: mean <b data-field="mean-angle">{mean.value.toFixed(2)}°</b>, expected{' '}
          {expectedAngleDegrees(d.value).toFixed(2)}°.
        </>
      }
    >
      <Slider name="dimension" label={`Dimension ${d.value}`} value={dimension} min={1} max={11} />
      <Chart plot={plot} label="How many random vectors make which angle with their signs" />
    </Step>
  );
}

const POWERS = Array.from({ length: 12 }, (_, i) => i + 1);

function ConcentrationStep() {
  const curve = (of: (d: number) => number) => POWERS.map((power): Point => [power, of(2 ** power)]);
  const plot = (): Plot => ({
    lines: [
      { name: 'mean angle', points: curve(expectedAngleDegrees), color: colourOf(0), marks: true },
      {
        ...{ name: 'one deviation', color: colourOf(0), dashed: true },
        points: curve((d) => expectedAngleDegrees(d) + sdAngleDegrees(d)),
      },
      {
        ...{ name: 'one deviation', color: colourOf(0), dashed: true },
        points: curve((d) => expectedAngleDegrees(d) - sdAngleDegrees(d)),
      },
    ],
    x: { name: 'dimension, as a power of two', min: 1, max: 12 },
    y: { unit: '°', min: 0, max: 60 },
  });
  return (
    <Step
      number={2}
      title="The more numbers, the surer"
      text="The angle comes closer to arccos √(2/π) = 37.07° with every dimension, and scatters less: its deviation shrinks with one over the square root of the dimension. A filter of 784 weights has hardly a choice."
    >
      <Chart plot={plot} label="Expected angle and its deviation by dimension" />
    </Step>
  );
}

function ProductStep({ d, dimension }: OfDimension) {
  const points = useComputed(() => randomProducts(d.value, PRODUCTS, 2));
  const plot = (): Plot => ({
    lines: [{ name: 'dot products', points: points.value, color: colourOf(1), dots: true }],
    x: { name: 'w·x', min: -4, max: 4 },
    y: { min: -4, max: 4 },
    tooltip: false,
  });
  return (
    <Step
      number={3}
      title="Dot products stay in proportion"
      text={
        <>
          What a layer computes are dot products. With signs in place of weights they come out scaled, but in
          the same order: the correlation is the cosine of the angle, {expectedCosine(d.value).toFixed(3)}.
          Here it is <b data-field="correlation">{correlation(points.value).toFixed(3)}</b> over {PRODUCTS}{' '}
          random vectors.
        </>
      }
    >
      <Slider name="dimension-products" label={`Dimension ${d.value}`} value={dimension} min={1} max={11} />
      <Chart plot={plot} label="Dot products with signs against those with weights" />
    </Step>
  );
}

function StructureStep() {
  const shown = pairs.value;
  const bars =
    shown === undefined ? [] : [shown.layer.weights.meanR, shown.layer.permuted?.weights.meanR ?? 0];
  const plot = (): Plot => ({
    lines: bars.map((r, index) => ({
      name: index === 0 ? 'your data' : 'shuffled',
      points: [
        [index + 0.6, r],
        [index + 1.4, r],
      ],
      color: colourOf(index),
      ...{
        width: 10,
        mark: { axis: 'y' as const, at: LIMIT_COSINE, ...(index === 0 ? { text: '√(2/π)' } : {}) },
      },
    })),
    x: { min: 0, max: 3 },
    y: { min: 0.6, max: 1 },
    tooltip: false,
  });
  return (
    <Step
      number={4}
      title="Real data do better than chance"
      text={
        shown === undefined
          ? 'Open or train a network, and its own dot products are shown here.'
          : structureText(shown.layer)
      }
    >
      <Chart plot={plot} label="Correlation on your data, and on shuffled data" />
    </Step>
  );
}

function structureText({ name, weights, permuted }: LayerProportionality): string {
  const [own, shuffled] = [weights.meanR, permuted?.weights.meanR ?? Number.NaN];
  const begin = `In ${name} of your network the correlation is ${own.toFixed(3)}. Shuffle the numbers of every image among each other, and it is ${shuffled.toFixed(3)}`;
  return own > shuffled
    ? `${begin}: the weights have grown along the directions that the data have.`
    : `${begin}: nothing of the data is in the weights yet. Train, and look again.`;
}

function RotationStep({ share }: { readonly share: Signal<number> }) {
  const curve = useComputed(() =>
    Array.from({ length: 20 }, (_, i) => {
      const held = i * 5;
      return { held, ...lopsidedAngles(256, held / 100, 20, 3) };
    }),
  );
  const here = useComputed(() => lopsidedAngles(256, share.value / 100, 20, 3));
  const plot = (): Plot => ({
    lines: [
      {
        name: 'as it is',
        points: curve.value.map(({ held, before }): Point => [held, before]),
        color: colourOf(1),
      },
      {
        name: 'rotated',
        points: curve.value.map(({ held, after }): Point => [held, after]),
        color: colourOf(2),
      },
    ],
    x: { name: 'squared length in one number', min: 0, max: 95, unit: ' %' },
    y: { unit: '°', min: 0, max: 90 },
  });
  return (
    <Step
      number={5}
      title="Where one number outweighs the rest, rotate"
      text={
        <>
          Signs say nothing of size. If one number of 256 holds {share} % of the squared length, they turn the
          vector by <b data-field="lopsided">{here.value.before.toFixed(1)}°</b>. After a rotation, which
          spreads it over all numbers, by {here.value.after.toFixed(1)}° again. First layers, whose inputs
          have a large mean, gain by it.
        </>
      }
    >
      <Slider name="share" label={`In one number: ${share.value} %`} value={share} min={0} max={95} />
      <Chart plot={plot} label="Angle to the signs by the share of one number, before and after a rotation" />
    </Step>
  );
}

function TrainingStep() {
  const plot = (): Plot => {
    const { angles } = history.value;
    return {
      lines: geometry.value.map(({ name, expectedAngle }, index) => ({
        ...{ name: layerOf(name), points: angles[name] ?? [], color: colourOf(index) },
        marks: (angles[name]?.length ?? 0) < 2,
        mark: { axis: 'y', at: expectedAngle, ...(index === 0 ? { text: 'random direction' } : {}) },
      })),
      x: { name: 'step', min: 0 },
      y: { unit: '°', min: 28, max: 40 },
    };
  };
  const [first] = geometry.value;
  return (
    <Step
      number={6}
      title="Your network finds it by itself"
      text={
        first === undefined
          ? 'Train a network, and its angles are drawn here.'
          : `Weights drawn evenly between −½ and ½ begin at 30°. Training moves them toward what a random direction has: the ${first.filters} filters of ${layerOf(first.name)} are at ${first.meanAngle.toFixed(2)}° now.`
      }
    >
      <Chart plot={plot} label="Angles of your network's filters by step" />
    </Step>
  );
}

/** Shares of values in bins, as the corners of steps. */
function binned(values: readonly number[], low: number, high: number): Point[] {
  const bins = 60;
  const width = (high - low) / bins;
  const shares = new Array<number>(bins).fill(0);
  for (const value of values) {
    const bin = Math.min(bins - 1, Math.max(0, Math.floor((value - low) / width)));
    shares[bin] = (shares[bin] ?? 0) + 1 / values.length;
  }
  return [...shares.map((share, bin): Point => [low + bin * width, share]), [high, 0]];
}
