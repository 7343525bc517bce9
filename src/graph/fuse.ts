/**
 * Makes one layer, and one kernel, of a binary product and what follows it: sums that only a threshold reads leave the
 * product as packed signs, and pooling in between pools signs. Same bits as before, but for `reals`.
 */
import { FormatError } from '../errors.ts';
import {
  binaryConv2d,
  binaryDense,
  DEFAULT_EPSILON,
  type Layer,
  maxPool2d,
  signPool2d,
} from '../layers/index.ts';
import { renamed } from '../layers/layer.ts';
import { apply, type GraphNode, input, model } from './build.ts';
import type { Model, ModelLayer } from './model.ts';
import { isIntegerProduct } from './signs.ts';
import { isPacked, type ParameterValue, type ParameterValues, packedValue } from './values.ts';

export interface FuseOptions {
  /**
   * Take normalisations into the product too whose values are read, as its multiplier and bias. Their results then differ
   * by the rounding of f32 from those of the layers apart. Default false.
   */
  readonly reals?: boolean | undefined;
}

/** Layers that became one. */
export interface FusedLayer {
  /** Of the product, which the new layer keeps. */
  readonly name: string;
  /** The layers that it took in, in their order. */
  readonly took: readonly string[];
}

/** What takes a layer's place: another layer with values of its own, or nothing. */
type Replacement =
  | { readonly layer: Layer; readonly values: ReadonlyMap<string, ParameterValue> }
  | 'nothing';

/**
 * Fuses every product of binary weights with signs, or with 8-bit integers (`quantDense`, `quantConv2d`, `quantDepthwiseConv2d` without bias), with the `threshold` that follows it, at once
 * or after `maxPool2d`, or with an `affine` whose scales are powers of two or zero, if nobody else reads what is in between.
 * @param values of all parameters
 * @throws FormatError when a value is missing
 */
export function fuseLayers(
  source: Model,
  values: ParameterValues,
  options: FuseOptions = {},
): {
  readonly model: Model;
  readonly values: Map<string, ParameterValue>;
  readonly fused: readonly FusedLayer[];
} {
  const readers = countReaders(source);
  const replacements = new Map<number, Replacement>();
  const fused: FusedLayer[] = [];
  source.layers.forEach((last, index) => {
    const chain = chainBefore(source, readers, index);
    const first = chain[0] === undefined ? undefined : source.layers[chain[0]];
    if (first === undefined || first.outputShape.at(-1) !== last.outputShape.at(-1)) return;
    const pools = chain.slice(1);
    if (last.layer.kind === 'threshold') {
      const direction = floats(values, `${last.name}/direction`);
      const threshold = floats(values, `${last.name}/threshold`);
      replaceProduct(chain[0] ?? 0, first, 'signs', { direction, threshold });
      for (const at of pools) replacePool(at, direction);
    } else {
      const epilogue = pools.length === 0 ? realEpilogue(last, values, options.reals ?? false) : undefined;
      if (epilogue === undefined) return;
      replaceProduct(chain[0] ?? 0, first, 'real', epilogue);
    }
    replacements.set(index, 'nothing');
    fused.push({
      name: first.name,
      took: [...pools.map((at) => source.layers[at]?.name ?? ''), last.name],
    });
  });

  function replaceProduct(
    at: number,
    entry: ModelLayer,
    output: 'real' | 'signs',
    epilogue: Readonly<Record<string, Float32Array>>,
  ): void {
    const layer = fusedLayer(entry, output);
    replacements.set(at, {
      layer,
      values: new Map<string, ParameterValue>([
        ['kernel', kernelValue(entry, values)],
        ...Object.entries(epilogue),
      ]),
    });
  }

  function replacePool(at: number, direction: Float32Array): void {
    const entry = source.layers[at];
    if (entry === undefined) return;
    const options = { ...entry.layer.config, name: entry.name } as Parameters<typeof maxPool2d>[0];
    // The largest sum reaches a threshold where any does; it is below a limit where all are.
    const isLargest = direction.every((d) => d >= 0);
    replacements.set(at, {
      layer: isLargest ? maxPool2d(options) : signPool2d(options),
      values: new Map(isLargest ? [] : [['direction', direction.map((d) => (d < 0 ? -1 : 1))]]),
    });
  }

  return { ...rebuild(source, values, replacements), fused };
}

/** The layer for inference that multiplies as a trained one does. */
function fusedLayer({ name, layer, inputShapes }: ModelLayer, output: 'real' | 'signs'): Layer {
  // What is left of the config is what all kinds of layers call by the same names.
  const { kernelQuantizer, kernelConstraint, kernelInitializer, inputQuantizer, useBias, ...rest } =
    layer.config;
  const { depthwiseQuantizer, depthwiseConstraint, depthwiseInitializer, depthMultiplier, ...shared } = rest;
  const options = { ...shared, name, output };
  const kind = layer.traits?.product?.kind;
  if (kind === 'dense') return binaryDense(options as Parameters<typeof binaryDense>[0]);
  if (kind === 'conv2d') return binaryConv2d(options as Parameters<typeof binaryConv2d>[0]);
  const groups = inputShapes[0]?.[2] ?? 1;
  const filters = groups * (typeof depthMultiplier === 'number' ? depthMultiplier : 1);
  return binaryConv2d({ ...options, groups, filters } as Parameters<typeof binaryConv2d>[0]);
}

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
  source.layers.forEach(({ name, layer, parameters, inputs }, index) => {
    const from = inputs.map(nodeAt);
    const replacement = replacements.get(index);
    if (replacement === 'nothing') {
      nodes.push(nodeAt(inputs[0] ?? -1));
      return;
    }
    nodes.push(apply(replacement?.layer ?? renamed(layer, name), ...from));
    const own =
      replacement?.values ??
      new Map(parameters.map((spec) => [spec.name, needed(values, `${name}/${spec.name}`)]));
    for (const [parameter, value] of own) result.set(`${name}/${parameter}`, value);
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

/** The product before a layer and the pooling in between, in their order; empty where there is no such chain. */
function chainBefore(source: Model, readers: readonly number[], index: number): number[] {
  const chain: number[] = [];
  let at = source.layers[index]?.inputs[0] ?? -1;
  while (at >= 0 && readers[at] === 1) {
    chain.unshift(at);
    const entry = source.layers[at];
    if (isIntegerProduct(source, at)) return chain;
    if (entry?.layer.kind !== 'maxPool2d') return [];
    at = entry.inputs[0] ?? -1;
  }
  return [];
}

/** The multiplier and bias that a layer comes to; undefined where it is none, or rounds in another way. */
function realEpilogue(
  entry: ModelLayer,
  values: ParameterValues,
  reals: boolean,
): Readonly<Record<'multiplier' | 'bias', Float32Array>> | undefined {
  const { layer, name, parameters } = entry;
  if (layer.kind === 'affine') {
    const multiplier = floats(values, `${name}/scale`);
    // A product that is exact is the same whether or not the device fuses it with the sum.
    if (!reals && !multiplier.every(isPowerOfTwo)) return undefined;
    return { multiplier, bias: floats(values, `${name}/shift`) };
  }
  if (layer.kind !== 'batchNormalization' || !reals) return undefined;
  const has = (parameter: string) => parameters.some((spec) => spec.name === parameter);
  const gamma = has('gamma') ? floats(values, `${name}/gamma`) : undefined;
  const beta = has('beta') ? floats(values, `${name}/beta`) : undefined;
  const mean = floats(values, `${name}/runningMean`);
  const epsilon = epsilonOf(layer);
  const scales = floats(values, `${name}/runningVariance`).map(
    (variance, c) => (gamma?.[c] ?? 1) / Math.sqrt(variance + epsilon),
  );
  return { multiplier: scales, bias: mean.map((m, c) => (beta?.[c] ?? 0) - m * (scales[c] ?? 0)) };
}

/** Of a batch normalisation; the default stands in `batchNormalization`. */
export function epsilonOf(layer: Layer): number {
  const { epsilon } = layer.config;
  return typeof epsilon === 'number' ? epsilon : DEFAULT_EPSILON;
}

function isPowerOfTwo(value: number): boolean {
  return value === 0 || Number.isInteger(Math.log2(Math.abs(value)));
}

/** @throws FormatError when the value is missing */
export function needed(values: ParameterValues, name: string): ParameterValue {
  const value = values.get(name);
  if (value === undefined) throw new FormatError('A parameter is missing.', { given: name });
  return value;
}

/** @throws FormatError when the value is missing, or signs */
export function floats(values: ParameterValues, name: string): Float32Array {
  const value = needed(values, name);
  if (isPacked(value)) throw new FormatError('Signs are given where reals are needed.', { given: name });
  return value;
}
