export { type FoldedModel, foldBatchNorm, foldForInference, type Thresholds } from './fold.ts';
export { apply, type GraphNode, input, type Model, type ModelLayer, model, sequential } from './model.ts';
export { initialValues, Network, type ParameterValues } from './network.ts';
export { type RecordedPass, recordForward } from './record.ts';
export { type LayerSummary, type ModelSummary, summarize, summaryText } from './summary.ts';
