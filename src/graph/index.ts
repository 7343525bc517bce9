export { apply, type GraphNode, type GraphNodes, input, model, sequential } from './build.ts';
export { type FoldedModel, type FoldOptions, foldForInference, fuseLayers } from './fold.ts';
export {
  assertOneInputAndOutput,
  type Model,
  type ModelInput,
  type ModelLayer,
  type ModelOutput,
} from './model.ts';
export {
  initialValues,
  Network,
  type NetworkOptions,
  type Predictor,
} from './network.ts';
export { type PackedRotations, packRotations } from './pack-rotations.ts';
export { inParts } from './passes/expand.ts';
export type { FusedLayer, PassOptions } from './passes/pass.ts';
export { foldBatchNorm, type Thresholds } from './passes/thresholds.ts';
export type { RecordedPass } from './record.ts';
export { recordForward } from './record-reversible.ts';
export { assertSaysQuantizers } from './rules.ts';
export { type NamedSamples, resultsFor, type WholeSamples, wholeSamples } from './samples.ts';
export { type LayerSummary, type ModelSummary, summarize, summaryText } from './summary.ts';
export { unfoldForTraining } from './unfold.ts';
export {
  assertValue,
  floatValue,
  hashOfValues,
  isPacked,
  type PackedSigns,
  type ParameterValue,
  type ParameterValues,
  packedValue,
} from './values.ts';
