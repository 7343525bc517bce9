/** Losses by name; names stand for these objects wherever a loss is taken. */
import type { Loss } from '../loss.ts';
import { type NamedMethod, namesIn, resolverOf } from '../method.ts';
import * as LOSSES from './all.ts';

export * from './all.ts';
export { LOSSES };

/** A loss that is known by its name. */
export type LossName = keyof typeof LOSSES;
/** Names of the losses that come with the library. */
export const LOSS_NAMES = /* @__PURE__ */ namesIn(LOSSES);

/** A shipped loss by its name and numbers: `{ name: 'crossEntropy', smoothing: 0.1 }`. */
export type NamedLoss = NamedMethod<typeof LOSSES>;

/** A loss, the name of a shipped one, or its name and numbers. */
export type LossLike = LossName | Loss | NamedLoss;

/** Throws an OptionError for an unknown name, with the nearest one, or a number out of its bounds. */
export const resolveLoss = /* @__PURE__ */ resolverOf<Loss, LossLike>('loss', LOSSES);
