export * from './closed-forms.ts';
export { type LayerGeometry, measureGeometry } from './measure.ts';
export {
  type Comparison,
  type Comparisons,
  type LayerProportionality,
  measureProportionality,
  type PairHistogram,
  type PatchCovariance,
  type ProportionalityOptions,
} from './proportionality.ts';
export { FilterSurvey, type LayerSurvey, type StoredFilters, type SurveyOptions } from './survey.ts';
export { type GeometrySample, GeometryTap, type TappedLayer } from './tap.ts';
