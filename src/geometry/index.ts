export * from '../numerics/closed-forms.ts';
export { type ActivationGeometry, measureActivations } from './activations.ts';
export { filtersAlong } from './axis.ts';
export {
  type Claim,
  judgeClaims,
  type MeanOfFilters,
  type MeasuredLayer,
  type Measurements,
  type Verdict,
} from './claims.ts';
export * from './curves.ts';
export { hammingDistances } from './distances.ts';
export {
  type FewBitCurves,
  fewBitCurves,
  measureRotationGain,
  type RandomAngles,
  type RotatedAngles,
  type RotationGain,
  randomAngles,
  rotationExample,
} from './figures.ts';
export { type LayerGeometry, measureGeometry } from './measure.ts';
export type { PatchCovariance } from './patch-covariance.ts';
export {
  type Comparison,
  type Comparisons,
  type LayerProportionality,
  measureProportionality,
  type PairHistogram,
  type ProportionalityOptions,
} from './proportionality.ts';
export { refitNormalization, withContinuousWeights } from './refit.ts';
export {
  FilterSurvey,
  type LayerSurvey,
  type StoredFilters,
  type StoredFormat,
  type SurveyOptions,
} from './survey.ts';
export {
  type GeometrySample,
  GeometryTap,
  type GeometryTapOptions,
  type RegularTap,
  type TapCheckpoint,
  type TappedLayer,
  type TapTensor,
} from './tap.ts';
