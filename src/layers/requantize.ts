/** `requantize`: what stands between two operators on 8-bit tensors. For inference. */

import { OptionError } from '../errors.ts';
import { assertRange, type IntegerRange, requantize as requantizeOp } from '../ops/requantize.ts';
import { layerName, namesOf } from '../options.ts';
import { asReal, type Layer, onlyInput, type ParameterSpec, real } from './layer.ts';

/** Options of `requantize`: where the integers lie. */
export interface RequantizeOptions extends IntegerRange {
  /** What the layer is called in a model, its files and errors. Default: its kind, with a number. */
  readonly name?: string;
}

const REQUANTIZE_OPTIONS = namesOf<RequantizeOptions>({
  name: true,
  minimum: true,
  maximum: true,
  zeroPoint: true,
});

/**
 * clamp(round(x·scale + shift), minimum, maximum) − zeroPoint with parameters `scale` and `shift`, [channels] each;
 * halves go away from zero. What TensorFlow Lite makes of an int32 sum on its way to an int8 tensor; the integers
 * travel as f32 without their zero point, so that padding with 0 pads with it. Any shape.
 * @throws OptionError unless the range is made of integers, the least first
 * @example
 * ```ts
 * import { requantize, sequential } from 'webgpu-bnn';
 *
 * sequential([requantize({ minimum: -128, maximum: 127, zeroPoint: 0 })], { input: [64] });
 * ```
 */
export function requantize(options: RequantizeOptions): Layer {
  const where = layerName(options, REQUANTIZE_OPTIONS, 'requantize');
  const { minimum, maximum, zeroPoint } = options;
  assertRange(options, where);
  return {
    name: options.name,
    kind: 'requantize',
    config: { ...options },
    outputShape: (inputs, name) => onlyInput(inputs, name),
    parameters(inputs) {
      const channels = onlyInput(inputs, where).at(-1) ?? 1;
      const spec = (name: string, value: number): ParameterSpec => ({
        name,
        shape: [channels],
        role: 'statistic',
        initializer: { kind: 'constant', value },
        fanIn: 1,
        fanOut: channels,
      });
      return [spec('scale', 1), spec('shift', 0)];
    },
    forward({ builder, training, parameter }, inputs) {
      if (training) throw noGradient(where);
      const y = requantizeOp(builder, asReal(builder, onlyInput(inputs, where)), {
        scale: parameter('scale').value,
        shift: parameter('shift').value,
        minimum,
        maximum,
        zeroPoint,
      });
      return {
        output: real(y),
        backward() {
          throw noGradient(where);
        },
      };
    },
  };
}

function noGradient(where: string): OptionError {
  return new OptionError('This layer is for inference: it has no gradient.', {
    where,
    remedy: 'train the network that it was made from',
  });
}
