/**
 * Methods side by side, and what is trained otherwise: comparisons, pages of methods as data, training regimes. It is what
 * `webgpu-bnn compare` and `webgpu-bnn methods` are made of, for programs and pages of one's own.
 */
export * from './compare/index.ts';
export {
  type DescribedMethod,
  describeMethod,
  type MethodDescription,
  type MethodFigure,
} from './methods/describe.ts';
export { METHODS, methodByName } from './methods/table.ts';
export * from './regimes/index.ts';
