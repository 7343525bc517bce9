/** Networks of a comparison: one with other quantizers in place of its own, and its float twin. */
import { listed, OptionError } from '../errors.ts';
import { apply, type GraphNode, input, type Model, model as makeModel } from '../graph/index.ts';
import { flatten, type Layer, relu } from '../layers/index.ts';
import { renamed } from '../layers/layer.ts';
import type { Entry } from './entry.ts';

/** Options by which layers are told their quantizers: of what flows in, and of weights. */
const OF_INPUTS = /^(inputQuantizer|quantizer)$/;
const OF_WEIGHTS = /^(?!input)\w+Quantizer$/;

/**
 * The network that an entry trains: its quantizers are those of the entry wherever the network has quantizers, and everything
 * else is as it was.
 * @throws OptionError where the entry has a quantizer and the network no layer for it; what a layer throws for one that it can't have
 */
export async function networkFor(model: Model, entry: Entry): Promise<Model> {
  if (entry.float) return floatTwin(model);
  const { weights, inputs } = entry;
  if (weights === undefined && inputs === undefined) return model;
  const { makeLayer: make } = await import('../layers/registry.ts');
  const replaced = { weights: 0, inputs: 0 };
  const changed = rebuilt(model, ({ layer, name }) => {
    // A layer that only binarizes may not say by what.
    const config = isSign(layer) ? { quantizer: 'steSign', ...layer.config } : layer.config;
    const options = Object.entries(config).map(([key, value]): [string, unknown] => {
      const role = OF_INPUTS.test(key) ? 'inputs' : OF_WEIGHTS.test(key) ? 'weights' : undefined;
      if (role === undefined || value === undefined) return [key, value];
      replaced[role] += 1;
      return [key, entry[role] ?? value];
    });
    const isChanged = options.some(([key, value]) => value !== config[key]);
    return [isChanged ? make(layer.kind, { ...Object.fromEntries(options), name }, name) : layer];
  });
  for (const role of ['weights', 'inputs'] as const) {
    if (entry[role] === undefined || replaced[role] > 0) continue;
    throw new OptionError(`No layer of this network quantizes its ${role}.`, {
      given: `${entry[role].name} for ${role} of ${model.name}`,
      expected: `layers with ${role === 'weights' ? 'a kernelQuantizer' : 'an inputQuantizer'}`,
      where: `method ${entry.text}`,
    });
  }
  return changed;
}

/** Options that a layer of reals lacks. */
const QUANTIZES = /quantizer$|groupScale$|^kernelConstraint$/i;

/**
 * The same network with real weights, and a relu in place of every sign: what its bits are measured against.
 * @throws OptionError for a network that quantizes nothing
 */
export async function floatTwin(model: Model): Promise<Model> {
  const { makeLayer: make } = await import('../layers/registry.ts');
  let changes = 0;
  const twin = rebuilt(model, ({ layer, name }) => {
    // A gate chooses between bits: of reals there is nothing to choose.
    const isGated = layer.kind === 'quantGatedConv2d';
    const own = Object.entries(layer.config).filter(([, value]) => value !== undefined);
    const kept = own.filter(([key]) => !(QUANTIZES.test(key) || (isGated && key === 'threshold')));
    if (isSign(layer)) {
      changes += 1;
      return [relu({ name })];
    }
    if (kept.length === own.length && !isGated) return [layer];
    changes += 1;
    const real = make(isGated ? 'quantConv2d' : layer.kind, { ...Object.fromEntries(kept), name }, name);
    const hasSigns = isGated || own.some(([key]) => OF_INPUTS.test(key));
    return hasSigns ? [relu({ name: `${name}_relu` }), real] : [real];
  });
  if (changes > 0) return twin;
  throw new OptionError('This network has no float twin: it quantizes nothing.', {
    given: model.name,
    where: 'float',
    remedy: 'leave --float away',
  });
}

/**
 * Names of the layers whose results become signs: what inner losses compare.
 * @throws OptionError where there are none
 */
export function signInputs({ layers, name }: Model, where: string): string[] {
  const found = layers.flatMap(({ layer, inputs: [from = -1] }) => {
    const hasSigns = Object.entries(layer.config).some(
      ([key, value]) => value !== undefined && OF_INPUTS.test(key),
    );
    const source = hasSigns || isSign(layer) ? layers[from]?.name : undefined;
    return source === undefined ? [] : [source];
  });
  if (found.length > 0) return [...new Set(found)];
  throw new OptionError('This network makes signs of no inner layer.', {
    given: name,
    expected: 'layers with an inputQuantizer',
    where,
  });
}

/**
 * The same network whose outputs are those of inner layers, too, flat and by their names.
 * @throws OptionError for a name of none of its layers
 */
export function withOutputs(model: Model, names: readonly string[], where: string): Model {
  if (names.length === 0) return model;
  const unknown = names.find((name) => !model.layers.some((layer) => layer.name === name));
  if (unknown === undefined) return rebuilt(model, ({ layer }) => [layer], names);
  throw new OptionError('The teacher lacks a layer whose activations it is to teach.', {
    given: `${model.name}: ${listed(model.layers.map(({ name }) => name))}`,
    expected: listed(names),
    where,
    remedy: 'take the float twin: teacher=float',
  });
}

/** Whether a layer makes signs of what flows in, and does nothing else. */
function isSign({ traits = {} }: Layer): boolean {
  return traits.output === 'signs' && traits.readsSigns !== undefined && traits.product === undefined;
}

/**
 * A model of the same graph, in which each layer became one or a few in a row.
 * @param more layers whose results are outputs, too
 */
function rebuilt(
  model: Model,
  change: (entry: Model['layers'][number]) => readonly Layer[],
  more: readonly string[] = [],
): Model {
  const starts = model.inputs.map(({ name, shape }) => [name, input(shape)] as const);
  const nodes: GraphNode[] = [];
  const nodeAt = (from: number): GraphNode => {
    const node = nodes[from] ?? starts[-1 - from]?.[1];
    if (node === undefined) throw new OptionError('A layer has no input.', { where: model.name });
    return node;
  };
  for (const entry of model.layers) {
    const [first, ...more] = change(entry);
    if (first === undefined) throw new OptionError('A layer became none.', { where: entry.name });
    // Names that were made of kinds stay as they were.
    const name = more.length === 0 ? entry.name : (first.name ?? entry.name);
    const begun = apply(renamed(first, name), ...entry.inputs.map(nodeAt));
    nodes.push(more.reduce((node, layer) => apply(layer, node), begun));
  }
  const output = new Map(model.outputs.map(({ name, from }) => [name, nodeAt(from)] as const));
  for (const [index, { name, outputShape }] of model.layers.entries()) {
    if (!more.includes(name)) continue;
    const node = nodeAt(index);
    output.set(name, outputShape.length === 1 ? node : apply(flatten({ name: `${name}_flat` }), node));
  }
  return makeModel({ input: new Map(starts), output, name: model.name });
}
