export * from './closed-forms.ts';
export { type LayerGeometry, measureGeometry } from './measure.ts';
