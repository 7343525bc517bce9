/** Headless entry: everything of `webgpu-bnn`, and how Node gets a GPU, files and data. */
export * from '../index.ts';
export { cacheFolder, type NodeGpuOptions, requestGpu } from './gpu.ts';
