/** The methods that a visitor can choose from: all that come with the library and need nothing that the page lacks. */
import type { Loss, Optimizer, Penalty, Quantizer } from '../../src/index.ts';
import { LOSSES } from '../../src/methods/losses/index.ts';
import { OPTIMIZERS } from '../../src/methods/optimizers/index.ts';
import { PENALTIES } from '../../src/methods/penalties/index.ts';
import { QUANTIZERS } from '../../src/methods/quantizers/index.ts';

export type MethodKind = 'quantizer' | 'optimizer' | 'loss' | 'penalty';

/** Losses of class labels; others ask for another kind of target, or for a teacher. */
const OF_CLASSES = ['squaredHinge', 'crossEntropy'];

export const METHODS_OF: Readonly<Record<MethodKind, readonly string[]>> = {
  quantizer: Object.keys(QUANTIZERS),
  optimizer: Object.keys(OPTIMIZERS),
  loss: Object.keys(LOSSES).filter((name) => OF_CLASSES.includes(name)),
  penalty: ['none', ...Object.keys(PENALTIES)],
};

export function methodNamed(kind: MethodKind, name: string): boolean {
  return METHODS_OF[kind].includes(name);
}

interface ByKind {
  readonly quantizer: Quantizer;
  readonly optimizer: Optimizer;
  readonly loss: Loss;
  readonly penalty: Penalty;
}

const FACTORIES = { quantizer: QUANTIZERS, optimizer: OPTIMIZERS, loss: LOSSES, penalty: PENALTIES };

/** A method with its defaults. @param name one of `METHODS_OF` */
export function methodOf<K extends MethodKind>(kind: K, name: string): ByKind[K] {
  const factories = FACTORIES[kind] as unknown as Readonly<Record<string, () => ByKind[K]>>;
  const factory = factories[name];
  if (factory === undefined) throw new Error(`there is no ${kind} ${name}`);
  return factory();
}
