/**
 * What a pass is: a rewrite of a network that is only run, which gives the same bits with fewer layers or simpler ones. A pass
 * says what takes the place of which layer; the graph is built anew once it has spoken. Passes stand in `index.ts`, in the order
 * in which they are made.
 */
import { FormatError } from '../../errors.ts';
import type { Layer } from '../../layers/index.ts';
import { renamed } from '../../layers/layer.ts';
import { apply, type GraphNode, input, model } from '../build.ts';
import type { Model, ModelLayer } from '../model.ts';
import { isPacked, type ParameterValue, type ParameterValues, packedValue } from '../values.ts';

/** What rewrites may do. */
export interface PassOptions {
  /**
   * Take normalisations into the product too whose values are read, as its multiplier and bias. Their results then differ
   * by the rounding of f32 from those of the layers apart. Default false.
   */
  readonly reals?: boolean | undefined;
}

/** A layer with values of its own. */
interface Valued {
  readonly layer: Layer;
  readonly values: ReadonlyMap<string, ParameterValue>;
}

/** A layer of several: `from` as `LayerPart` has it. */
export interface ValuedPart extends Valued {
  readonly from: readonly number[];
}

/** What takes a layer's place: another one, several, or nothing. */
export type Replacement = Valued | readonly ValuedPart[] | 'nothing';

/** Layers that became one. */
export interface FusedLayer {
  /** Of the product, which the new layer keeps. */
  readonly name: string;
  /** The layers that it took in, in their order. */
  readonly took: readonly string[];
}

/** What a pass makes of a network. */
export interface Rewrite {
  /** By the index of the layer. */
  readonly replacements: ReadonlyMap<number, Replacement>;
  /** Normalisations that became thresholds. */
  readonly folded?: readonly string[];
  readonly fused?: readonly FusedLayer[];
  /** What could have been rewritten and was not, with the reason. */
  readonly kept?: readonly { readonly name: string; readonly reason: string }[];
}

/** @param values of all parameters @throws FormatError when a value is missing or not finite */
export type Pass = (source: Model, values: ParameterValues, options: PassOptions) => Rewrite;

/**
 * The graph with some layers replaced; the others keep their names and values.
 * @throws FormatError when a value is missing
 */
export function rebuild(
  source: Model,
  values: ParameterValues,
  replacements: ReadonlyMap<number, Replacement>,
): { model: Model; values: Map<string, ParameterValue> } {
  const starts = source.inputs.map(({ name, shape }) => [name, input(shape)] as const);
  const nodes: GraphNode[] = [];
  const result = new Map<string, ParameterValue>();
  const nodeAt = (at: number): GraphNode => {
    const node = nodes[at] ?? starts[-1 - at]?.[1];
    if (node === undefined) throw new FormatError('A layer reads what there is not.', { where: source.name });
    return node;
  };
  const place = ({ layer, values: own }: Valued, from: readonly GraphNode[]): GraphNode => {
    for (const [parameter, value] of own) result.set(`${layer.name}/${parameter}`, value);
    return apply(layer, ...from);
  };
  source.layers.forEach(({ name, layer, parameters, inputs }, index) => {
    const replacement = replacements.get(index);
    if (replacement === 'nothing') {
      nodes.push(nodeAt(inputs[0] ?? -1));
      return;
    }
    const from = inputs.map(nodeAt);
    if (replacement !== undefined && !('layer' in replacement)) {
      const made: GraphNode[] = [];
      for (const part of replacement) {
        const reads = part.from.map((at) => (at < 0 ? from[-1 - at] : made[at]) ?? nodeAt(inputs[0] ?? -1));
        made.push(place(part, reads));
      }
      nodes.push(made.at(-1) ?? nodeAt(inputs[0] ?? -1));
      return;
    }
    const kept = () => new Map(parameters.map((spec) => [spec.name, needed(values, `${name}/${spec.name}`)]));
    const own = replacement ?? { layer, values: kept() };
    nodes.push(place({ ...own, layer: renamed(own.layer, name) }, from));
  });
  const output = source.outputs.map(({ name, from }) => [name, nodeAt(from)] as const);
  const built = model({
    input: new Map(starts),
    output: new Map(output),
    name: source.name,
  });
  return { model: built, values: result };
}

/** The weights of a product; their signs, where they are others than those of the latent weights. */
export function kernelValue({ name, parameters }: ModelLayer, values: ParameterValues): ParameterValue {
  const key = `${name}/kernel`;
  const value = needed(values, key);
  const spec = parameters.find((own) => own.name === 'kernel');
  return spec?.quantizer?.row?.hasArgument === true
    ? packedValue(value, spec.shape, key, spec.quantizer)
    : value;
}

/** How many layers read each layer; an output is read by whoever runs the model, too. */
export function countReaders(source: Model): number[] {
  const readers = source.layers.map(() => 0);
  for (const { inputs } of source.layers) {
    for (const from of inputs) if (from >= 0) readers[from] = (readers[from] ?? 0) + 1;
  }
  for (const { from } of source.outputs) readers[from] = (readers[from] ?? 0) + 1;
  return readers;
}

/** Reads parameters of layers as floats. @throws FormatError when a value is missing, or signs */
export function reader(values: ParameterValues): (entry: ModelLayer, parameter: string) => Float32Array {
  return ({ name }, parameter) => floats(values, `${name}/${parameter}`);
}

/** @throws FormatError when the value is missing */
export function needed(values: ParameterValues, name: string): ParameterValue {
  const value = values.get(name);
  if (value === undefined) throw new FormatError('A parameter is missing.', { given: name });
  return value;
}

/** @throws FormatError when the value is missing, or signs */
function floats(values: ParameterValues, name: string): Float32Array {
  const value = needed(values, name);
  if (isPacked(value)) throw new FormatError('Signs are given where reals are needed.', { given: name });
  return value;
}
