/**
 * Products that an `affine` alone reads, whose scales are powers of two or zero, end in its multiplier and bias: one layer, one
 * kernel, the same bits, since what is exact is the same whether or not the device fuses it with the sum. With `reals`, any
 * `affine` and normalisation.
 */
import { affineOf } from '../channels.ts';
import type { Model, ModelLayer } from '../model.ts';
import type { ParameterValues } from '../values.ts';
import {
  countReaders,
  type FusedLayer,
  type PassOptions,
  type Replacement,
  type Rewrite,
  reader,
} from './pass.ts';
import { chainBefore, finished, isMaximum } from './products.ts';

export function fuseReals(source: Model, values: ParameterValues, { reals = false }: PassOptions): Rewrite {
  const readers = countReaders(source);
  const read = reader(values);
  const replacements = new Map<number, Replacement>();
  const fused: FusedLayer[] = [];
  source.layers.forEach((last, index) => {
    const [at = -1, ...between] = chainBefore(source, readers, index);
    const first = source.layers[at];
    const isPooled = between.some((index) => isMaximum(source.layers[index] as ModelLayer));
    if (first === undefined || isPooled || first.outputShape.at(-1) !== last.outputShape.at(-1)) return;
    const { channels } = last.layer.traits ?? {};
    if (channels?.do === 'normalize' && !reals) return;
    const affine = affineOf(last, read);
    if (affine === undefined || !(reals || affine.scale.every(isPowerOfTwo))) return;
    replacements.set(at, finished(first, values, 'real', { multiplier: affine.scale, bias: affine.shift }));
    replacements.set(index, 'nothing');
    fused.push({ name: first.name, took: [last.name] });
  });
  return { replacements, fused };
}

function isPowerOfTwo(value: number): boolean {
  return value === 0 || Number.isInteger(Math.log2(Math.abs(value)));
}
