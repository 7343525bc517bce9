/** Penalties of the field that no page carries unless it imports them: one line each. */
export { signDistance } from './sign-distance.ts';
