/** Layers that files describe, made again with no more of the library than they name. */
import type { AnyQuantizerFactory } from '../methods/index.ts';
import { type Guest, type MakeLayer, makerOf, quantizerFactories, quantizerIn } from './common.ts';
import * as PLAIN from './plain.ts';
import * as USUAL from './usual.ts';

/** Layers that most networks have, with quantizers that give signs and nothing else. */
const { PLAIN_PARTS, ...FACTORIES } = { ...USUAL, ...PLAIN };

/** A layer as a file describes it. */
interface Described {
  readonly kind: string;
  readonly config: Readonly<Record<string, unknown>>;
}

/**
 * What makes some layers, and those that guests bring: what few networks have is loaded if they have it.
 * @throws OptionError for guests that make nothing, or whose names are taken
 */
export async function loadMaker(layers: readonly Described[], guests: readonly Guest[]): Promise<MakeLayer> {
  const isUsual = layers.every(
    ({ kind, config }) =>
      Object.hasOwn(FACTORIES, kind) &&
      Object.entries(config).every(([option, value]) => {
        const name = quantizerIn(option, value);
        return option !== 'kernelRotation' && (name === undefined || PLAIN_PARTS.quantizers.includes(name));
      }),
  );
  // What guests bring must not have a name that is taken by any.
  if (isUsual && guests.length === 0) return makerOf(FACTORIES);
  const { makerOfAll, QUANTIZER_NAMES } = await import('./registry.ts');
  return makerOfAll(await withOthers(guests, layers, QUANTIZER_NAMES));
}

/** Guests, and quantizers of this library that pages don't carry, loaded if layers' options name some of them. */
async function withOthers(
  guests: readonly Guest[],
  layers: readonly Described[],
  shipped: readonly string[],
): Promise<readonly Guest[]> {
  const known = [...shipped, ...quantizerFactories(guests, shipped).keys()];
  const missing = layers
    .flatMap(({ config }) => Object.entries(config))
    .flatMap(([option, value]) => quantizerIn(option, value) ?? [])
    .filter((name) => !known.includes(name));
  if (missing.length === 0) return guests;
  const others: readonly AnyQuantizerFactory[] = Object.values(
    await import('../methods/quantizers/others.ts'),
  );
  return [...guests, ...others.filter(({ definition }) => missing.includes(definition.name))];
}
