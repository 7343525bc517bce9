/** Penalties by name; names stand for these objects wherever a penalty is taken. */
import { type MethodLike, resolveMethod } from '../method.ts';
import type { Penalty } from '../penalty.ts';
import { towardsSigns } from './towards-signs.ts';
import { weightDecay } from './weight-decay.ts';

export { towardsSigns, weightDecay };

export const PENALTIES = { weightDecay, towardsSigns } as const;

export type PenaltyName = keyof typeof PENALTIES;

/** A penalty, the name of a shipped one, or its name and numbers: `{ name: 'weightDecay', strength: 1e-5 }`. */
export type PenaltyLike = PenaltyName | Penalty | { readonly name: PenaltyName; readonly strength?: number };

/** @throws OptionError for an unknown name, with the nearest one, or a number out of its bounds */
export function resolvePenalty(given: PenaltyLike, where = 'penalty'): Penalty {
  return resolveMethod<Penalty>('penalty', given as MethodLike<Penalty>, PENALTIES, where);
}
