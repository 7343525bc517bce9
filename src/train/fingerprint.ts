/**
 * What a checkpoint says of the training that it comes from, so that it isn't taken for another's: options as they are, and
 * digests of what is too large to be kept. They tell mistakes apart, not forgeries.
 */
import type { Model } from '../graph/index.ts';
import type { CheckedData, TrainingSplit } from './data.ts';

/** 32 bits of some words after some others: MurmurHash3's rounds (Appleby 2011). */
function mixed(hash: number, word: number): number {
  let k = Math.imul(word, 0xcc9e2d51);
  k = Math.imul((k << 15) | (k >>> 17), 0x1b873593);
  const h = hash ^ k;
  return (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0;
}

/** 16 hexadecimal digits that follow from bytes and their number. */
function digest(bytes: Uint8Array): string {
  const words = bytes.length >> 2;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  // Two of them, since 32 bits are few.
  let [a, b] = [bytes.length | 0, 0x9e3779b9 | 0];
  for (let i = 0; i < words; i++) {
    const word = view.getInt32(4 * i, true);
    a = mixed(a, word);
    b = mixed(b, word ^ a);
  }
  for (const byte of bytes.subarray(4 * words)) [a, b] = [mixed(a, byte), mixed(b, byte ^ a)];
  return [a, b].map((half) => (half >>> 0).toString(16).padStart(8, '0')).join('');
}

function digestOf(text: string): string {
  return digest(new TextEncoder().encode(text));
}

/** JSON whose names are in order, so that equal objects have equal texts; functions are what they are called. */
export function canonical(value: unknown): string {
  return (
    JSON.stringify(value, (_, entry: unknown) => {
      if (typeof entry === 'function') return 'function';
      if (typeof entry !== 'object' || entry === null || Array.isArray(entry) || ArrayBuffer.isView(entry))
        return entry;
      return Object.fromEntries(Object.entries(entry).sort(([a], [b]) => (a < b ? -1 : 1)));
    }) ?? 'undefined'
  );
}

/** Follows from all layers: their kinds, names, options, shapes and places. */
export function modelDigest({ inputShape, layers }: Model): string {
  const described = layers.map(({ name, layer, inputs, outputShape, parameters }) => {
    const { kind, config } = layer;
    // The names of arguments are no part of it, and layers of one's own may have no configuration.
    return { name, kind, config: { ...config }, inputs, outputShape, parameters };
  });
  return digestOf(canonical({ inputShape, described }));
}

/** Data sets whose digest is known already: a data set is read once, however many trainings it has. */
const known = new WeakMap<Uint8Array, string>();

/** Follows from the images and labels that train, and how they are normalised. */
export function dataDigest({ classes, image, train, normalise }: CheckedData): string {
  return digestOf(canonical({ classes, image, normalise, train: splitDigest(train) }));
}

function splitDigest({ images, labels }: TrainingSplit): string {
  const before = known.get(images);
  const own = before ?? digest(images);
  known.set(images, own);
  return own + digest(labels);
}

/** The most steps whose numbers are looked at. */
const MOST_STEPS = 1000;

/**
 * Follows from what a schedule gives: six digits of it, at a thousand steps at most, since engines compute the last digits
 * of powers differently.
 */
export function scheduleDigest(steps: number, at: (step: number) => readonly number[]): string {
  const looked = Math.min(steps, MOST_STEPS);
  const rows = Array.from({ length: looked }, (_, i) => {
    const step = looked === 1 ? 0 : Math.round((i * (steps - 1)) / (looked - 1));
    return at(step).map((value) => value.toPrecision(6));
  });
  return digestOf(canonical(rows));
}
