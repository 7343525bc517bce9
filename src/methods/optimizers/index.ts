/** Optimizers by name; names stand for these objects wherever an optimizer is taken. */
import { type MethodLike, resolveMethod, type Values } from '../method.ts';
import type { Optimizer } from '../optimizer.ts';
import { adam } from './adam.ts';
import { bop } from './bop.ts';
import { sgd } from './sgd.ts';

export { adam, bop, sgd };

export const OPTIMIZERS = { adam, sgd, bop } as const;

export type OptimizerName = keyof typeof OPTIMIZERS;
export const OPTIMIZER_NAMES = /* @__PURE__ */ Object.keys(OPTIMIZERS) as readonly OptimizerName[];

/** A shipped optimizer by its name and numbers: `{ name: 'sgd', momentum: 0.5 }`. */
export type NamedOptimizer = {
  [N in OptimizerName]: { readonly name: N } & Partial<
    Values<NonNullable<(typeof OPTIMIZERS)[N]['definition']['parameters']>>
  >;
}[OptimizerName];

/** An optimizer, the name of a shipped one, or its name and numbers. */
export type OptimizerLike = OptimizerName | Optimizer | NamedOptimizer;

/** @throws OptionError for an unknown name, with the nearest one, or a number out of its bounds */
export function resolveOptimizer(given: OptimizerLike, where = 'optimizer'): Optimizer {
  return resolveMethod<Optimizer>('optimizer', given as MethodLike<Optimizer>, OPTIMIZERS, where);
}
