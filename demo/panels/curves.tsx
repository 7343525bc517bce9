/** Loss and accuracy by step, of the binary network and of its twin. */
import { history, overlaid, prepared, runs, settings } from '../state/studio.ts';
import { Chart, type Line, type Plot } from './chart.tsx';
import { colourOf } from './theme.ts';

function lines(measure: 'Loss' | 'Accuracy'): Line[] {
  const { binary, twin } = history.value;
  const withTwin = twin.meanLoss.length > 0;
  return [
    { name: 'Each step', points: binary[`step${measure}`], color: colourOf(0), faint: true },
    {
      name: withTwin ? 'Binary, epoch so far' : 'Epoch so far',
      points: binary[`mean${measure}`],
      color: colourOf(0),
    },
    {
      name: withTwin ? 'Binary, held out' : 'Held out',
      points: binary[`test${measure}`],
      color: colourOf(1),
      marks: true,
    },
    ...(withTwin
      ? [
          { name: 'Real, epoch so far', points: twin[`mean${measure}`], color: colourOf(2) },
          { name: 'Real, held out', points: twin[`test${measure}`], color: colourOf(3), marks: true },
        ]
      : []),
    ...others(measure),
  ];
}

/** Lines of binary networks of the runs that are laid over. Runs of one name are told apart by when they began. */
function others(measure: 'Loss' | 'Accuracy'): Line[] {
  const shown = runs.value.filter(({ id }) => overlaid.value.has(id) && id !== prepared.value?.id);
  return shown.flatMap(({ id, name, created }, index) => {
    const curves = overlaid.value.get(id)?.binary;
    if (curves === undefined) return [];
    const isAlone = shown.filter((other) => other.name === name).length === 1;
    const title = isAlone ? name : `${name} (${new Date(created).toLocaleTimeString('en')})`;
    const color = colourOf(4 + index);
    return [
      { name: `${title}, epoch so far`, points: curves[`mean${measure}`], color, dashed: true },
      { name: `${title}, held out`, points: curves[`test${measure}`], color, marks: true },
    ];
  });
}

/** As far as the longest of the runs that are drawn. */
const steps = () => ({
  ...{ name: 'step', min: 0 },
  max: Math.max(
    prepared.value?.steps ?? 1,
    ...runs.value.filter(({ id }) => overlaid.value.has(id)).map((run) => run.steps),
  ),
});

function lossPlot(): Plot {
  const all = lines('Loss');
  const empty = all.every(({ points }) => points.length === 0);
  return { lines: all, x: steps(), y: { min: 0, ...(empty ? { max: 2 } : {}) } };
}

const accuracyPlot = (): Plot => ({
  lines: lines('Accuracy'),
  x: steps(),
  y: { unit: ' %', min: 0, max: 100 },
});

export function LossPanel() {
  return (
    <figure class="panel chart" id="loss-figure">
      <figcaption>
        <h2>Loss</h2>
        <p>{settings.value.loss}, each step and the mean of the epoch so far</p>
      </figcaption>
      <Chart id="loss" plot={lossPlot} label="Loss by step" />
    </figure>
  );
}

export function AccuracyPanel() {
  return (
    <figure class="panel chart" id="accuracy-figure">
      <figcaption>
        <h2>Accuracy</h2>
        <p>Training batches, their mean, and held-out images after each epoch</p>
      </figcaption>
      <Chart id="accuracy" plot={accuracyPlot} label="Accuracy by step" />
    </figure>
  );
}
