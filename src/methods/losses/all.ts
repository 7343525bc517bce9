/** All losses that come with the library: one line each. */
export { binaryCrossEntropy } from './binary-cross-entropy.ts';
export { crossEntropy } from './cross-entropy.ts';
export { distillation } from './distillation.ts';
export { huber } from './huber.ts';
export { meanAbsolute } from './mean-absolute.ts';
export { meanSquare } from './mean-square.ts';
export { squaredHinge } from './squared-hinge.ts';
