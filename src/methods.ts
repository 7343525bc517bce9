/** Methods, to write one's own: all that the other entries have of them, and the check that holds WGSL against its twin. */
export { checkMethod, type MethodCheck } from './methods/check.ts';
export * from './methods/index.ts';
