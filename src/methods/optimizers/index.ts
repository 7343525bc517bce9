/** Optimizers by name; names stand for these objects wherever an optimizer is taken. */

import { type NamedMethod, namesIn, resolverOf } from '../method.ts';
import type { Optimizer } from '../optimizer.ts';
import * as OPTIMIZERS from './all.ts';

export * from './all.ts';
export { OPTIMIZERS };

/** An optimizer that is known by its name. */
export type OptimizerName = keyof typeof OPTIMIZERS;
/** Names of the optimizers that are known by them. */
export const OPTIMIZER_NAMES = /* @__PURE__ */ namesIn(OPTIMIZERS);

/** A shipped optimizer by its name and numbers: `{ name: 'sgd', momentum: 0.5 }`. */
export type NamedOptimizer = NamedMethod<typeof OPTIMIZERS>;

/** An optimizer, the name of a shipped one, or its name and numbers. */
export type OptimizerLike = OptimizerName | Optimizer | NamedOptimizer;

/** Throws an OptionError for an unknown name, with the nearest one, or a number out of its bounds. */
export const resolveOptimizer = /* @__PURE__ */ resolverOf<Optimizer, OptimizerLike>('optimizer', OPTIMIZERS);
