/**
 * What a checkpoint says of the training that it comes from, so that it isn't taken for another's: options as they are, and
 * digests of what is too large to be kept. They tell mistakes apart, not forgeries.
 */
import { sourceDigest } from '../data/index.ts';
import type { Model } from '../graph/index.ts';
import { digestOfBytes } from '../numerics/digest.ts';
import type { CheckedData } from './data.ts';

function digestOf(text: string): string {
  return digestOfBytes(new TextEncoder().encode(text));
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

/** Follows from the samples and targets that train, and how they are normalised. */
export function dataDigest({ classes, image, train, normalise, targets }: CheckedData): string {
  // Classes are what data sets of version 0.1 had.
  const kind = targets === 'classes' ? {} : { targets };
  return digestOf(canonical({ classes, image, normalise, ...kind, train: sourceDigest(train) }));
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
