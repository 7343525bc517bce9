/** Inputs with a scale for each group of values: `inputGroupScale` of `quantDense` and `quantConv2d`. To quantizers a group is what a sample is elsewhere. */
import type { Tensor } from '../gpu/index.ts';
import type { Quantizer } from '../methods/index.ts';
import { notedConfig } from '../methods/note.ts';
import { unpackSigns } from '../ops/dense.ts';
import { assertScales, groupsIn } from './groups.ts';
import { asReal, type Layer, onlyInput, real } from './layer.ts';
import { type InputOptions, quantizeInput } from './quantized-input.ts';

/**
 * A layer whose input is signs times a scale of each group, where its options say so.
 * @param make what makes layers without such groups: what these are goes into one as reals
 * @throws OptionError unless the quantizer gives signs times one scale; of a shape ShapeError where groups don't divide a sample
 */
export function withInputGroups<O extends InputOptions>(make: (options: O) => Layer, options: O): Layer {
  const { inputGroupScale, ...plain } = options ?? ({} as O);
  const whole = make(plain as O);
  if (inputGroupScale === undefined) return whole;
  const [quantizer] = whole.traits?.quantizers ?? [];
  const where = whole.name ?? whole.kind;
  assertScales('inputGroupScale', inputGroupScale, quantizer, where);
  const { inputQuantizer: _, ...reals } = plain;
  const layer = make(reals as O);
  return {
    ...layer,
    config: notedConfig(options),
    traits: whole.traits,
    outputShape(inputs, name) {
      const shape = layer.outputShape(inputs, name);
      groupsIn(onlyInput(inputs, name), inputGroupScale, 'inputGroupScale', name);
      return shape;
    },
    forward(context, inputs) {
      const { builder } = context;
      const x = asReal(builder, onlyInput(inputs, where));
      const asGroups = (tensor: Tensor) => tensor.reshape([x.size / inputGroupScale, inputGroupScale]);
      const quantized = quantizeInput(context, real(asGroups(x)), quantizer as Quantizer);
      const values = quantized.output((bits) => unpackSigns(builder, bits));
      const pass = layer.forward(context, [real(values.reshape(x.shape))]);
      return {
        output: pass.output,
        backward(gradOutput) {
          const {
            inputs: [gradient],
            ...others
          } = pass.backward(gradOutput);
          const passed = gradient && quantized.gradient(asGroups(gradient)).reshape(x.shape);
          return { ...others, inputs: [passed] };
        },
      };
    },
  };
}
