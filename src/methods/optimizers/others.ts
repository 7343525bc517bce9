/** Optimizers of the field that no page carries unless it imports them: one line each. */
export { askewSgd } from './askew-sgd.ts';
export { boolean } from './boolean.ts';
export { bop2ndOrder } from './bop-2nd-order.ts';
export { parq } from './parq.ts';
export { proxQuantTernary } from './prox-quant-ternary.ts';
export { shiftAdaMax } from './shift-ada-max.ts';
export { stochasticMasks } from './stochastic-masks.ts';
export { uniqNoise } from './uniq-noise.ts';
