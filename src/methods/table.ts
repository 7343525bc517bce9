/** All methods that come with the library, of every kind. */
import { unknownName } from '../options.ts';
import type { DescribedMethod } from './describe.ts';
import { LOSSES } from './losses/index.ts';
import { OPTIMIZERS } from './optimizers/index.ts';
import { PENALTIES } from './penalties/index.ts';
import { QUANTIZERS } from './quantizers/index.ts';

type AnyFactory = (values?: never) => DescribedMethod;

/** Factories by name, kind after kind: quantizers, optimizers, penalties, losses. */
export const METHODS: Readonly<Record<string, AnyFactory>> = {
  ...QUANTIZERS,
  ...OPTIMIZERS,
  ...PENALTIES,
  ...LOSSES,
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
