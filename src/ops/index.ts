/** Operations: tensors in, tensors out, recorded into a program. */
export { realsFromBytes } from './bytes.ts';
export type { OutOption } from './checks.ts';
export * from './columns.ts';
export * from './conv.ts';
export * from './conv-gradients.ts';
export * from './data.ts';
export * from './dense.ts';
export * from './elementwise.ts';
export * from './fused.ts';
export * from './geometry.ts';
export {
  type GroupedSignMatMulOptions,
  groupedSignMatMul,
  type QuantizedTokens,
  quantizeTokens,
  roundToHalves,
} from './grouped.ts';
export * from './inference.ts';
export * from './loss.ts';
export { type Frame, pad2d, permute, type SliceRange, slice, sliceGrad } from './movement.ts';
export * from './norm.ts';
export * from './optim.ts';
export * from './outputs-last.ts';
export {
  type Bounds,
  type Combination,
  type Curve,
  clamp,
  clampGrad,
  combine,
  curve,
  curveGrad,
  multiThreshold,
  prelu,
  preluGrad,
  type QuantizeGrid,
  quantize,
  ROUNDING_MODES,
  type RoundingMode,
  type Slopes,
  slopes,
  slopesGrad,
  softmax,
} from './pointwise.ts';
export * from './pool.ts';
export * from './proportionality.ts';
export * from './quantize.ts';
export { type IntegerRange, requantize } from './requantize.ts';
export * from './rotation.ts';
export * from './rows.ts';
export * from './samples.ts';
export * from './structure.ts';
export { clearChoices, pinKernel, type TuneOptions, type Tuning, tune } from './tune.ts';
export type { PerAxis } from './windows.ts';
