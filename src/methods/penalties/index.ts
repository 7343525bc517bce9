/** Penalties by name; names stand for these objects wherever a penalty is taken. */

import { type NamedMethod, namesIn, resolverOf } from '../method.ts';
import type { Penalty } from '../penalty.ts';
import * as PENALTIES from './all.ts';

export * from './all.ts';
export { PENALTIES };

/** A penalty that is known by its name. */
export type PenaltyName = keyof typeof PENALTIES;
/** Names of the penalties that are known by them. */
export const PENALTY_NAMES = /* @__PURE__ */ namesIn(PENALTIES);

/** A shipped penalty by its name and numbers: `{ name: 'weightDecay', strength: 1e-5 }`. */
export type NamedPenalty = NamedMethod<typeof PENALTIES>;

/** A penalty, the name of a shipped one, or its name and numbers. */
export type PenaltyLike = PenaltyName | Penalty | NamedPenalty;

/** Throws an OptionError for an unknown name, with the nearest one, or a number out of its bounds. */
export const resolvePenalty = /* @__PURE__ */ resolverOf<Penalty, PenaltyLike>('penalty', PENALTIES);
