/** All penalties that come with the library: one line each. */
export { towardsSigns } from './towards-signs.ts';
export { weightDecay } from './weight-decay.ts';
