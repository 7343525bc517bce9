/** What formats and engines can't say of quantizers: inputs and weights that are more than signs and a scale of each filter. */
import { FormatError } from '../errors.ts';
import type { Model } from './model.ts';

/** @throws FormatError naming the layer and its quantizer */
export function assertSaysQuantizers({ layers }: Model, format: string): void {
  for (const { name, layer, parameters } of layers) {
    const { inputRule } = layer.traits ?? {};
    const planes = parameters.find(({ quantizer }) => (quantizer?.row?.planes ?? 1) > 1)?.quantizer?.name;
    const found = inputRule ?? planes;
    if (found === undefined) continue;
    throw new FormatError(`${format} can't say what this quantizer makes of values.`, {
      given: `${found}, of ${inputRule === undefined ? 'weights' : 'an input'}`,
      expected: 'signs, or of weights signs times a scale of each filter',
      where: name,
      remedy: "save it as 'safetensors', this library's own format",
    });
  }
}
