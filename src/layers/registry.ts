/** Layers by kind: how a layer that a file describes is made again. */
import { QUANTIZER_NAMES } from '../methods/quantizers/index.ts';
import { type Guest, type MakeLayer, makerOf, makerWith } from './common.ts';
import type { Layer } from './layer.ts';
import * as NAMED from './named.ts';
import * as OTHERS from './others.ts';
import * as USUAL from './usual.ts';

export { QUANTIZER_NAMES };

/** Every factory by the `kind` of the layers that it makes, which is its own name. */
const FACTORIES = { ...USUAL, ...NAMED, ...OTHERS };

/** A kind of layer that comes with the library: the name of its factory. */
export type LayerKind = keyof typeof FACTORIES;

/** Kinds of all layers that come with the library. */
export const LAYER_KINDS = /* @__PURE__ */ Object.keys(FACTORIES).sort() as readonly LayerKind[];

/**
 * A layer from its `kind` and its `config`.
 * @param where for errors
 * @throws FormatError for an unknown kind, listing the known ones; what the factory throws for a config that isn't right
 */
export function makeLayer(kind: string, config: Readonly<Record<string, unknown>>, where: string): Layer {
  return makerOf(FACTORIES)(kind, config, where);
}

/** `makeLayer`, with the layers and quantizers that guests bring. */
export function makerOfAll(guests: readonly Guest[]): MakeLayer {
  return makerWith(guests, makeLayer, QUANTIZER_NAMES);
}
