/** `dropout`: sets a random share of the values to zero while training, and scales the rest up. */

import { OptionError } from '../errors.ts';
import { layerName, namesOf } from '../options.ts';
import { asReal, gradientsOf, type Layer, onlyInput, real } from './layer.ts';

/** Options of `dropout`. */
export interface DropoutOptions {
  /** What the layer is called in a model, its files and errors. Default: its kind, with a number. */
  readonly name?: string;
  /** Share of the values that is dropped, in [0, 1). */
  readonly rate: number;
}

const DROPOUT_OPTIONS = namesOf<DropoutOptions>({ name: true, rate: true });

/**
 * Srivastava et al. 2014, inverted: kept values are divided by 1 − rate. The mask is drawn anew from the step's counter.
 * @example
 * ```ts
 * import { dropout, sequential } from 'webgpu-bnn';
 *
 * sequential([dropout({ rate: 0.25 })], { input: [64] });
 * ```
 */
export function dropout(options: DropoutOptions): Layer {
  const where = layerName(options, DROPOUT_OPTIONS, 'dropout');
  const { rate } = options;
  if (!(rate >= 0 && rate < 1)) {
    throw new OptionError('The dropout rate is in [0, 1).', { given: String(rate), where });
  }
  return {
    name: options.name,
    kind: 'dropout',
    config: { ...options },
    traits: { output: 'selection', idle: true },
    outputShape: (inputs, name) => onlyInput(inputs, name),
    parameters: () => [],
    forward(context, inputs) {
      const { builder, training, state, stream, wantsInputGradient } = context;
      const input = onlyInput(inputs, where);
      if (!training || rate === 0 || state === undefined) {
        return { output: input, backward: (gradOutput) => ({ inputs: [gradOutput] }) };
      }
      const ops = gradientsOf(context, where);
      const x = asReal(builder, input);
      return {
        output: real(ops.dropout(builder, { x, rate, state, stream, training })),
        backward: (gradOutput) => ({
          inputs: [
            wantsInputGradient[0] ? ops.dropoutGrad(builder, { gradOutput, rate, state, stream }) : undefined,
          ],
        }),
      };
    },
  };
}
