/** Headless entry: everything of `webgpu-bnn`, and how Node gets a GPU, files and data. */
export * from '../index.ts';
export type { ImageSize, ReadImage } from '../pictures.ts';
export { cacheFolder } from './cache.ts';
export {
  DATASET_NAMES,
  type DatasetName,
  type DatasetStatus,
  datasetStatus,
  type FetchOptions,
  fetchDataset,
  type LoadOptions,
  loadDataset,
} from './datasets.ts';
export { readFileChecked, writeFileAtomic } from './files.ts';
export { type NodeGpuOptions, requestGpu } from './gpu.ts';
export { readImage } from './images.ts';
// By path as well: these hide those of the entry above.
export { loadModel, saveTraining } from './models.ts';
export { loadOwnData, type OwnData, type OwnDataOptions } from './own-data.ts';
export { imagesFromFolder } from './pictures.ts';
