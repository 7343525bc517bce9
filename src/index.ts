/** webgpu-bnn: train, study and run binary neural networks on any GPU that WebGPU reaches. */
export * from './errors.ts';
export * from './gpu/index.ts';
