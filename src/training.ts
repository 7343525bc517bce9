/**
 * Training networks, and nothing else: layers, models, data and the trainer, without file formats, geometry and single
 * operations. The same names as in the main entry, for bundlers that can't tell what a page uses of that.
 */
export * from './data/index.ts';
export * from './errors.ts';
export * from './gpu/index.ts';
export * from './graph/index.ts';
export * from './layers/index.ts';
export * from './methods/index.ts';
export { type RankedClass, rankClasses } from './run/index.ts';
export * from './train/index.ts';
export * from './zoo/index.ts';
