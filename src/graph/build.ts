/**
 * Making models: directed acyclic graphs of layers with inferred shapes.
 *
 *   const x = input([28, 28, 1]);
 *   const h = apply(quantConv2d({ filters: 32, kernelSize: 3, kernelQuantizer: 'steSign' }), x);
 *   const m = model({ input: x, output: apply(flatten(), h) });
 *
 * or, without branches: `sequential([layer, layer, ...], { input: [28, 28, 1] })`. Several inputs and outputs have names:
 *
 *   const m = model({ input: { image: x, mask: y }, output: { scores, features } });
 */

import { listed, OptionError } from '../errors.ts';
import { describe, type Shape } from '../gpu/index.ts';
import type { Layer } from '../layers/index.ts';
import { assertKnownOptions, assertPresent } from '../options.ts';
import type { Model, ModelInput, ModelLayer, ModelOutput } from './model.ts';
import { summaryText } from './summary.ts';

/** A value in the graph: the result of a layer, or the model's input. Shapes are without the batch axis. */
export interface GraphNode {
  /** What gives it; undefined for an input of the model. */
  readonly layer: Layer | undefined;
  /** What the layer takes, in order; empty for an input. */
  readonly inputs: readonly GraphNode[];
}

interface InputNode extends GraphNode {
  readonly shape: Shape;
}

/**
 * One node, or several: in a list, where outputs are named after their layers, or by name. A Map keeps the order of names
 * that are numbers, which objects put first.
 */
export type GraphNodes =
  | GraphNode
  | readonly GraphNode[]
  | ReadonlyMap<string, GraphNode>
  | Readonly<Record<string, GraphNode>>;

/**
 * A model's input; `shape` without the batch axis.
 * @example
 * ```ts
 * import { apply, concat, input, model } from 'webgpu-bnn';
 *
 * const [picture, age] = [input([64]), input([1])];
 * model({ input: { picture, age }, output: apply(concat(), picture, age) });
 * ```
 */
export function input(shape: Shape): GraphNode {
  assertPresent(shape, 'the shape', 'input', 'every');
  const node: InputNode = { layer: undefined, inputs: [], shape };
  return node;
}

/**
 * The result of a layer on its inputs.
 * @example
 * ```ts
 * import { apply, flatten, input, model } from 'webgpu-bnn';
 *
 * const x = input([28, 28, 1]);
 * model({ input: x, output: apply(flatten(), x) });
 * ```
 */
export function apply(layer: Layer, ...inputs: readonly GraphNode[]): GraphNode {
  assertPresent(layer, 'the layer', 'apply', 'outputShape');
  return { layer, inputs };
}

/**
 * A chain of layers.
 * @example
 * ```ts
 * import { flatten, quantDense, sequential } from 'webgpu-bnn';
 *
 * const network = sequential([flatten(), quantDense({ units: 10, kernelQuantizer: 'steSign' })], {
 *   input: [28, 28, 1],
 * });
 * console.log(network.summary());
 * ```
 */
export function sequential(
  layers: readonly Layer[],
  options: { readonly input: Shape; readonly name?: string },
): Model {
  const where = 'sequential';
  assertPresent(layers, 'the layers', where, 'reduce');
  assertKnownOptions(options, ['input', 'name'], where);
  const start = input(options.input);
  const output = layers.reduce((node, layer) => apply(layer, node), start);
  return model({ input: start, output, ...(options.name === undefined ? {} : { name: options.name }) });
}

/**
 * Orders the graph between inputs and outputs, names its layers and infers every shape.
 * @param options.input one node, a list, or nodes by name; of a list, they are called `input_1`, `input_2` ...
 * @param options.output one node, a list, or nodes by name; of a list, they are called as their layers are
 * @throws ShapeError naming the layer whose inputs don't fit; OptionError when a name or a layer is used twice, or an
 *   output doesn't come from the inputs
 * @example model({ input: [image, mask], output: { scores, features } })
 */
export function model(options: {
  readonly input: GraphNodes;
  readonly output: GraphNodes;
  readonly name?: string;
}): Model {
  const where = options?.name ?? 'model';
  const starts = namedNodes(options?.input, 'input', where);
  const ends = namedNodes(options?.output, 'output', where);
  const index = new Map<GraphNode, number>();
  const inputs = starts.map(([name, node], position): ModelInput => {
    if (!isInput(node) || index.has(node)) {
      throw new OptionError(
        index.has(node) ? 'An input is named twice.' : "A model's input is made with input(shape).",
        { given: name, where },
      );
    }
    index.set(node, -1 - position);
    return { name: name ?? (starts.length === 1 ? 'input' : `input_${position + 1}`), shape: node.shape };
  });
  const layers: ModelLayer[] = [];
  const used = new Set<Layer>();
  const names = new Set<string>();
  const nameFor = namer(names);

  const shapeOf = (node: GraphNode): Shape => {
    const at = index.get(node) ?? -1;
    return layers[at]?.outputShape ?? inputs[-1 - at]?.shape ?? [];
  };
  for (const node of inOrder(
    ends.map(([, node]) => node),
    index,
    where,
  )) {
    const { layer } = node;
    if (layer === undefined) continue;
    const name = layer.name ?? nameFor(layer.kind);
    if (names.has(name) || used.has(layer)) {
      throw new OptionError(names.has(name) ? 'Two layers have the same name.' : 'A layer is used twice.', {
        given: name,
        where,
        remedy: 'make a second layer',
      });
    }
    names.add(name);
    used.add(layer);
    const inputShapes = node.inputs.map(shapeOf);
    const outputShape = layer.outputShape(inputShapes, name);
    index.set(node, layers.length);
    layers.push({
      name,
      layer,
      inputs: node.inputs.map((from) => index.get(from) ?? -1),
      inputShapes,
      outputShape,
      parameters: layer.parameters(inputShapes),
    });
  }
  const outputs = ends.map(([name, node]): ModelOutput => {
    const from = index.get(node) ?? -1;
    if (from < 0) {
      throw new OptionError('A model needs at least one layer, and each output is the result of one.', {
        given: name ?? 'an input as an output',
        where,
      });
    }
    return {
      name: name ?? (ends.length === 1 ? 'output' : (layers[from]?.name ?? '')),
      shape: shapeOf(node),
      from,
    };
  });
  const twice = outputs.find(({ name }, at) => outputs.findIndex((other) => other.name === name) < at);
  if (twice !== undefined) {
    throw new OptionError('Two outputs have the same name.', {
      given: twice.name,
      where,
      remedy: 'name them: output: { first: a, second: b }',
    });
  }
  const result: Model = {
    name: where,
    inputs,
    outputs,
    inputShape: inputs[0]?.shape ?? [],
    outputShape: outputs[0]?.shape ?? [],
    layers,
    summary: () => summaryText(result),
  };
  return result;
}

/** Nodes with their names, as far as they are given. @throws OptionError for what is no node */
function namedNodes(
  given: GraphNodes,
  what: string,
  where: string,
): [name: string | undefined, node: GraphNode][] {
  const named: [string | undefined, unknown][] =
    isNode(given) || typeof given !== 'object' || given === null
      ? [[undefined, given]]
      : Array.isArray(given)
        ? given.map((node) => [undefined, node])
        : given instanceof Map
          ? [...given]
          : Object.entries(given);
  if (
    named.length > 0 &&
    named.every((entry): entry is [string | undefined, GraphNode] => isNode(entry[1]))
  ) {
    return named;
  }
  throw new OptionError(`A model's ${what} is no node of a graph.`, {
    given:
      named.length === 0 ? 'none' : listed(named.map(([name, node]) => `${name ?? what}: ${kindOf(node)}`)),
    expected: `what input(shape) or apply(layer, ...nodes) gives`,
    where,
  });
}

function kindOf(value: unknown): string {
  if (isNode(value)) return 'a node';
  if (Array.isArray(value)) return 'a list';
  return value === null ? 'null' : typeof value;
}

function isNode(value: unknown): value is GraphNode {
  return (
    typeof value === 'object' &&
    value !== null &&
    'layer' in value &&
    'inputs' in value &&
    Array.isArray(value.inputs)
  );
}

function isInput(node: GraphNode): node is InputNode {
  return node.layer === undefined && 'shape' in node;
}

/** Every node that `outputs` depend on, each after its inputs; without recursion, so depth has no limit. */
function inOrder(
  outputs: readonly GraphNode[],
  starts: ReadonlyMap<GraphNode, number>,
  where: string,
): GraphNode[] {
  const order: GraphNode[] = [];
  const done = new Set<GraphNode>(starts.keys());
  const stack = outputs.toReversed().map((node) => ({ node, next: 0 }));
  while (stack.length > 0) {
    const top = stack[stack.length - 1];
    if (top === undefined) break;
    if (done.has(top.node)) {
      stack.pop();
      continue;
    }
    const pending = top.node.inputs[top.next];
    if (pending !== undefined) {
      top.next += 1;
      if (!done.has(pending)) stack.push({ node: pending, next: 0 });
      continue;
    }
    if (isInput(top.node)) {
      throw new OptionError("The output depends on an input that isn't the model's.", {
        given: describe(top.node.shape),
        where,
        remedy: 'name all of them: model({ input: [a, b], output })',
      });
    }
    done.add(top.node);
    order.push(top.node);
    stack.pop();
  }
  return order;
}

/** Gives names such as `quantDense_2`, counting each kind, and passing over those that are taken. */
function namer(taken: ReadonlySet<string>): (kind: string) => string {
  const counts = new Map<string, number>();
  return (kind) => {
    let name: string;
    do {
      const count = (counts.get(kind) ?? 0) + 1;
      counts.set(kind, count);
      name = `${kind}_${count}`;
    } while (taken.has(name));
    return name;
  };
}
