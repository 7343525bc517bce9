/** Losses by name; names stand for these objects wherever a loss is taken. */
import type { Loss } from '../loss.ts';
import { type MethodLike, resolveMethod, type Values } from '../method.ts';
import { binaryCrossEntropy } from './binary-cross-entropy.ts';
import { crossEntropy } from './cross-entropy.ts';
import { distillation } from './distillation.ts';
import { meanAbsolute } from './mean-absolute.ts';
import { meanSquare } from './mean-square.ts';
import { squaredHinge } from './squared-hinge.ts';

export { binaryCrossEntropy, crossEntropy, distillation, meanAbsolute, meanSquare, squaredHinge };

export const LOSSES = {
  squaredHinge,
  crossEntropy,
  binaryCrossEntropy,
  meanSquare,
  meanAbsolute,
  distillation,
} as const;

export type LossName = keyof typeof LOSSES;
export const LOSS_NAMES = /* @__PURE__ */ Object.keys(LOSSES) as readonly LossName[];

/** A shipped loss by its name and numbers: `{ name: 'crossEntropy', smoothing: 0.1 }`. */
export type NamedLoss = {
  [N in LossName]: { readonly name: N } & Partial<
    Values<NonNullable<(typeof LOSSES)[N]['definition']['parameters']>>
  >;
}[LossName];

/** A loss, the name of a shipped one, or its name and numbers. */
export type LossLike = LossName | Loss | NamedLoss;

/** @throws OptionError for an unknown name, with the nearest one, or a number out of its bounds */
export function resolveLoss(given: LossLike, where = 'loss'): Loss {
  return resolveMethod<Loss>('loss', given as MethodLike<Loss>, LOSSES, where);
}
