/** Statistics of rows that pass gradients on: apart from other rules, which come without. */
import { throughStatistics } from '../ops/rows-through.ts';
import type { Parameters } from './method.ts';
import type { Through } from './row.ts';

/**
 * The `through` of a rule for rows, whose WGSL has `fn through(x: f32, sign: f32, passed: f32, row: RowStatistics) -> vec3f`.
 * @param twin the same in float64: derivatives of a value with respect to mean, meanMagnitude and sd of its row
 */
export function throughRow<P extends Parameters = Parameters>(twin: Through<P>['twin']): Through<P> {
  return { twin, record: throughStatistics };
}
