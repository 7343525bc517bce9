/** `flatten`: [height, width, channels] to [features], the same values in the same order. */
import { sizeOf } from '../gpu/index.ts';
import { asReal, type Layer, onlyInput } from './layer.ts';

export function flatten(options: { readonly name?: string } = {}): Layer {
  const where = options.name ?? 'flatten';
  return {
    name: options.name,
    kind: 'flatten',
    config: { ...options },
    outputShape: (inputs, name) => [sizeOf(onlyInput(inputs, name))],
    parameters: () => [],
    forward({ builder, wantsInputGradient }, inputs) {
      const input = onlyInput(inputs, where);
      const { shape } = input.tensor;
      const [batch = 1, ...rest] = shape;
      const flat = [batch, sizeOf(rest)];
      // Packed rows stay aligned to words only if the channels fill them.
      const staysPacked = input.kind === 'sign' && ((shape.at(-1) ?? 1) % 32 === 0 || rest.length === 1);
      const source = staysPacked ? input.tensor : asReal(builder, input);
      return {
        output: { kind: staysPacked ? 'sign' : 'real', tensor: source.reshape(flat) },
        backward: (gradOutput) => ({
          inputs: [wantsInputGradient[0] ? gradOutput.reshape(shape) : undefined],
        }),
      };
    },
  };
}
