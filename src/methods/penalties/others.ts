/** Penalties of the field that no page carries unless it imports them: one line each. */
export { gradientClip } from './gradient-clip.ts';
export { signDistance } from './sign-distance.ts';
