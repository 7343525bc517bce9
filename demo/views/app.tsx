/** The page: a head, one view at a time, a foot. */
import { signal } from '@preact/signals';
import { ActivationsPanel } from '../panels/activations.tsx';
import { AnglesPanel, HistogramsPanel } from '../panels/angles.tsx';
import { BenchPanel } from '../panels/bench.tsx';
import { AccuracyPanel, LossPanel } from '../panels/curves.tsx';
import { DrawingPanel } from '../panels/drawing.tsx';
import { FiltersPanel } from '../panels/filters.tsx';
import { Later } from '../panels/later.tsx';
import { MapsPanel } from '../panels/maps.tsx';
import { MistakesPanel } from '../panels/mistakes.tsx';
import { ModelPanel } from '../panels/model.tsx';
import { Notices } from '../panels/notice.tsx';
import { PicturesPanel } from '../panels/pictures.tsx';
import { QuantizerPanel } from '../panels/quantizer.tsx';
import { DownloadPanel, RunsPanel } from '../panels/runs.tsx';
import { BesidePanel, StandingPanel } from '../panels/standing.tsx';
import { TrainingPanel } from '../panels/training.tsx';
import { UnderstandPanels } from '../panels/understand.tsx';
import { adapter } from '../state/studio.ts';

const VIEWS = {
  train: {
    title: 'Train',
    panels: () => (
      <>
        <TrainingPanel />
        <div class="column">
          <DrawingPanel />
          <BesidePanel />
        </div>
        <StandingPanel />
        <LossPanel />
        <AccuracyPanel />
        <AnglesPanel />
      </>
    ),
  },
  pictures: {
    title: 'Your pictures',
    panels: () => <PicturesPanel />,
  },
  weights: {
    title: 'See inside',
    panels: () => (
      <>
        <FiltersPanel />
        <ActivationsPanel />
        <HistogramsPanel />
        <MapsPanel />
        <MistakesPanel />
      </>
    ),
  },
  understand: {
    title: 'Why signs suffice',
    panels: () => <UnderstandPanels />,
  },
  method: {
    title: 'Your own method',
    panels: () => <QuantizerPanel />,
  },
  model: {
    title: 'Open a model',
    panels: () => <ModelPanel />,
  },
  bench: {
    title: 'Speed',
    panels: () => <BenchPanel />,
  },
  runs: {
    title: 'Runs',
    panels: () => (
      <>
        <RunsPanel />
        <DownloadPanel />
        <LossPanel />
        <AccuracyPanel />
      </>
    ),
  },
  help: {
    title: 'Work for others',
    panels: () => <Later load={async () => (await import('../panels/helping.tsx')).HelpingPanel} />,
  },
} as const;

type ViewName = keyof typeof VIEWS;

const named = (): ViewName => {
  const name = location.hash.replace(/^#\/?/, '');
  return Object.hasOwn(VIEWS, name) ? (name as ViewName) : 'train';
};
const view = signal<ViewName>(named());
addEventListener('hashchange', () => {
  view.value = named();
});

export function App() {
  const { panels: Panels } = VIEWS[view.value];
  const gpu = adapter.value;
  return (
    <>
      <header>
        <div>
          <h1>A binary network learns</h1>
          <p class="lead">
            Every weight and every hidden activation is +1 or −1, and everything runs on the GPU of this tab.
            Nothing is sent anywhere, unless this tab works for others.
          </p>
        </div>
        {gpu !== undefined && (
          <p class="adapter" id="adapter">
            <span data-field="adapter">{gpu.name}</span>{' '}
            <span class="badge" data-field="adapter-kind">
              {gpu.software ? 'software: no GPU, slow' : 'hardware'}
            </span>
          </p>
        )}
        <nav aria-label="Views">
          {Object.entries(VIEWS).map(([name, { title }]) => (
            <a key={name} href={`#/${name}`} aria-current={view.value === name ? 'page' : undefined}>
              {title}
            </a>
          ))}
        </nav>
      </header>
      <main data-view={view.value}>
        <Notices />
        <Panels />
      </main>
      <footer>
        <p>
          Binary networks keep a real <em>latent</em> weight behind every sign, and learn by pushing it across
          zero. The angle between a filter and its signs says how much the signs lose: 30° for weights drawn
          uniformly, about 37° for a filter whose direction is random (
          <a href="https://arxiv.org/abs/1705.07199">Anderson &amp; Berg 2018</a>).
        </p>
        <p>
          Made with <a href="https://github.com/webgpu-bnn/webgpu-bnn">webgpu-bnn</a>, which trains and runs
          binary networks in pages, in Node and inside other projects. More:{' '}
          <a href="./examples/train.html">examples</a>.
        </p>
      </footer>
    </>
  );
}
