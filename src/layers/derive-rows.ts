/** What rules for rows make of weights, recorded into a program: who only runs networks without such rules needs none of it. */
import type { ProgramBuilder, Tensor } from '../gpu/index.ts';
import { quantizeRows } from '../ops/rows.ts';
import type { Parameter } from './layer.ts';
import { rowTensors } from './rows.ts';

/**
 * Records what is derived of a binary parameter whose quantizer has a rule for rows: the signs of its planes, unless they are
 * those of the latent weights, with their scales and offsets.
 * @param parameterOf by the name that `kernel` has, and an ending
 * @param options.latent the latent weights, where they are not those of the parameter
 * @param options.flips u32 [filters]: counts the signs of the first plane that change
 */
export function deriveRows(
  builder: ProgramBuilder,
  kernel: Parameter,
  parameterOf: (ending: string) => Parameter | undefined,
  options: { readonly latent?: Tensor; readonly flips?: Tensor | undefined } = {},
): void {
  const rule = kernel.spec.quantizer?.row;
  if (rule === undefined || kernel.packed === undefined) return;
  const { latent = kernel.value, flips } = options;
  quantizeRows(
    builder,
    latent,
    rule,
    { learned: parameterOf('Learned')?.value },
    rowTensors(kernel, parameterOf).map((target, plane) => ({
      ...target,
      ...(plane === 0 && { flips, isPacked: !rule.hasArgument }),
    })),
  );
}
