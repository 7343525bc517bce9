/** All optimizers that come with the library: one line each. */
export { adam } from './adam.ts';
export { bop } from './bop.ts';
export { proxQuant } from './prox-quant.ts';
export { sgd } from './sgd.ts';
