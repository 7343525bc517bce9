/** All augmentations that come with the library: one line each. */
export { brightness } from './brightness.ts';
export { contrast } from './contrast.ts';
export { crop } from './crop.ts';
export { cutout } from './cutout.ts';
export { flip } from './flip.ts';
export { labelSmoothing } from './label-smoothing.ts';
export { mixup } from './mixup.ts';
export { rotate } from './rotate.ts';
export { scale } from './scale.ts';
export { shift } from './shift.ts';
