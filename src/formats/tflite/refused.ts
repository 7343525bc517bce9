/** Operators that can't be imported, in the same words everywhere. */
import { FormatError, listed } from '../../errors.ts';
import type { TfliteOperator } from './container.ts';

/** An operator that can't be imported, and why. */
export function refused({ where }: Pick<TfliteOperator, 'where'>, reason: string): FormatError {
  return new FormatError('This operator is not supported as it is.', { given: reason, where });
}

/** A shape, or another list of integers, as messages print it. */
export function shapeText(shape: readonly number[]): string {
  return `[${listed(shape)}]`;
}
