/** Layers that do the same to all values of a channel, in numbers. */
import type { ModelLayer } from './model.ts';

/** Reads a parameter of a layer. */
export type ReadFloats = (entry: ModelLayer, parameter: string) => Float32Array;

/** The numbers of a normalisation, [channels] each. */
export interface Normalization {
  readonly gamma: Float32Array | undefined;
  readonly beta: Float32Array | undefined;
  readonly mean: Float32Array;
  readonly variance: Float32Array;
  readonly epsilon: number;
}

/** What a layer normalises by; undefined for one that does something else. */
export function normalizationOf(entry: ModelLayer, read: ReadFloats): Normalization | undefined {
  const { channels } = entry.layer.traits ?? {};
  if (channels?.do !== 'normalize') return undefined;
  const optional = (parameter: string) =>
    entry.parameters.some(({ name }) => name === parameter) ? read(entry, parameter) : undefined;
  return {
    gamma: optional('gamma'),
    beta: optional('beta'),
    mean: read(entry, 'runningMean'),
    variance: read(entry, 'runningVariance'),
    epsilon: channels.epsilon,
  };
}

/** What a layer multiplies each channel with and then adds, computed in float64; undefined for one that does something else. */
export function affineOf(
  entry: ModelLayer,
  read: ReadFloats,
): { readonly scale: Float32Array; readonly shift: Float32Array } | undefined {
  if (entry.layer.traits?.channels?.do === 'scale') {
    return { scale: read(entry, 'scale'), shift: read(entry, 'shift') };
  }
  const numbers = normalizationOf(entry, read);
  if (numbers === undefined) return undefined;
  const { gamma, beta, mean, variance, epsilon } = numbers;
  const scale = variance.map((own, c) => (gamma?.[c] ?? 1) / Math.sqrt(own + epsilon));
  return { scale, shift: mean.map((own, c) => (beta?.[c] ?? 0) - own * (scale[c] ?? 0)) };
}
