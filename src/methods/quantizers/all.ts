/** All quantizers that come with the library: one line each. */
export { adaBin } from './ada-bin.ts';
export { approxSign } from './approx-sign.ts';
export { doReFa } from './do-re-fa.ts';
export { irNet } from './ir-net.ts';
export { magnitudeAwareSign } from './magnitude-aware-sign.ts';
export { reActSign } from './re-act-sign.ts';
export { siMan } from './si-man.ts';
export { steHeaviside } from './ste-heaviside.ts';
export { steIdentity } from './ste-identity.ts';
export { steSign } from './ste-sign.ts';
export { steTern } from './ste-tern.ts';
export { stochasticSign } from './stochastic-sign.ts';
export { swishSign } from './swish-sign.ts';
