/** Several trainings beside each other: results, the options that differ, and their curves, as one page. */
import { html } from './html.ts';
import { charts, type Made, page, table } from './page.ts';
import { figure } from './plots.ts';
import type { EpochRecord, RunOptions } from './story.ts';
import { lines, optionName, optionText } from './training.ts';
import { percent } from './words.ts';

/** A training as it is listed and compared. */
export interface ListedRun {
  /** What it is called: where it lies, as it was asked for. */
  readonly name: string;
  readonly run: RunOptions;
  readonly epochs: readonly EpochRecord[];
}

/** What a training came to. */
export interface RunResult {
  readonly name: string;
  readonly dataset: string;
  readonly model: string;
  /** Epochs that are over, and of how many. */
  readonly epoch: number;
  readonly epochs: number;
  /** Of the last epoch; of regressions there is no accuracy. */
  readonly testAccuracy: number | undefined;
  readonly testLoss: number | undefined;
  /** The best accuracy of an epoch on the test split; of regressions the lowest loss. */
  readonly best: number | undefined;
  readonly seconds: number;
}

export function resultOf({ name, run, epochs }: ListedRun): RunResult {
  const last = epochs.at(-1);
  const isRegression = run.own?.targets === 'reals';
  const values = epochs.map(({ testLoss, testAccuracy }) => (isRegression ? testLoss : testAccuracy));
  return {
    ...{ name, dataset: run.dataset, model: run.model, epoch: epochs.length, epochs: run.epochs },
    testAccuracy: isRegression ? undefined : last?.testAccuracy,
    testLoss: last?.testLoss,
    best: values.length === 0 ? undefined : isRegression ? Math.min(...values) : Math.max(...values),
    seconds: epochs.reduce((sum, { seconds }) => sum + seconds, 0),
  };
}

/** The options in which some of the runs differ, by name, each with its value in every run. */
export function differences(runs: readonly ListedRun[]): ReadonlyMap<string, readonly unknown[]> {
  const all = runs.map(
    ({ run: { own, description: _, ...options } }) =>
      ({ ...options, ...own?.read }) as Record<string, unknown>,
  );
  const names = [...new Set(all.flatMap((options) => Object.keys(options)))];
  return new Map(
    names.flatMap((name) => {
      const values = all.map((options) => options[name]);
      const isSame = values.every((value) => JSON.stringify(value) === JSON.stringify(values[0]));
      return isSame ? [] : [[name, values] as const];
    }),
  );
}

/** The page. @param runs one or more, of any data sets and models */
export function renderRuns(runs: readonly ListedRun[], made: Made): string {
  const results = runs.map(resultOf);
  const most = Math.max(...runs.map(({ epochs }) => epochs.length));
  const numbers = Array.from({ length: most }, (_, i) => i + 1);
  const chart = (unit: string, value: (epoch: EpochRecord) => number | undefined) =>
    lines(
      numbers,
      { name: unit },
      runs.map(({ name, epochs }) => ({
        name,
        values: numbers.map((_, i) => {
          const epoch = epochs[i];
          return (epoch === undefined ? undefined : value(epoch)) ?? Number.NaN;
        }),
      })),
    );
  const share = (value: number | undefined) => (value === undefined ? undefined : 100 * value);
  const hasValidation = runs.some(({ epochs }) => epochs.some((epoch) => epoch.validationLoss !== undefined));
  const hasClasses = runs.some(({ run }) => run.own?.targets !== 'reals');
  const differing = differences(runs);
  return page({
    kicker: 'webgpu-bnn, trainings beside each other',
    title: runs.length === 1 ? (runs[0]?.name ?? '') : `${runs.length} trainings`,
    header: html`<p class="figures">${results.map(
      ({ name, best, testAccuracy }) =>
        html`<strong>${testAccuracy === undefined ? numberText(best) : percent(best ?? Number.NaN)}</strong> ${name}<br>`,
    )}</p>`,
    body: html`<h2>Results</h2>
${table(
  ['run', 'data set', 'model', 'epochs', 'test accuracy', 'test loss', 'best', 'seconds'],
  results.map((result) => [
    ...[result.name, result.dataset, result.model, `${result.epoch} of ${result.epochs}`],
    result.testAccuracy === undefined ? '–' : percent(result.testAccuracy),
    numberText(result.testLoss),
    result.testAccuracy === undefined ? numberText(result.best) : percent(result.best ?? Number.NaN),
    result.seconds.toFixed(1),
  ]),
)}
${
  differing.size === 0
    ? undefined
    : html`<h2>What differs</h2>
${table(
  ['option', ...runs.map(({ name }) => name)],
  [...differing].map(([name, values]) => [
    optionName(name),
    ...values.map((value) => (value === undefined ? '–' : optionText(value))),
  ]),
)}`
}
${charts([
  figure(
    'Test loss',
    'Mean loss of an epoch on the test split.',
    chart('', ({ testLoss }) => testLoss),
  ),
  ...(hasClasses
    ? [
        figure(
          'Test accuracy',
          'Share of the test samples that are right, in per cent.',
          chart('%', ({ testAccuracy }) => share(testAccuracy)),
        ),
      ]
    : []),
  ...(hasValidation
    ? [
        figure(
          'Validation loss',
          'Mean loss of an epoch on the samples for validation.',
          chart('', ({ validationLoss }) => validationLoss),
        ),
      ]
    : []),
  figure(
    'Training loss',
    'Mean loss of an epoch on the training samples.',
    chart('', ({ trainLoss }) => trainLoss),
  ),
  figure(
    'Learning rate',
    'Of the last step of an epoch.',
    chart('', ({ learningRate }) => learningRate),
  ),
])}`,
    facts: [],
    made,
  });
}

function numberText(value: number | undefined): string {
  return value === undefined || !Number.isFinite(value) ? '–' : value.toFixed(4);
}
