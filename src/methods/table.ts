/**
 * All methods that come with the library. Pages know by name those in `all.ts` of each kind; the others are objects, which a page
 * imports from `webgpu-bnn/methods`, or which are loaded with a file that names them.
 */
import { unknownName } from '../options.ts';
import type { DescribedMethod } from './describe.ts';
import { LOSSES } from './losses/index.ts';
import * as OTHER_LOSSES from './losses/others.ts';
import { OPTIMIZERS } from './optimizers/index.ts';
import * as OTHER_OPTIMIZERS from './optimizers/others.ts';
import { PENALTIES } from './penalties/index.ts';
import * as OTHER_PENALTIES from './penalties/others.ts';
import { QUANTIZERS } from './quantizers/index.ts';
import * as OTHER_QUANTIZERS from './quantizers/others.ts';

type AnyFactory = (values?: never) => DescribedMethod;

/** Factories by name, of each kind. */
export const EVERY = {
  quantizer: { ...QUANTIZERS, ...OTHER_QUANTIZERS },
  optimizer: { ...OPTIMIZERS, ...OTHER_OPTIMIZERS },
  penalty: { ...PENALTIES, ...OTHER_PENALTIES },
  loss: { ...LOSSES, ...OTHER_LOSSES },
} as const;

/** Factories by name, kind after kind: quantizers, optimizers, penalties, losses. */
export const METHODS: Readonly<Record<string, AnyFactory>> = {
  ...EVERY.quantizer,
  ...EVERY.optimizer,
  ...EVERY.penalty,
  ...EVERY.loss,
};

/**
 * A shipped method by its name, whatever its kind.
 * @param numbers those that aren't defaults
 * @throws OptionError for an unknown name, with the nearest one, or a number out of its bounds
 */
export function methodByName(
  name: string,
  numbers: Readonly<Record<string, unknown>> = {},
  where = 'methodByName',
): DescribedMethod {
  const factory = Object.hasOwn(METHODS, name) ? METHODS[name] : undefined;
  if (factory === undefined) throw unknownName('method', name, Object.keys(METHODS), where);
  return factory(numbers as never);
}
