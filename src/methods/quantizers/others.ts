/** Quantizers of the field that no page carries unless it imports them: one line each. */
export { adaBinInput } from './ada-bin-input.ts';
export { distributionAware } from './distribution-aware.ts';
export { fracBits } from './frac-bits.ts';
export { greedyBits } from './greedy-bits.ts';
export { leastSquares2Bits } from './least-squares-2-bits.ts';
export { rbnn } from './rbnn.ts';
export { uniq } from './uniq.ts';
export { xnorNet } from './xnor-net.ts';
