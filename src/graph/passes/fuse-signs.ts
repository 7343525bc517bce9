/**
 * Products whose sums a threshold alone reads, at once or after the largest of windows, give signs: one layer, one kernel, and
 * the windows pool signs.
 */
import { maxPool2d, signPool2d } from '../../layers/index.ts';
import type { Model, ModelLayer } from '../model.ts';
import type { ParameterValues } from '../values.ts';
import { countReaders, type FusedLayer, type Replacement, type Rewrite, reader } from './pass.ts';
import { chainBefore, finished, isMaximum } from './products.ts';

export function fuseSigns(source: Model, values: ParameterValues): Rewrite {
  const readers = countReaders(source);
  const read = reader(values);
  const replacements = new Map<number, Replacement>();
  const fused: FusedLayer[] = [];
  source.layers.forEach((last, index) => {
    if (last.layer.traits?.channels?.do !== 'compare') return;
    const [at = -1, ...between] = chainBefore(source, readers, index);
    const first = source.layers[at];
    if (first === undefined || first.outputShape.at(-1) !== last.outputShape.at(-1)) return;
    const direction = read(last, 'direction');
    replacements.set(at, finished(first, values, 'signs', { direction, threshold: read(last, 'threshold') }));
    const took: ModelLayer[] = [];
    for (const pool of between) {
      const entry = source.layers[pool];
      if (entry === undefined || !isMaximum(entry)) continue;
      replacements.set(pool, poolOfSigns(entry, direction));
      took.push(entry);
    }
    replacements.set(index, 'nothing');
    fused.push({ name: first.name, took: [...took, last].map(({ name }) => name) });
  });
  return { replacements, fused };
}

/** The largest sum reaches a threshold where any does; it is below a limit where all are. */
function poolOfSigns({ name, layer }: ModelLayer, direction: Float32Array): Replacement {
  const options = { ...layer.config, name } as Parameters<typeof maxPool2d>[0];
  if (direction.every((d) => d >= 0)) return { layer: maxPool2d(options), values: new Map() };
  const sides = direction.map((d) => (d < 0 ? -1 : 1));
  return { layer: signPool2d(options), values: new Map([['direction', sides]]) };
}
