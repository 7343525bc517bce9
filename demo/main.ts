/** The page: its states, its controls, and what they show. The library does the rest. */
import {
  BnnError,
  type Checkpoint,
  type Dataset,
  DeviceLostError,
  type LayerGeometry,
  mnistFromIdx,
  NoAdapterError,
  type StepsInfo,
  takeFirst,
  WebGpuUnavailableError,
} from '../src/index.ts';
import { Charts, layerOf, SERIES } from './charts.ts';
import { loadFiles } from './data.ts';
import { PairMaps } from './maps.ts';
import { inkImage, Pad } from './pad.ts';
import { Session, type Settings } from './session.ts';
import { advice } from './support.ts';

type State =
  | 'starting'
  | 'loading'
  | 'preparing'
  | 'ready'
  | 'training'
  | 'pausing'
  | 'paused'
  | 'finished'
  | 'failed'
  | 'unsupported';

/** Without a GPU an epoch of this many images takes some tens of seconds. */
const SOFTWARE_DEFAULTS = { images: 10_000, heldOut: 2000 };

function element<T extends HTMLElement>(id: string, kind: new () => T): T {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`The page has no ${kind.name} #${id}.`);
  return found;
}

function field(name: string): HTMLElement {
  const found = document.querySelector(`[data-field="${name}"]`);
  if (!(found instanceof HTMLElement)) throw new Error(`The page has no field ${name}.`);
  return found;
}

const controls = element('controls', HTMLFormElement);
const toggle = element('toggle', HTMLButtonElement);
const reset = element('reset', HTMLButtonElement);
const again = element('recover', HTMLButtonElement);
const sample = element('sample', HTMLButtonElement);
const notice = element('notice', HTMLElement);
const progress = element('progress', HTMLProgressElement);
const seen = element('seen', HTMLCanvasElement);
const inputs = [...controls.elements].filter((item) => item instanceof HTMLInputElement);

const charts = new Charts({
  loss: element('loss', HTMLElement),
  accuracy: element('accuracy', HTMLElement),
  angles: element('angles', HTMLElement),
  histograms: element('histograms', HTMLElement),
});
const maps = new PairMaps(element('maps', HTMLElement));
const layerChoice = element('layer', HTMLSelectElement);
const bars = Array.from({ length: 10 }, (_, digit) => {
  const item = document.createElement('li');
  const label = document.createElement('span');
  label.textContent = String(digit);
  const track = document.createElement('span');
  track.className = 'track';
  const score = document.createElement('span');
  score.className = 'score';
  item.append(label, track, score);
  element('bars', HTMLElement).append(item);
  return { item, score };
});

const pad = new Pad(element('pad', HTMLCanvasElement), () => recognise());

let state: State = 'starting';
let session: Session | undefined;
/** All of MNIST, and what of it is trained on. */
let mnist: Dataset | undefined;
let data: Dataset | undefined;
/** Where a lost session can go on. */
let kept: Checkpoint | undefined;
let nextSample = 0;

const TOGGLE_LABEL: Partial<Record<State, string>> = {
  training: 'Pause',
  pausing: 'Pausing …',
  paused: 'Resume',
  finished: 'Finished',
};

function enter(next: State, status: string): void {
  state = next;
  document.body.dataset.state = next;
  field('status').textContent = status;
  toggle.textContent = TOGGLE_LABEL[next] ?? 'Start';
  toggle.disabled = !['ready', 'training', 'paused'].includes(next);
  reset.disabled = !['ready', 'training', 'paused', 'finished', 'failed'].includes(next);
  sample.disabled = data === undefined;
  // What is being trained, or can go on from a checkpoint, can't be changed: Reset first.
  const open = next === 'ready' || (next === 'failed' && !session?.lost && kept === undefined);
  for (const input of inputs) input.disabled = !open;
}

function readSettings(): Settings {
  const value = (name: string) => Number(inputs.find((input) => input.name === name)?.value);
  return {
    epochs: value('epochs'),
    batch: value('batch'),
    rate: value('rate'),
    seed: value('seed'),
    images: value('images'),
    heldOut: value('heldOut'),
  };
}

/** Values for the controls: the page's address first, then what suits the adapter. */
function fillControls(software: boolean): void {
  const given = new URLSearchParams(location.search);
  const defaults = new Map(Object.entries(software ? SOFTWARE_DEFAULTS : {}));
  for (const input of inputs) {
    const value = given.get(input.name) ?? defaults.get(input.name)?.toString();
    if (value !== undefined) input.value = value;
  }
}

async function openSession(): Promise<Session> {
  const opened = await Session.open({
    onSteps: showSteps,
    onEpoch: (info, step) => {
      const held = info.testAccuracy ?? 0;
      field('test-accuracy').textContent = percent(held);
      charts.addEpoch(info, step);
      field('status').textContent =
        `After epoch ${info.epoch}: ${percent(held)} of the held-out images are right.`;
    },
    onGeometry: (geometry, step) => {
      charts.addGeometry(geometry, step);
      showLayers(geometry);
      recognise();
    },
    onPairs: (layer, step) => maps.show(layer, step),
    onLost: fail,
  });
  const { name, software } = opened.gpu.adapter;
  field('adapter').textContent = name;
  field('adapter-kind').textContent = software ? 'software: no GPU, slow' : 'hardware';
  element('adapter', HTMLElement).hidden = false;
  return opened;
}

async function prepare(checkpoint?: Checkpoint): Promise<void> {
  if (session === undefined) return;
  notice.hidden = true;
  await session.stop();
  mnist ??= await loadMnist();
  enter('preparing', 'Compiling the network …');
  const settings = readSettings();
  data = takeFirst(mnist, settings.images, settings.heldOut);
  if (checkpoint === undefined) {
    clearFields();
    charts.clear();
  }
  await session.prepare(settings, data, checkpoint);
  charts.setLength(session.steps);
  showChoice(session.layers);
  recognise();
}

async function train(): Promise<void> {
  if (session === undefined) return;
  if (!controls.reportValidity()) return;
  if (state === 'ready' && !session.isPreparedFor(readSettings())) await prepare();
  enter('training', session.step > 0 ? 'Training goes on.' : 'Training.');
  const outcome = await session.train();
  recognise();
  // Reset may have come first.
  if (outcome === 'finished' && (state === 'training' || state === 'pausing'))
    enter('finished', 'Finished. Draw digits, or reset to train anew.');
  else if (state === 'pausing') enter('paused', `Paused after step ${session.step}.`);
}

async function startAnew(): Promise<void> {
  if (!controls.reportValidity()) return;
  enter('preparing', 'Stopping …');
  if (session === undefined || session.lost) await renewSession();
  kept = undefined;
  await prepare();
  enter('ready', 'Ready.');
}

/** Goes on where a lost device left off. */
async function recover(): Promise<void> {
  enter('preparing', 'Looking for a GPU …');
  await renewSession();
  await prepare(kept);
  kept = undefined;
  charts.rewind(session?.step ?? 0);
  await train();
}

/** A session on a new device; the checkpoint of the lost one is kept until it is used. */
async function renewSession(): Promise<void> {
  const lost = session;
  session = undefined;
  kept = lost?.checkpoint ?? kept;
  await lost?.close();
  session = await openSession();
}

function showSteps(info: StepsInfo): void {
  field('epoch').textContent = `${info.epoch} / ${info.epochs}`;
  field('step').textContent = `${info.step}`;
  field('loss').textContent = info.loss.toFixed(4);
  field('train-accuracy').textContent = percent(info.accuracy);
  field('speed').textContent = Math.round(info.imagesPerSecond).toLocaleString('en');
  progress.value = info.step / (info.batches * info.epochs);
  charts.addSteps(info);
}

function showLayers(geometry: readonly LayerGeometry[]): void {
  const rows = geometry.map((layer, index) => {
    const row = document.createElement('tr');
    const name = document.createElement('th');
    name.scope = 'row';
    name.style.setProperty('--mark', `var(${SERIES[index % SERIES.length]})`);
    name.textContent = layerOf(layer.name);
    const cells = [
      `${layer.filters} × ${layer.dimension}`,
      `${layer.meanAngle.toFixed(2)}°`,
      `${layer.sdAngle.toFixed(2)}°`,
      `${layer.expectedAngle.toFixed(2)}°`,
      percent(layer.saturated),
    ].map((text) => {
      const cell = document.createElement('td');
      cell.textContent = text;
      return cell;
    });
    row.append(name, ...cells);
    return row;
  });
  document.querySelector('#layers tbody')?.replaceChildren(...rows);
}

/** The layers to choose from; the choice stays where there is the same layer again. */
function showChoice(layers: readonly string[]): void {
  const shown = [...layerChoice.options].map(({ value }) => value);
  if (shown.join() === layers.join()) return;
  layerChoice.replaceChildren(...layers.map((name) => new Option(name, name)));
}

function clearFields(): void {
  for (const name of ['epoch', 'step', 'loss', 'train-accuracy', 'test-accuracy', 'speed']) {
    field(name).textContent = '–';
  }
  progress.value = 0;
}

/** One prediction at a time; what is drawn meanwhile is asked next. */
const asking = { now: false, again: false };

function recognise(): void {
  if (asking.now) {
    asking.again = true;
    return;
  }
  asking.now = true;
  asking.again = false;
  requestAnimationFrame(async () => {
    try {
      await showScores();
    } catch (cause) {
      if (!(cause instanceof BnnError)) throw cause;
      // The training says what is wrong.
    } finally {
      asking.now = false;
      if (asking.again) recognise();
    }
  });
}

async function showScores(): Promise<void> {
  const image = pad.image();
  const context = seen.getContext('2d', { willReadFrequently: true });
  context?.clearRect(0, 0, seen.width, seen.height);
  seen.style.visibility = image === undefined ? 'hidden' : 'visible';
  if (image !== undefined) context?.putImageData(inkImage(image), 0, 0);
  const usable = image !== undefined && session !== undefined && session.classes.length > 0;
  showBars(usable ? await session?.scores(image) : undefined);
}

/** A bar for each class, from the lowest score that is asked of a network (−1) to the highest (+1) or beyond. */
function showBars(scores: Float32Array | undefined): void {
  const low = Math.min(-1, ...(scores ?? []));
  const high = Math.max(1, ...(scores ?? []));
  const best = scores?.indexOf(Math.max(...scores));
  field('class').textContent = best === undefined ? '–' : String(best);
  for (const [index, bar] of bars.entries()) {
    const score = scores?.[index];
    bar.item.classList.toggle('best', index === best);
    bar.item.style.setProperty(
      '--share',
      score === undefined ? '0' : ((score - low) / (high - low)).toFixed(3),
    );
    bar.score.textContent = score === undefined ? '' : score.toFixed(2).replace('-', '−');
  }
}

function percent(share: number): string {
  return `${(100 * share).toFixed(2)} %`;
}

/** Says what went wrong and what to do about it. */
function fail(cause: unknown): void {
  if (state === 'unsupported') return;
  // What breaks because the device is gone is said by its loss.
  if (session?.lost && !(cause instanceof DeviceLostError)) return;
  const missing = cause instanceof WebGpuUnavailableError || cause instanceof NoAdapterError;
  const bnn = cause instanceof BnnError ? cause : undefined;
  const unsupported = missing && kept === undefined;
  enter(unsupported ? 'unsupported' : 'failed', missing ? 'No GPU to train on.' : 'Stopped by an error.');
  field('notice-title').textContent = bnn?.what ?? 'Something went wrong.';
  const body = field('notice-body');
  body.replaceChildren();
  const details = document.createElement('dl');
  const say = (term: string, text: string | undefined) => {
    if (text === undefined) return;
    const dt = document.createElement('dt');
    dt.textContent = term;
    const dd = document.createElement('dd');
    dd.textContent = text;
    details.append(dt, dd);
  };
  if (missing) {
    const lead = document.createElement('p');
    lead.textContent = isSecureContext
      ? 'The network runs on the GPU through WebGPU, which this browser does not offer. Any of these does:'
      : 'WebGPU works on secure pages only: open this page over https, or on localhost. Then any of these does:';
    body.append(lead);
    if (kept !== undefined)
      say('After a crash', 'wait a little and try again: the checkpoint is kept in this tab');
    for (const { browser, steps } of advice(navigator.userAgent)) say(browser, steps);
  } else if (bnn !== undefined) {
    say('Where', bnn.where);
    say('Given', bnn.given);
    say('Expected', bnn.expected);
    say('Remedy', bnn.remedy);
  } else {
    say('Message', String(cause));
    say('Remedy', 'reload the page; if it happens again, please report it with this message');
    console.error(cause);
  }
  body.append(details);
  again.hidden = !(bnn instanceof DeviceLostError || kept !== undefined);
  again.textContent =
    (session?.checkpoint ?? kept) ? 'Continue from the last checkpoint' : 'Start on a new device';
  notice.hidden = false;
  notice.scrollIntoView({ block: 'nearest' });
}

controls.addEventListener('submit', (event) => {
  event.preventDefault();
  if (state === 'training') {
    enter('pausing', 'Finishing the steps that are under way …');
    session?.pause();
  } else if (state === 'ready' || state === 'paused') {
    train().catch(fail);
  }
});
layerChoice.addEventListener('change', () => {
  // A loss of the device is said by the session itself.
  session?.choose(layerChoice.value).catch(() => undefined);
});
reset.addEventListener('click', () => startAnew().catch(fail));
again.addEventListener('click', () => recover().catch(fail));
element('clear', HTMLButtonElement).addEventListener('click', () => pad.clear());
sample.addEventListener('click', () => {
  if (data === undefined) return;
  const { images, labels, count } = data.test;
  const index = nextSample % count;
  nextSample = index + 1;
  field('hint').textContent = `Held-out image ${index} is a ${labels[index]}.`;
  pad.show(images.slice(index * 784, (index + 1) * 784));
});

async function loadMnist(): Promise<Dataset> {
  enter('loading', 'Loading MNIST …');
  const files = await loadFiles((loaded) => {
    field('status').textContent = `Loading MNIST: ${Math.round(loaded / 1e6)} MB …`;
  });
  return mnistFromIdx(files);
}

async function start(): Promise<void> {
  session = await openSession();
  fillControls(session.gpu.adapter.software);
  await prepare();
  enter('ready', 'Ready. Start the training, or draw a digit to see an untrained network guess.');
}

showBars(undefined);
start().catch(fail);
