/** Quantizers by name; names stand for these objects wherever a quantizer is taken. */
import { type NamedMethod, namesIn, resolverOf } from '../method.ts';
import type { Quantizer } from '../quantizer.ts';
import * as QUANTIZERS from './all.ts';

export * from './all.ts';
export { QUANTIZERS };

/** A quantizer that is known by its name. */
export type QuantizerName = keyof typeof QUANTIZERS;
/** Names of the quantizers that are known by them. */
export const QUANTIZER_NAMES = /* @__PURE__ */ namesIn(QUANTIZERS);

/** A shipped quantizer by its name and numbers: `{ name: 'steSign', clip: 1.3 }`. */
export type NamedQuantizer = NamedMethod<typeof QUANTIZERS>;

/** A quantizer, the name of a shipped one, or its name and numbers. */
export type QuantizerLike = QuantizerName | Quantizer | NamedQuantizer;

/** Throws an OptionError for an unknown name, with the nearest one, or a number out of its bounds. */
export const resolveQuantizer = /* @__PURE__ */ resolverOf<Quantizer, QuantizerLike>('quantizer', QUANTIZERS);
