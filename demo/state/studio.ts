/** Where the page is, and what visitors can do: the worker does the work, panels show these signals. */

import { batch, computed, effect, signal } from '@preact/signals';
import * as Comlink from 'comlink';
import {
  BnnError,
  type LayerGeometry,
  type LayerProportionality,
  summarize,
  WebGpuUnavailableError,
} from '../../src/index.ts';
import { base64UrlOf, bytesOfBase64Url } from '../../src/reports/base64.ts';
import { percent } from '../../src/reports/words.ts';
import type { Laboratory } from '../worker/laboratory.ts';
import { MOST_BYTES } from '../worker/pieces.ts';
import {
  type Adapter,
  addAngles,
  append,
  carryTroubles,
  emptyHistory,
  type Filters,
  type History,
  type LabEvents,
  type LayerSigns,
  type MeasuredGpu,
  type Mistakes,
  type OpenedModel,
  type OwnPictures,
  type Prepared,
  type Recognised,
  type RunSummary,
  type Scores,
  type Standing,
  type TriedGradient,
  type Trouble,
  troubleOf,
} from '../worker/protocol.ts';
import { methodOf } from './methods.ts';
import { networkOf } from './network.ts';
import { groups, type PictureGroup } from './pictures.ts';
import { initialSettings, MY_GRADIENT, MY_QUANTIZER, queryOf, type Settings } from './settings.ts';
import { kilobytes } from './words.ts';

export type Phase =
  | 'starting'
  | 'preparing'
  | 'ready'
  | 'training'
  | 'pausing'
  | 'paused'
  | 'finished'
  | 'failed'
  | 'unsupported';

export const phase = signal<Phase>('starting');
export const status = signal('Looking for a GPU …');
/** What went wrong, and whether a checkpoint is there to go on from. */
export const trouble = signal<Trouble | undefined>(undefined);
/** Why runs can't be kept. */
export const unsaved = signal<Trouble | undefined>(undefined);
export const adapter = signal<Adapter | undefined>(undefined);
export const settings = signal<Settings>(initialSettings(location.search, true));
export const prepared = signal<Prepared | undefined>(undefined);
export const standing = signal<Standing | undefined>(undefined);
/** Held-out accuracies as they were measured last, 0 to 1. */
export const held = signal<{ readonly binary: number; readonly twin: number | undefined } | undefined>(
  undefined,
);
/** A new object whenever points were added to it. */
export const history = signal<History>(emptyHistory());
export const geometry = signal<readonly LayerGeometry[]>([]);
export const pairs = signal<{ readonly layer: LayerProportionality; readonly step: number } | undefined>(
  undefined,
);
export const filters = signal<Filters | undefined>(undefined);
/** u8 [28, 28] as the network sees what is drawn; undefined where nothing is. */
export const drawing = signal<Uint8Array<ArrayBuffer> | undefined>(undefined);
export const scores = signal<Scores | undefined>(undefined);
/** The signs that layers read of what is drawn. */
export const activations = signal<readonly LayerSigns[]>([]);
/** What this GPU was measured to do, and what is measured now. */
export const measured = signal<MeasuredGpu | undefined>(undefined);
export const benching = signal<string | undefined>(undefined);
export const mistakes = signal<Mistakes | undefined>(undefined);
export const runs = signal<readonly RunSummary[]>([]);
/** Whether the function in the text box came with the address: nothing of it runs before it was read and allowed. */
export const foreign = signal(false);
/** The function in the text box as it was tried last. */
export const tried = signal<TriedGradient | undefined>(undefined);

/** Pictures of the visitor's own that were read, whether some are being read, and what went wrong with them. */
export const own = signal<OwnPictures | undefined>(undefined);
export const reading = signal(false);
export const pictureTrouble = signal<Trouble | undefined>(undefined);

/** What the networks of the settings are like, at once: bytes and operations; undefined where they can't be made. */
export const outline = computed(() => {
  const { layers, quantizer } = settings.value;
  const names = settings.value.pictures === undefined ? undefined : own.value?.classes;
  const data = {
    image: [28, 28, 1],
    classes: names?.map(({ name }) => name) ?? Array.from({ length: 10 }, String),
  };
  try {
    const named = methodOf('quantizer', quantizer === MY_QUANTIZER ? 'steSign' : quantizer);
    const binary = summarize(networkOf(layers, named, data));
    const real = summarize(networkOf(layers, undefined, data));
    return { total: binary.total, realBytes: real.total.bytes, wrong: undefined };
  } catch (cause) {
    if (!(cause instanceof BnnError)) throw cause;
    return { total: undefined, realBytes: undefined, wrong: troubleOf(cause) };
  }
});

/** A model file that a visitor opened, what went wrong with it, and what it takes a picture for. */
export const model = signal<OpenedModel | undefined>(undefined);
export const modelTrouble = signal<Trouble | undefined>(undefined);
export const recognised = signal<Recognised | undefined>(undefined);

/** Whether settings can be changed now. */
export const isOpen = computed(() => ['ready', 'paused', 'finished', 'failed'].includes(phase.value));

let lab: Comlink.Remote<Laboratory> | undefined;
/** Settings that the prepared networks were made of. */
let made: Settings | undefined;

const events: LabEvents = {
  onSteps(now, since) {
    append(history.value, since);
    batch(() => {
      standing.value = now;
      history.value = { ...history.value };
    });
  },
  onEpoch({ epoch, testAccuracy = 0 }, twin, since) {
    append(history.value, since);
    batch(() => {
      history.value = { ...history.value };
      held.value = { binary: testAccuracy, twin };
      status.value = `After epoch ${epoch}: ${percent(testAccuracy)} of the held-out images are right.`;
    });
  },
  onGeometry(measured, step) {
    addAngles(history.value, measured, step);
    geometry.value = measured;
    recognise();
  },
  onPairs(layer, step) {
    pairs.value = { layer, step };
  },
  onFilters(measured) {
    filters.value = measured;
  },
  onSaved() {
    unsaved.value = undefined;
  },
  onUnsaved(why) {
    unsaved.value = why;
  },
  onLost(why) {
    fail(why);
  },
};

function fail(cause: unknown): void {
  const why = isTrouble(cause) ? cause : troubleOf(cause);
  if (why.kind === 'unexpected') console.error(cause);
  // What breaks because the device is gone is said by its loss.
  if (trouble.value?.kind === 'lost' && why.kind !== 'lost' && why.kind !== 'no-gpu') return;
  batch(() => {
    trouble.value = why;
    phase.value = why.kind === 'no-gpu' && made === undefined ? 'unsupported' : 'failed';
    status.value = why.kind === 'no-gpu' ? 'No GPU to train on.' : 'Stopped by an error.';
  });
}

const isTrouble = (cause: unknown): cause is Trouble =>
  typeof cause === 'object' && cause !== null && !(cause instanceof Error) && 'what' in cause;

/** Does what a visitor asked for, and says what went wrong. */
async function attempt(body: (laboratory: Comlink.Remote<Laboratory>) => Promise<void>): Promise<void> {
  try {
    if (lab === undefined) throw new Error('the worker has not started');
    await body(lab);
  } catch (cause) {
    fail(cause);
  }
}

/** Starts the worker and its GPU, and goes on with the run that was under way when the page was left. */
export async function start(): Promise<void> {
  carryTroubles();
  const worker = new Worker(new URL('../worker/main.ts', import.meta.url), {
    type: 'module',
    name: 'studio',
  });
  worker.addEventListener('error', ({ message }) => fail(new Error(message)));
  const Remote = Comlink.wrap<typeof Laboratory>(worker);
  try {
    lab = await new Remote(document.baseURI.replace(/[?#].*$/, ''), Comlink.proxy(events));
  } catch (cause) {
    fail(cause);
    return;
  }
  await attempt(async (laboratory) => {
    if (navigator.gpu === undefined) throw new WebGpuUnavailableError('This browser has no WebGPU.', {});
    adapter.value = await laboratory.open();
    await listRuns();
    const unfinished = runs.value.find(({ step, steps }) => step > 0 && step < steps);
    const asked = location.search.length > 1;
    if (unfinished !== undefined && !asked) await open(unfinished.id);
    else {
      const given = initialSettings(location.search, adapter.value.software);
      // Whatever method the link names: the text box compiles what is in it.
      foreign.value = given.gradient !== MY_GRADIENT;
      const isMine = given.quantizer === MY_QUANTIZER;
      settings.value = foreign.value && isMine ? { ...given, quantizer: 'steSign' } : given;
      const text = new URLSearchParams(location.hash.slice(1)).get('network');
      // What is no base64 is damaged as an empty one is.
      await prepare(text === null ? undefined : (bytesOfBase64Url(text) ?? new Uint8Array()));
      const brought = prepared.value?.brought;
      batch(() => {
        phase.value = brought === undefined ? 'ready' : 'finished';
        if (brought !== undefined) held.value = { binary: brought, twin: undefined };
        status.value = foreign.value
          ? 'This link brings a gradient function. Read it under “Your own method”, and allow it there if you trust it.'
          : brought === undefined
            ? 'Ready. Start the training, or draw a digit to see an untrained network guess.'
            : 'This link brought a trained network. Draw digits for it, or reset to train one of its settings.';
      });
    }
  });
}

const onLoaded = (share: number) => {
  if (phase.value === 'preparing') status.value = `Loading MNIST: ${Math.round(100 * share)} % …`;
};

/** Makes the networks of the settings as they are now. @param network of a link, which is shown as it is */
async function prepare(network?: Uint8Array<ArrayBuffer>): Promise<void> {
  if (lab === undefined) return;
  batch(() => {
    phase.value = 'preparing';
    status.value = 'Compiling the network …';
    trouble.value = undefined;
    forget();
  });
  const now = settings.value;
  show(await lab.prepare(now, Comlink.proxy(onLoaded), network), now);
}

function forget(): void {
  standing.value = undefined;
  held.value = undefined;
  history.value = emptyHistory();
  pairs.value = undefined;
  mistakes.value = undefined;
}

function show(networks: Prepared, of: Settings): void {
  made = of;
  batch(() => {
    prepared.value = networks;
    own.value = networks.pictures;
    history.value = networks.history;
  });
  recognise();
}

/** Opens a run that was kept, where it stood. */
export function open(id: string): Promise<void> {
  return attempt(async (laboratory) => {
    const run = runs.value.find((one) => one.id === id);
    batch(() => {
      phase.value = 'preparing';
      status.value = 'Opening the run …';
      trouble.value = undefined;
      forget();
      if (run !== undefined) settings.value = run.settings;
    });
    const networks = await laboratory.resume(id, Comlink.proxy(onLoaded));
    show(networks, run?.settings ?? settings.value);
    batch(() => {
      const over = networks.step >= networks.steps;
      phase.value = over ? 'finished' : 'paused';
      if (run?.accuracy !== undefined) held.value = { binary: run.accuracy, twin: run.twinAccuracy };
      status.value = over
        ? `This run is finished. ${tryOut()}, or train it on.`
        : `This run was left after step ${networks.step}: resume it, or reset to begin anew.`;
    });
  });
}

/** How a network can be tried that knows digits, or the visitor's own classes. */
const tryOut = () => (prepared.value?.pictures === undefined ? 'Draw digits' : 'Draw, or try a test image');

/** Epochs that a finished run is prolonged by. */
export const MORE_EPOCHS = 10;

/** Trains a finished run on, with a schedule that spans its longer course. */
export function trainOn(): Promise<void> {
  return attempt(async (laboratory) => {
    const id = prepared.value?.id;
    if (id === undefined || made === undefined) return;
    batch(() => {
      phase.value = 'preparing';
      status.value = 'Making the run longer …';
    });
    const networks = await laboratory.prolong(id, MORE_EPOCHS, Comlink.proxy(onLoaded));
    const now = { ...made, epochs: made.epochs + MORE_EPOCHS };
    batch(() => {
      settings.value = now;
      mistakes.value = undefined;
    });
    show(networks, now);
    phase.value = 'paused';
    await train();
  });
}

/** Curves of other runs that are laid over those of the run at hand, by the run's id. */
export const overlaid = signal<ReadonlyMap<string, History>>(new Map());

/** Lays the curves of a run over the others, or takes them away. */
export function overlay(id: string, wanted: boolean): Promise<void> {
  return attempt(async (laboratory) => {
    const next = new Map(overlaid.value);
    if (wanted) next.set(id, await laboratory.historyOf(id));
    else next.delete(id);
    overlaid.value = next;
  });
}

/** Whether networks could not be made of the settings: others can be tried at once. */
export const canMend = computed(
  () => phase.value === 'failed' && trouble.value?.kind === 'error' && standing.value === undefined,
);

/** Trains, or goes on. */
export function train(): Promise<void> {
  return attempt(async (laboratory) => {
    const isChanged = phase.value === 'ready' && JSON.stringify(made) !== JSON.stringify(settings.value);
    if (isChanged || canMend.value) await prepare();
    batch(() => {
      status.value = standing.value === undefined ? 'Training.' : 'Training goes on.';
      phase.value = 'training';
      trouble.value = undefined;
    });
    const isOver = await laboratory.train();
    await listRuns();
    recognise();
    // Reset may have come first.
    if (phase.value !== 'training' && phase.value !== 'pausing') return;
    batch(() => {
      phase.value = isOver ? 'finished' : 'paused';
      status.value = isOver
        ? `Finished. ${tryOut()}, look at its weights, or reset to train anew.`
        : `Paused after step ${standing.value?.step ?? 0}.`;
    });
  });
}

/** Trains with the function in the text box, then with a quantizer of the library, and lays their curves over each other. */
export async function compareGradients(shipped: string): Promise<void> {
  for (const quantizer of [MY_QUANTIZER, shipped]) {
    settings.value = { ...settings.value, quantizer };
    await reset();
    await train();
    // A visitor paused it, or it went wrong: the rest is theirs.
    if (phase.value !== 'finished') return;
    if (quantizer === MY_QUANTIZER && prepared.value !== undefined) await overlay(prepared.value.id, true);
  }
}

export function pause(): void {
  phase.value = 'pausing';
  status.value = 'Finishing the steps that are under way …';
  void lab?.pause();
}

/** Networks of the settings, from the beginning. */
export function reset(): Promise<void> {
  return attempt(async (laboratory) => {
    const lost = trouble.value?.kind === 'lost' || trouble.value?.kind === 'no-gpu';
    batch(() => {
      phase.value = 'preparing';
      status.value = 'Stopping …';
    });
    await laboratory.stop();
    if (lost) adapter.value = await laboratory.open();
    await prepare();
    batch(() => {
      phase.value = 'ready';
      status.value = 'Ready.';
    });
  });
}

/** Reads pictures, and makes networks that learn them. */
export function learnPictures(groups: readonly PictureGroup[], skipBroken: boolean): Promise<void> {
  return learn((laboratory) => laboratory.readPictures(groups, skipBroken));
}

/** Reads the four files of a set in MNIST's format, and makes networks that learn it. */
export function learnIdx(files: readonly File[], classes: readonly string[]): Promise<void> {
  return learn((laboratory) => laboratory.readIdx(files, classes));
}

/** Pictures of a batch at least, where there are as many. */
const FEWEST = 4;

/** Where pictures can't be learnt, all stays as it was. */
async function learn(read_: (laboratory: Comlink.Remote<Laboratory>) => Promise<OwnPictures>): Promise<void> {
  if (lab === undefined) return;
  reading.value = true;
  pictureTrouble.value = undefined;
  try {
    const read = await read_(lab);
    // Ten steps an epoch, where pictures are few; normalisation of a batch needs some.
    const some = Math.max(FEWEST, Math.floor(read.train / 10));
    const batchSize = Math.min(settings.value.batch, some, read.train);
    batch(() => {
      own.value = read;
      settings.value = { ...settings.value, pictures: read.id, batch: batchSize };
    });
  } catch (cause) {
    pictureTrouble.value = troubleOf(cause);
    return;
  } finally {
    reading.value = false;
  }
  await reset();
}

export function learnMnist(): Promise<void> {
  batch(() => {
    own.value = undefined;
    settings.value = { ...settings.value, pictures: undefined };
  });
  return reset();
}

/** Goes on where a lost device left off, from what was kept last. */
export function recover(): Promise<void> {
  return attempt(async (laboratory) => {
    const id = prepared.value?.id;
    batch(() => {
      phase.value = 'preparing';
      status.value = 'Looking for a GPU …';
    });
    adapter.value = await laboratory.open();
    await listRuns();
    trouble.value = undefined;
    if (runs.value.some((run) => run.id === id) && id !== undefined) {
      await open(id);
      if (phase.value === 'paused') await train();
    } else {
      await reset();
    }
  });
}

export async function listRuns(): Promise<void> {
  if (lab === undefined) return;
  try {
    runs.value = await lab.runs();
  } catch (cause) {
    unsaved.value = {
      kind: 'error',
      what: 'The browser keeps no runs for this page.',
      given: String(cause),
      remedy: 'allow this page to store data; until then a reload forgets the training',
    };
  }
}

/** The run whose new name is not kept yet: a page that is left now forgets it. */
export const renamed = signal<string | undefined>(undefined);

export async function rename(id: string, name: string): Promise<void> {
  renamed.value = id;
  await attempt(async (laboratory) => {
    await laboratory.renameRun(id, name);
    await listRuns();
  });
  renamed.value = undefined;
}

export function remove(id: string): Promise<void> {
  return attempt(async (laboratory) => {
    await laboratory.deleteRun(id);
    overlaid.value = new Map([...overlaid.value].filter(([own]) => own !== id));
    await listRuns();
    if (prepared.value?.id === id) await reset();
  });
}

export function choose(layer: string): void {
  // A loss of the device is said by the worker itself.
  lab?.choose(layer).catch(() => undefined);
}

export function findMistakes(): Promise<void> {
  return attempt(async (laboratory) => {
    mistakes.value = await laboratory.mistakes();
  });
}

export async function tryGradient(wgsl: string): Promise<void> {
  foreign.value = false;
  await attempt(async (laboratory) => {
    tried.value = await laboratory.tryGradient(wgsl);
  });
}

/** Hands the binary network to the browser as a file. */
export function download(format: 'safetensors' | 'onnx' | 'tflite'): Promise<void> {
  return attempt(async (laboratory) => hand(`binary-network.${format}`, await laboratory.save(format)));
}

/** Hands over a page that uses the binary network, as a zip. */
export function downloadPage(): Promise<void> {
  return attempt(async (laboratory) => hand('binary-network-page.zip', await laboratory.page()));
}

/** Hands over the report of the training. */
export async function downloadReport(): Promise<void> {
  await attempt(async (laboratory) => hand('training-report.html', await laboratory.report(link())));
}

function hand(name: string, content: BlobPart): void {
  const anchor = document.createElement('a');
  anchor.href = URL.createObjectURL(new Blob([content]));
  anchor.download = name;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(anchor.href), 10_000);
}

/** Opens a model file; the training is left as it is. */
export async function openModel(files: readonly File[]): Promise<void> {
  await withModel(async (laboratory) => {
    batch(() => {
      model.value = undefined;
      recognised.value = undefined;
    });
    model.value = await laboratory.openModel(files);
  });
}

export async function recognisePicture(picture: Blob): Promise<void> {
  await withModel(async (laboratory) => {
    recognised.value = await laboratory.recognise(picture);
  });
}

async function withModel(body: (laboratory: Comlink.Remote<Laboratory>) => Promise<void>): Promise<void> {
  try {
    modelTrouble.value = undefined;
    if (lab !== undefined) await body(lab);
  } catch (cause) {
    modelTrouble.value = troubleOf(cause);
  }
}

/** Of the weights as they are now, for who compares two trainings. */
export async function hash(): Promise<string | undefined> {
  return lab?.hash();
}

/** A link, and what it holds. */
export interface CopiedLink {
  readonly address: string;
  readonly holds: string;
}

/** An address that opens with the settings, and with the network where that is small and stands still. */
export async function linkWithNetwork(): Promise<CopiedLink> {
  const settingsOnly = (why: string) => ({ address: link(), holds: `The link holds the settings. ${why}` });
  if (settings.value.pictures !== undefined) {
    return settingsOnly(
      'It opens on MNIST: pictures of your own, and what learnt them, stay in this browser.',
    );
  }
  if (!['paused', 'finished'].includes(phase.value) || lab === undefined) {
    return settingsOnly('Once the training is paused or over, it holds the network, too.');
  }
  const packed = await lab.packed();
  const size = `${kilobytes(packed.length)} packed`;
  if (packed.length > MOST_BYTES) {
    return settingsOnly(`The network is too large for a link: ${size}, at most ${kilobytes(MOST_BYTES)}.`);
  }
  return {
    address: `${link()}#network=${base64UrlOf(packed)}`,
    holds: `The link holds the settings and the network, ${size}.`,
  };
}

/** An address that opens with the settings as they are. */
export function link(): string {
  const { origin, pathname } = location;
  return `${origin}${pathname}?${queryOf(settings.value)}`;
}

/** A held-out image, the next one each time, and what it is. */
export async function nextHeldOut() {
  const next = await lab?.heldOut(heldOutNext);
  heldOutNext = next === undefined ? 0 : next.index + 1;
  return next;
}

/** Has the network look at an image. */
export function look(image: Uint8Array<ArrayBuffer> | undefined): void {
  drawing.value = image;
  recognise();
}

let heldOutNext = 0;

/** Measures the GPU, while no training is under way. */
export function measureGpu(): Promise<void> {
  return attempt(async (laboratory) => {
    benching.value = 'what there is';
    try {
      measured.value = await laboratory.measureGpu(
        Comlink.proxy((what: string) => {
          benching.value = what;
        }),
      );
    } finally {
      benching.value = undefined;
    }
  });
}

/** One prediction at a time; what is drawn meanwhile is asked next. */
const asking = { now: false, again: false };

export function recognise(): void {
  if (asking.now) {
    asking.again = true;
    return;
  }
  const image = drawing.value;
  if (image === undefined || prepared.value === undefined || lab === undefined) {
    scores.value = undefined;
    activations.value = [];
    return;
  }
  asking.now = true;
  asking.again = false;
  Promise.all([lab.scores(image), lab.activations(image)])
    .then(([answer, signs]) => {
      if (drawing.value !== image) return;
      batch(() => {
        scores.value = answer;
        activations.value = signs;
      });
    })
    // The training says what is wrong.
    .catch(() => undefined)
    .finally(() => {
      asking.now = false;
      if (asking.again) recognise();
    });
}

// What was wrong with pictures may be mended by others.
effect(() => {
  groups.value;
  pictureTrouble.value = undefined;
});

effect(() => {
  document.body.dataset.state = phase.value;
});
