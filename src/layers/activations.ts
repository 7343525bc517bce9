/** Layers that binarize: `sign`, with any quantizer. */

import type { QuantizerLike } from '../methods/index.ts';
import { notedConfig } from '../methods/note.ts';
import { layerName, namesOf } from '../options.ts';
import { type Layer, onlyInput } from './layer.ts';
import type { LayerParts } from './parts.ts';
import {
  assertSigns,
  inputParameters,
  inputTraits,
  quantizeInput,
  resolveInputQuantizer,
} from './quantized-input.ts';

/** Options of `sign`. */
export interface SignOptions {
  /** What the layer is called in a model, its files and errors. Default: its kind, with a number. */
  readonly name?: string;
  /** Default `steSign`. */
  readonly quantizer?: QuantizerLike;
}

const SIGN_OPTIONS = namesOf<SignOptions>({ name: true, quantizer: true });

export function makeSign(options: SignOptions, parts: LayerParts): Layer {
  const where = layerName(options, SIGN_OPTIONS, 'sign');
  const quantizer = resolveInputQuantizer(options.quantizer ?? 'steSign', parts, where);
  assertSigns(quantizer, where);
  return {
    name: options.name,
    kind: 'sign',
    config: notedConfig(options),
    traits: { output: 'signs', ...inputTraits(quantizer) },
    outputShape: (inputs, name) => onlyInput(inputs, name),
    parameters: (inputs) => inputParameters(quantizer, onlyInput(inputs, where).at(-1) ?? 1),
    forward(context, inputs) {
      const quantized = quantizeInput(context, onlyInput(inputs, where), quantizer);
      return {
        output: { kind: 'sign', tensor: quantized.bits },
        backward: (gradOutput) => ({
          inputs: [context.wantsInputGradient[0] ? quantized.gradient(gradOutput) : undefined],
          parameters: quantized.parameters(gradOutput),
        }),
      };
    },
  };
}
