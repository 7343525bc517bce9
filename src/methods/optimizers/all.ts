/** All optimizers that come with the library: one line each. */
export { adam } from './adam.ts';
export { bop } from './bop.ts';
export { sgd } from './sgd.ts';
