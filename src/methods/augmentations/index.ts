/** Augmentations by name; names stand for these objects wherever an augmentation is taken. */
import type { Augmentation } from '../augmentation.ts';
import { type NamedMethod, namesIn, resolverOf } from '../method.ts';
import * as AUGMENTATIONS from './all.ts';

export * from './all.ts';
export { AUGMENTATIONS };

/** Names of the shipped augmentations. */
export type AugmentationName = keyof typeof AUGMENTATIONS;
/** Names of the shipped augmentations, in the order of the index. */
export const AUGMENTATION_NAMES = /* @__PURE__ */ namesIn(AUGMENTATIONS);

/** A shipped augmentation by its name and numbers: `{ name: 'rotate', degrees: 5 }`. */
export type NamedAugmentation = NamedMethod<typeof AUGMENTATIONS>;

/** An augmentation, the name of a shipped one, or its name and numbers. */
export type AugmentationLike = AugmentationName | Augmentation | NamedAugmentation;

/** Throws an OptionError for an unknown name, with the nearest one, or a number out of its bounds. */
export const resolveAugmentation = /* @__PURE__ */ resolverOf<Augmentation, AugmentationLike>(
  'augmentation',
  AUGMENTATIONS,
);
