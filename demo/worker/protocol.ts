/** What the page and its worker say to each other. Plain data, so that it can be copied. */
import * as Comlink from 'comlink';
import {
  BnnError,
  type DeviceLostError,
  type EpochInfo,
  type LayerGeometry,
  type LayerProportionality,
  NoAdapterError,
  WebGpuUnavailableError,
} from '../../src/index.ts';
import type { Settings } from '../state/settings.ts';

/** An error as the page shows it. */
export interface Trouble {
  readonly kind: 'no-gpu' | 'lost' | 'error' | 'unexpected';
  readonly what: string;
  readonly where?: string | undefined;
  readonly given?: string | undefined;
  readonly expected?: string | undefined;
  readonly remedy?: string | undefined;
}

export function troubleOf(error: unknown): Trouble {
  if (error instanceof TroubleError) return error.trouble;
  if (!(error instanceof BnnError)) {
    return {
      kind: 'unexpected',
      what: 'Something went wrong.',
      given: String(error),
      remedy: 'reload the page; if it happens again, please report it with this message',
    };
  }
  const { what, where, given, expected, remedy } = error;
  const missing = error instanceof NoAdapterError || error instanceof WebGpuUnavailableError;
  const lost = (error as DeviceLostError).code === 'device-lost';
  return { kind: missing ? 'no-gpu' : lost ? 'lost' : 'error', what, where, given, expected, remedy };
}

/** An error of the worker's, on the page. */
export class TroubleError extends Error {
  readonly trouble: Trouble;

  constructor(trouble: Trouble) {
    super(trouble.what);
    this.trouble = trouble;
  }
}

/** Lets errors cross with all that they say. To be called once on either side. */
export function carryTroubles(): void {
  const plain = Comlink.transferHandlers.get('throw');
  if (plain === undefined) return;
  const handler: Comlink.TransferHandler<{ value: unknown }, Trouble> = {
    canHandle: (value): value is { value: unknown } => plain.canHandle(value),
    serialize: ({ value }) => [troubleOf(value), []],
    deserialize: (trouble) => {
      throw new TroubleError(trouble);
    },
  };
  Comlink.transferHandlers.set('throw', handler);
}

export type Point = readonly [x: number, y: number];

/** The curves of one network's training, by step; accuracies in percent. */
export interface Curves {
  readonly stepLoss: Point[];
  readonly meanLoss: Point[];
  readonly testLoss: Point[];
  readonly stepAccuracy: Point[];
  readonly meanAccuracy: Point[];
  readonly testAccuracy: Point[];
}

/** What is kept of a run to draw it again. */
export interface History {
  readonly binary: Curves;
  readonly twin: Curves;
  /** Mean angle of each layer. */
  readonly angles: Readonly<Record<string, Point[]>>;
}

export const emptyHistory = (): History => {
  const curves = (): Curves => ({
    ...{ stepLoss: [], meanLoss: [], testLoss: [] },
    ...{ stepAccuracy: [], meanAccuracy: [], testAccuracy: [] },
  });
  return { binary: curves(), twin: curves(), angles: {} };
};

/** Points of a curve: of more than these, every other one goes. Pictures are not as wide. */
const MOST_POINTS = 8000;

/** Adds what came later. */
export function append(history: History, since: History): void {
  for (const network of ['binary', 'twin'] as const) {
    for (const key of Object.keys(history[network]) as (keyof Curves)[]) {
      add(history[network][key], since[network][key]);
    }
  }
}

function add(points: Point[], more: readonly Point[]): void {
  points.push(...more);
  if (points.length > MOST_POINTS) points.splice(0, points.length, ...points.filter((_, i) => i % 2 === 0));
}

/** Adds the mean angles of a step, once. */
export function addAngles(history: History, geometry: readonly LayerGeometry[], step: number): void {
  const angles = history.angles as Record<string, Point[]>;
  for (const { name, meanAngle } of geometry) {
    angles[name] ??= [];
    if (angles[name].at(-1)?.[0] !== step) add(angles[name], [[step, meanAngle]]);
  }
}

/** Where a training is. */
export interface Standing {
  readonly step: number;
  readonly steps: number;
  readonly epoch: number;
  readonly epochs: number;
  readonly loss: number;
  readonly accuracy: number;
  readonly imagesPerSecond: number;
  /** Of the network of real numbers; undefined where none is trained. */
  readonly twin: { readonly loss: number; readonly accuracy: number } | undefined;
  /** Of the network of real numbers. */
  readonly twinImagesPerSecond: number | undefined;
}

/** The first filters of the first layer: sign and age of every weight. */
export interface Filters {
  readonly step: number;
  readonly layer: string;
  readonly count: number;
  readonly width: number;
  readonly height: number;
  /** [count, height, width]: −1 or +1 times the age of the sign: 1 just flipped, up to 255 for an old one. */
  readonly signs: Int16Array<ArrayBuffer>;
  /** Signs that flipped since the filters before, of all of the layer. */
  readonly flipped: number;
}

export interface LabEvents {
  onSteps(standing: Standing, since: History): void;
  onEpoch(
    info: Pick<EpochInfo, 'epoch' | 'testAccuracy'>,
    twinAccuracy: number | undefined,
    since: History,
  ): void;
  onGeometry(geometry: readonly LayerGeometry[], step: number): void;
  onPairs(layer: LayerProportionality, step: number): void;
  onFilters(filters: Filters): void;
  /** The run can't be kept: storage is full or denied. Training goes on. */
  onUnsaved(trouble: Trouble): void;
  onSaved(run: RunSummary): void;
  onLost(trouble: Trouble): void;
}

export interface Adapter {
  readonly name: string;
  readonly software: boolean;
}

/** A run as lists of runs show it. */
export interface RunSummary {
  readonly id: string;
  readonly name: string;
  readonly created: number;
  readonly changed: number;
  readonly settings: Settings;
  readonly step: number;
  readonly steps: number;
  /** Held-out accuracy, 0 to 1, as it was measured last. */
  readonly accuracy: number | undefined;
  readonly twinAccuracy: number | undefined;
  /** Bytes that it takes in the browser's storage. */
  readonly bytes: number;
}

/** Pictures of the visitor's own, as the page shows them. */
export interface OwnPictures {
  readonly id: string;
  readonly name: string;
  /** Pictures to learn from, of all classes. */
  readonly train: number;
  readonly classes: readonly {
    readonly name: string;
    readonly train: number;
    readonly test: number;
    /** Some of them, u8 [28, 28]. */
    readonly shown: readonly Uint8Array<ArrayBuffer>[];
  }[];
  readonly skipped: readonly { readonly path: string; readonly why: string }[];
}

/** What a prepared network is like. */
export interface Prepared {
  readonly id: string;
  readonly step: number;
  readonly steps: number;
  readonly classes: readonly string[];
  /** Names of the layers whose dot products can be looked at. */
  readonly layers: readonly string[];
  readonly sizes: { readonly binary: number; readonly real: number };
  readonly operations: { readonly binary: number; readonly float: number };
  readonly history: History;
  /** Held-out accuracy of a network that came with a link, 0 to 1; undefined of others. */
  readonly brought: number | undefined;
  /** What it learns; undefined: MNIST. */
  readonly pictures: OwnPictures | undefined;
}

export interface Scores {
  readonly binary: Float32Array<ArrayBuffer>;
  readonly twin: Float32Array<ArrayBuffer> | undefined;
}

/** How held-out images were taken for. */
export interface Mistakes {
  readonly step: number;
  readonly classes: readonly string[];
  /** [classes, classes]: how many of a class (row) were taken for another (column). */
  readonly confusion: Uint32Array<ArrayBuffer>;
  /** Wrong ones of the largest scores first. */
  readonly worst: readonly {
    readonly index: number;
    readonly label: number;
    readonly taken: number;
    readonly score: number;
    readonly image: Uint8Array<ArrayBuffer>;
  }[];
}

/** A gradient function as the GPU computes it, or what is wrong with its text. */
export type TriedGradient =
  | { readonly points: readonly Point[] }
  | { readonly errors: readonly { readonly line: number; readonly message: string }[] };

/** A model file that was opened. */
export interface OpenedModel {
  readonly name: string;
  readonly format: string;
  readonly bytes: number;
  readonly input: readonly number[];
  /** Whether it takes pictures, and knows how. */
  readonly takesPictures: boolean;
  readonly classes: readonly string[] | undefined;
  readonly engine: string;
  readonly layers: readonly {
    readonly name: string;
    readonly kind: string;
    readonly shape: readonly number[];
    readonly binary: number;
    readonly real: number;
    readonly binaryOperations: number;
    readonly realOperations: number;
  }[];
  /** Layers that became integer thresholds, or nothing; and those that stayed, with the reason. */
  readonly folded: readonly string[];
  readonly kept: readonly { readonly layer: string; readonly reason: string }[];
}

export interface Recognised {
  readonly classes: readonly { readonly name: string; readonly score: number }[];
  readonly milliseconds: number;
}

/** The signs that a layer reads of one picture. */
export interface LayerSigns {
  readonly layer: string;
  /** Maps of a convolution's input; 1 of what is flat. */
  readonly count: number;
  readonly height: number;
  readonly width: number;
  /** [count, height, width]: −1 or +1, times the age of a sign that has not flipped of late. */
  readonly signs: Int16Array<ArrayBuffer>;
  /** How many are −1. */
  readonly negative: number;
}

/** What a GPU was measured to do in a second. */
export interface MeasuredGpu {
  /** Population counts of 32-bit words. */
  readonly popcounts: number;
  /** Bytes read and written. */
  readonly copy: number;
  /** f32 multiply-adds. */
  readonly multiplyAdds: number;
  readonly products: readonly {
    readonly name: string;
    /** Multiplications and additions of signs, in a second and for each byte of operands and result. */
    readonly perSecond: number;
    readonly perByte: number;
    /** How many times as long the product of floats takes. */
    readonly ratio: number;
  }[];
}
