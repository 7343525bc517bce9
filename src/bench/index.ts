/** How speed is measured: ceilings of the adapter, this library's kernels and training steps, and its peers. */
export { type Ceiling, type Ceilings, measureCeilings } from './ceilings.ts';
export { benchGeometry, type GeometryResult } from './geometry.ts';
export type { Timing } from './measure.ts';
export { type MissingPeer, openTensorFlow, type Peer } from './peers.ts';
export {
  benchProduct,
  binarynetLayers,
  matMuls,
  type Product,
  type ProductResult,
  residualConvolutions,
} from './products.ts';
export { benchTraining, type TrainingResult } from './training.ts';
