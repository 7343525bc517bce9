/** The angle between weights and their signs: by step, filter by filter, and as a table. */

import type { LayerGeometry } from '../../src/index.ts';
import { percent } from '../../src/reports/words.ts';
import { geometry, history, prepared } from '../state/studio.ts';
import type { Point } from '../worker/protocol.ts';
import { Chart, type Plot } from './chart.tsx';
import { colourOf, layerOf, SERIES } from './theme.ts';

/** Bins of a histogram over the range that all layers share. */
const BINS = 48;

function anglesPlot(): Plot {
  // A new history means that points were added.
  const { angles } = history.value;
  return {
    lines: geometry.value.map(({ name, expectedAngle }, index) => ({
      name: layerOf(name),
      points: angles[name] ?? [],
      color: colourOf(index),
      marks: (angles[name]?.length ?? 0) < 2,
      // The layers' expectations all but coincide: one label is enough.
      mark: {
        axis: 'y',
        at: expectedAngle,
        ...(index === 0 ? { text: `expected ${expectedAngle.toFixed(1)}°` } : {}),
      },
    })),
    x: { name: 'step', min: 0, max: prepared.value?.steps ?? 1 },
    // The expected angle belongs on the picture from the start, when all angles are still elsewhere.
    y: {
      unit: '°',
      min: ({ min }) => 2 * Math.floor(Math.min(28, min) / 2),
      max: ({ max }) => 2 * Math.ceil(Math.max(38, max) / 2),
    },
  };
}

function histogramPlot(index: number): Plot {
  const layer = geometry.value[index];
  if (layer === undefined) return { lines: [], x: {}, y: {} };
  const all = geometry.value.flatMap(({ angles, expectedAngle }) => [...angles, expectedAngle]);
  const low = 2 * Math.floor((Math.min(...all) - 0.5) / 2);
  const high = 2 * Math.ceil((Math.max(...all) + 0.5) / 2);
  return {
    lines: [
      {
        ...{ name: layer.name, points: histogram(layer.angles, low, high), color: colourOf(index) },
        ...{ steps: true, filled: true, width: 1.5, faint: false },
        mark: { axis: 'x', at: layer.expectedAngle, text: `${layer.expectedAngle.toFixed(1)}°` },
      },
    ],
    x: { min: low, max: high, unit: '°' },
    y: { integers: true },
    tooltip: false,
  };
}

/** Counts between `low` and `high`, as the corners of steps. */
function histogram(values: Float32Array, low: number, high: number): Point[] {
  const width = (high - low) / BINS;
  const counts = new Array<number>(BINS).fill(0);
  for (const value of values) {
    const bin = Math.min(BINS - 1, Math.max(0, Math.floor((value - low) / width)));
    counts[bin] = (counts[bin] ?? 0) + 1;
  }
  return [...counts.map((count, bin): Point => [low + bin * width, count]), [high, 0]];
}

export function AnglesPanel() {
  return (
    <figure class="panel chart wide" id="angles-figure">
      <figcaption>
        <h2>Angle of the weights to their signs</h2>
        <p>Mean over the filters of a layer. Dashed: what theory expects of a random filter.</p>
      </figcaption>
      <Chart id="angles" plot={anglesPlot} label="Mean angle of each layer by step" />
    </figure>
  );
}

export function HistogramsPanel() {
  const layers = geometry.value;
  return (
    <section class="panel wide" aria-labelledby="histograms-title">
      <h2 id="histograms-title">Angles, filter by filter</h2>
      <p class="hint">
        How many filters of a layer make which angle with their signs; dashed, the expected mean.
      </p>
      <div class="histograms" id="histograms">
        {layers.map(({ name, filters, dimension }, index) => (
          <figure key={`${name} ${filters}`}>
            <figcaption>
              {layerOf(name)}: {filters} filters of {dimension} weights
            </figcaption>
            <Chart plot={() => histogramPlot(index)} label={`Angles of the filters of ${layerOf(name)}`} />
          </figure>
        ))}
      </div>
      <div class="scroll">
        <table id="layers">
          <thead>
            <tr>
              {['Layer', 'Filters × weights', 'Mean angle', 'Deviation', 'Expected', 'At ±1'].map((title) => (
                <th scope="col" key={title}>
                  {title}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>{layers.map(row)}</tbody>
        </table>
      </div>
    </section>
  );
}

function row(layer: LayerGeometry, index: number) {
  return (
    <tr key={layer.name}>
      <th scope="row" style={{ '--mark': `var(${SERIES[index % SERIES.length]})` }}>
        {layerOf(layer.name)}
      </th>
      <td>
        {layer.filters} × {layer.dimension}
      </td>
      <td>{layer.meanAngle.toFixed(2)}°</td>
      <td>{layer.sdAngle.toFixed(2)}°</td>
      <td>{layer.expectedAngle.toFixed(2)}°</td>
      <td>{percent(layer.saturated)}</td>
    </tr>
  );
}
