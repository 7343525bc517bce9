import type { Parameters } from './method.ts';
import { type QuantizerDefinition, type QuantizerFactory, quantizerOf } from './quantizer.ts';
import * as rows from './row.ts';
import * as schedules from './schedules.ts';

/**
 * Makes a quantizer of its definition.
 * @returns a factory: what it gives is a quantizer with numbers of its own
 * @throws OptionError for a definition that lacks a member, naming it
 * @example
 * ```ts
 * import { quantDense } from 'webgpu-bnn';
 * import { defineQuantizer } from 'webgpu-bnn/methods';
 *
 * const cubic = defineQuantizer({
 *   name: 'cubic',
 *   formula: '(1 - x²)³ where |x| <= 1, else 0',
 *   source: 'this example',
 *   wgsl: 'fn gradient(x: f32) -> f32 { let y = max(0.0, 1.0 - x * x); return y * y * y; }',
 *   gradient: (x) => Math.max(0, 1 - x * x) ** 3,
 * });
 * quantDense({ units: 64, inputQuantizer: cubic(), kernelQuantizer: cubic() });
 * ```
 */
export function defineQuantizer<const P extends Parameters = Record<never, never>>(
  definition: QuantizerDefinition<P>,
): QuantizerFactory<P> {
  return quantizerOf(definition, { rows, schedules });
}
