/** Layers that do nothing when a network is only run, as `dropout`, go: what stands before them meets what stands behind. */
import type { Model } from '../model.ts';
import type { Rewrite } from './pass.ts';

export function dropIdle({ layers, outputs }: Model): Rewrite {
  const idle = [...layers.entries()].filter(([index, { layer, inputs }]) => {
    // An output must come from a layer.
    const endsInput = outputs.some(({ from }) => from === index) && (inputs[0] ?? -1) < 0;
    return layer.traits?.idle === true && !endsInput;
  });
  return { replacements: new Map(idle.map(([index]) => [index, 'nothing'] as const)) };
}
