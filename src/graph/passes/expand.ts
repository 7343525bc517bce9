/** Layers that say which others they can be run as are replaced by those: what follows knows layers that it has never heard of. */
import { OptionError } from '../../errors.ts';
import { type Shape, sizeOf } from '../../gpu/index.ts';
import { renamed } from '../../layers/layer.ts';
import { assertModel } from '../../options.ts';
import type { Model, ModelLayer } from '../model.ts';
import { floatValue, type ParameterValue, type ParameterValues } from '../values.ts';
import { needed, type Replacement, rebuild, type ValuedPart } from './pass.ts';

/** Parts of parts of parts: more is a circle. */
const DEEPEST = 8;

/**
 * A network in the parts of its layers, and in the parts of those.
 * @param isKnown of a kind that stays whole, though it has parts. Default: none
 * @throws FormatError when a value is missing; OptionError for parts that have no end, and for no network or values
 */
export function inParts(
  source: Model,
  values: ParameterValues,
  isKnown: (kind: string) => boolean = () => false,
): { model: Model; values: ParameterValues } {
  assertModel(source, 'inParts', values);
  let network: { model: Model; values: ParameterValues } = { model: source, values };
  for (let depth = 0; depth <= DEEPEST; depth++) {
    const { model, values: own } = network;
    const whole = [...model.layers.entries()].filter(
      ([, { layer }]) => layer.traits?.parts !== undefined && !isKnown(layer.kind),
    );
    if (whole.length === 0) return network;
    const replacements = whole.map(([index, entry]) => [index, partsOf(entry, own)] as const);
    network = rebuild(model, own, new Map(replacements));
  }
  throw new OptionError('The parts of a layer have parts without end.', { where: source.name });
}

function partsOf({ name, layer, inputShapes, parameters }: ModelLayer, values: ParameterValues): Replacement {
  const shapes: Shape[] = [];
  return (layer.traits?.parts?.(inputShapes) ?? []).map((part, index): ValuedPart => {
    const own = part.name === undefined ? name : `${name}.${part.name}`;
    const from = part.from ?? [index - 1];
    const given = from.map((at) => (at < 0 ? inputShapes[-1 - at] : shapes[at]) ?? []);
    shapes.push(part.layer.outputShape(given, own));
    const filled = (parameter: string, { shape }: { readonly shape: Shape }): ParameterValue => {
      const source = part.parameters?.[parameter] ?? parameter;
      if (typeof source === 'number') return new Float32Array(sizeOf(shape)).fill(source);
      if (typeof source === 'string') return needed(values, `${name}/${source}`);
      const sources = [source.of].flat().map((of) => {
        const key = `${name}/${of}`;
        const whole = parameters.find((spec) => spec.name === of);
        return floatValue(needed(values, key), whole?.shape ?? [], key);
      });
      return source.make(...sources);
    };
    return {
      layer: renamed(part.layer, own),
      from,
      values: new Map(part.layer.parameters(given).map((spec) => [spec.name, filled(spec.name, spec)])),
    };
  });
}
