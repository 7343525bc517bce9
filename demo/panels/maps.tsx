/** Two-dimensional histograms of a layer's dot products: with continuous weights across, with their signs up. */
import { useSignal } from '@preact/signals';
import { useLayoutEffect, useRef } from 'preact/hooks';
import type { Comparison, LayerProportionality, PairHistogram } from '../../src/index.ts';
import { choose, pairs, prepared } from '../state/studio.ts';
import { colourOf } from './theme.ts';

/** Pixels of a cell, so that a map is sharp on dense screens. */
const CELL = 8;

/** The maps that a layer has: what they show, and what lies across and up. */
const MAPS = [
  { title: 'Binary weights', across: 'A·w', up: 'A·sign(w)', of: (layer) => layer.weights },
  {
    title: 'The same, data shuffled',
    across: 'A·w',
    up: 'A·sign(w)',
    of: (layer) => layer.permuted?.weights,
  },
  {
    title: 'Binary activations',
    across: 'A·sign(w)',
    up: 'sign(A)·sign(w)',
    of: (layer) => layer.activations,
  },
] as const satisfies readonly {
  title: string;
  across: string;
  up: string;
  of: (layer: LayerProportionality) => Comparison | undefined;
}[];

export function MapsPanel() {
  const chosen = useSignal<string | undefined>(undefined);
  const layers = prepared.value?.layers ?? [];
  const shown = pairs.value;
  const name = layers.find((layer) => layer === chosen.value) ?? layers[0];
  return (
    <section class="panel wide" aria-labelledby="maps-title">
      <div class="title">
        <h2 id="maps-title">Dot products of a layer</h2>
        <label>
          Layer{' '}
          <select
            id="layer"
            value={name}
            onChange={({ currentTarget }) => {
              chosen.value = currentTarget.value;
              choose(currentTarget.value);
            }}
          >
            {layers.map((layer) => (
              <option key={layer} value={layer}>
                {layer}
              </option>
            ))}
          </select>
        </label>
      </div>
      <p class="hint">
        What 50 held-out images give: with real weights across, with their signs up. Near a line, the signs
        compute what the weights would. Shuffled data lose their structure, and r falls to the cosine of the
        angle.
      </p>
      <div class="maps" id="maps" data-layer={shown?.layer.name} data-step={shown?.step}>
        {shown !== undefined &&
          MAPS.map(({ of, ...map }) => {
            const comparison = of(shown.layer);
            return comparison?.histogram === undefined ? null : (
              <PairMap
                key={map.title}
                {...map}
                layer={shown.layer.name}
                comparison={comparison}
                histogram={comparison.histogram}
              />
            );
          })}
      </div>
    </section>
  );
}

function PairMap(map: {
  readonly title: string;
  readonly across: string;
  readonly up: string;
  readonly layer: string;
  readonly comparison: Comparison;
  readonly histogram: PairHistogram;
}) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const colour = colourOf(0);
  useLayoutEffect(() => {
    if (canvas.current !== null) paint(canvas.current, map.histogram, colour);
  }, [map.histogram, colour]);
  const { meanR, meanSignChange } = map.comparison;
  const r = Number.isFinite(meanR) ? meanR.toFixed(3) : '–';
  const numbers = `${map.across} across, ${map.up} up: r = ${r}, ${(100 * meanSignChange).toFixed(1)} % change sign`;
  return (
    <figure>
      <figcaption>
        <b>{map.title}</b>
        <span>{numbers}</span>
      </figcaption>
      <canvas ref={canvas} role="img" aria-label={`${map.layer}, ${map.title}: ${numbers}`} />
    </figure>
  );
}

/** Cells in shades by the logarithm of their counts. */
function paint(canvas: HTMLCanvasElement, { bins, counts }: PairHistogram, colour: string): void {
  canvas.width = bins * CELL;
  canvas.height = bins * CELL;
  const context = canvas.getContext('2d');
  if (context === null) return;
  const most = Math.log1p(Math.max(1, ...counts));
  context.fillStyle = colour;
  for (const [at, count] of counts.entries()) {
    if (count === 0) continue;
    context.globalAlpha = 0.12 + (0.88 * Math.log1p(count)) / most;
    context.fillRect((at % bins) * CELL, (bins - 1 - Math.floor(at / bins)) * CELL, CELL, CELL);
  }
}
