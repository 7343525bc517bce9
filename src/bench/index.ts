/** How speed is measured: ceilings of the adapter, this library's kernels and training steps, and its peers. */
export type { BackwardResult } from './backward.ts';
export type { Ceiling, Ceilings } from './ceilings.ts';
export type { CnvResult } from './cnv.ts';
export type { CpuFigures, CpuRow } from './cpu.ts';
export type { GeometryResult } from './geometry.ts';
export type { Timing } from './measure.ts';
export type { KeptActivations } from './memory.ts';
export { BENCH_MODELS, type BenchModel } from './noise.ts';
export type { OneBitResult } from './one-bit.ts';
export type { MissingPeer } from './peers/peer.ts';
export type { ProductResult } from './products.ts';
export {
  type BenchFigures,
  type BenchHooks,
  type BenchOptions,
  type ImportTrainingResult,
  type PeerResult,
  type PeerTrainingResult,
  planBench,
  runBench,
  type Section,
  SUITES,
  type Suite,
} from './run.ts';
export type { TrainingResult } from './training.ts';
