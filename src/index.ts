/**
 * webgpu-bnn: train, study and run binary neural networks on any GPU that WebGPU reaches. This entry runs in browsers
 * and with any injected device; `webgpu-bnn/node` adds what Node needs.
 */
export * from './data/index.ts';
export * from './errors.ts';
export * from './formats/index.ts';
export * from './geometry/index.ts';
export * from './gpu/index.ts';
export * from './graph/index.ts';
export * from './layers/index.ts';
export * from './methods/index.ts';
export * as ops from './ops/index.ts';
export * from './run/index.ts';
export * from './train/index.ts';
export * from './zoo/index.ts';
