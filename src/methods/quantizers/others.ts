/** Quantizers of the field that no page carries unless it imports them: one line each. */
export { greedyBits } from './greedy-bits.ts';
