/** What a visitor can choose, what is allowed, and how an address says it. */
import { methodNamed } from './methods.ts';
import { DEFAULT_LAYERS, type LayerChoice, layersOf, layersText } from './network.ts';

export interface Settings {
  readonly epochs: number;
  readonly batch: number;
  readonly rate: number;
  readonly seed: number;
  /** Images of the training split that are used, and of the held-out one. */
  readonly images: number;
  readonly heldOut: number;
  /** Hidden layers. */
  readonly layers: readonly LayerChoice[];
  /** Names of methods; of a quantizer of the visitor's own, `mine`. */
  readonly quantizer: string;
  readonly optimizer: string;
  readonly loss: string;
  readonly penalty: string;
  /** How the learning rate falls; absent of runs that were kept before there was a choice: exponentially. */
  readonly schedule?: ScheduleName;
  /** WGSL of the quantizer `mine`. */
  readonly gradient: string;
  /** Whether the same network is trained beside with real weights and activations. */
  readonly twin: boolean;
  /** Which pictures of the visitor's own are learnt; undefined: MNIST. No address carries them. */
  readonly pictures?: string | undefined;
}

/** How a learning rate goes from where it starts to a twentieth of that, or stays. */
export const SCHEDULES = ['exponential', 'linear', 'cosine', 'constant'] as const;
export type ScheduleName = (typeof SCHEDULES)[number];

/** A number that can be chosen. */
export interface NumberChoice {
  readonly name: 'epochs' | 'batch' | 'rate' | 'seed' | 'images' | 'heldOut';
  readonly label: string;
  readonly min: number;
  readonly max: number;
  readonly step: number | 'any';
}

/** A run is made no longer than this. */
export const MOST_EPOCHS = 1000;

export const NUMBERS: readonly NumberChoice[] = [
  { name: 'epochs', label: 'Epochs', min: 1, max: MOST_EPOCHS, step: 1 },
  { name: 'batch', label: 'Batch', min: 1, max: 1000, step: 1 },
  { name: 'rate', label: 'Learning rate', min: 0, max: 1, step: 'any' },
  { name: 'seed', label: 'Seed', min: 0, max: 2 ** 32 - 1, step: 1 },
  { name: 'images', label: 'Training images', min: 100, max: 60_000, step: 1 },
  { name: 'heldOut', label: 'Held-out images', min: 100, max: 10_000, step: 1 },
];

export const MY_QUANTIZER = 'mine';
export const MY_GRADIENT = `fn gradient(x: f32) -> f32 {
  let y = max(0.0, 1.0 - x * x);
  return y * y * y;
}
`;

const DEFAULTS: Settings = {
  epochs: 5,
  batch: 100,
  rate: 0.02,
  seed: 1,
  images: 60_000,
  heldOut: 10_000,
  layers: DEFAULT_LAYERS,
  quantizer: 'steSign',
  optimizer: 'adam',
  loss: 'squaredHinge',
  penalty: 'none',
  schedule: 'exponential',
  gradient: MY_GRADIENT,
  twin: true,
};

/** Without a GPU an epoch of this many images takes some tens of seconds, and no second network is trained beside. */
const SOFTWARE: Partial<Settings> = { images: 10_000, heldOut: 2000, twin: false };

/** What suits the adapter, with what the address says in place of it. What an address says wrongly is left away. */
export function initialSettings(query: string, software: boolean): Settings {
  const given = new URLSearchParams(query);
  const settings: Record<string, unknown> = { ...DEFAULTS, ...(software ? SOFTWARE : {}) };
  for (const { name } of NUMBERS) {
    const text = given.get(name);
    if (text !== null && text.trim() !== '' && Number.isFinite(Number(text))) settings[name] = Number(text);
  }
  for (const kind of ['quantizer', 'optimizer', 'loss', 'penalty'] as const) {
    const name = given.get(kind);
    if (name !== null && (methodNamed(kind, name) || (kind === 'quantizer' && name === MY_QUANTIZER)))
      settings[kind] = name;
  }
  const schedule = SCHEDULES.find((name) => name === given.get('schedule'));
  if (schedule !== undefined) settings.schedule = schedule;
  const layers = layersOf(given.get('layers') ?? '');
  if (layers !== undefined) settings.layers = layers;
  const twin = given.get('twin');
  if (twin === '1' || twin === '0') settings.twin = twin === '1';
  const gradient = given.get('gradient');
  if (gradient !== null) settings.gradient = gradient;
  return settings as unknown as Settings;
}

/** The query of an address that opens with these settings. */
export function queryOf(settings: Settings): string {
  const query = new URLSearchParams();
  for (const { name } of NUMBERS) query.set(name, String(settings[name]));
  for (const kind of ['quantizer', 'optimizer', 'loss', 'penalty'] as const) query.set(kind, settings[kind]);
  query.set('schedule', settings.schedule ?? 'exponential');
  query.set('layers', layersText(settings.layers));
  query.set('twin', settings.twin ? '1' : '0');
  if (settings.quantizer === MY_QUANTIZER) query.set('gradient', settings.gradient);
  return query.toString();
}
