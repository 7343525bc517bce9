/**
 * Models: directed acyclic graphs of layers with inferred shapes. A model is pure description; `Network` gives it
 * weights on a GPU.
 *
 *   const x = input([28, 28, 1]);
 *   const h = apply(quantConv2d({ filters: 32, kernelSize: 3, kernelQuantizer: 'steSign' }), x);
 *   const m = model({ input: x, output: apply(flatten(), h) });
 *
 * or, without branches: `sequential([layer, layer, ...], { input: [28, 28, 1] })`.
 */
import { OptionError } from '../errors.ts';
import type { Shape } from '../gpu/index.ts';
import type { Layer, ParameterSpec } from '../layers/index.ts';
import { summaryText } from './summary.ts';

/** A value in the graph: the result of a layer, or the model's input. Shapes are without the batch axis. */
export interface GraphNode {
  readonly layer: Layer | undefined;
  readonly inputs: readonly GraphNode[];
}

/** A layer in a model, with its name and the places its inputs come from. */
export interface ModelLayer {
  readonly name: string;
  readonly layer: Layer;
  /** Index of each input: a layer of the model, or −1 for the model's input. */
  readonly inputs: readonly number[];
  readonly inputShapes: readonly Shape[];
  readonly outputShape: Shape;
  readonly parameters: readonly ParameterSpec[];
}

export interface Model {
  readonly name: string;
  readonly inputShape: Shape;
  readonly outputShape: Shape;
  /** In an order in which every layer comes after its inputs; the last one is the output. */
  readonly layers: readonly ModelLayer[];
  /** A table of shapes, 1-bit and 32-bit parameters, bytes and multiply-accumulates. */
  summary(): string;
}

interface InputNode extends GraphNode {
  readonly shape: Shape;
}

/** The model's input; `shape` without the batch axis. */
export function input(shape: Shape): GraphNode {
  const node: InputNode = { layer: undefined, inputs: [], shape };
  return node;
}

/** The result of a layer on its inputs. */
export function apply(layer: Layer, ...inputs: readonly GraphNode[]): GraphNode {
  return { layer, inputs };
}

/** A chain of layers. */
export function sequential(
  layers: readonly Layer[],
  options: { readonly input: Shape; readonly name?: string },
): Model {
  const start = input(options.input);
  const output = layers.reduce((node, layer) => apply(layer, node), start);
  return model({ input: start, output, ...(options.name === undefined ? {} : { name: options.name }) });
}

/**
 * Orders the graph between `input` and `output`, names its layers and infers every shape.
 * @throws ShapeError naming the layer whose inputs don't fit; OptionError when a name or a layer is used twice, or the
 *   output doesn't come from the input
 */
export function model(options: {
  readonly input: GraphNode;
  readonly output: GraphNode;
  readonly name?: string;
}): Model {
  const where = options.name ?? 'model';
  if (!isInput(options.input)) {
    throw new OptionError("A model's input is made with input(shape).", { where });
  }
  const index = new Map<GraphNode, number>([[options.input, -1]]);
  const layers: ModelLayer[] = [];
  const used = new Set<Layer>();
  const names = new Set<string>();
  const nameFor = namer(names);

  const shapeOf = (node: GraphNode): Shape => {
    const at = index.get(node) ?? -1;
    return layers[at]?.outputShape ?? (options.input as InputNode).shape;
  };
  for (const node of inOrder(options.output, options.input, where)) {
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
  const result: Model = {
    name: where,
    inputShape: options.input.shape,
    outputShape: shapeOf(options.output),
    layers,
    summary: () => summaryText(result),
  };
  return result;
}

function isInput(node: GraphNode): node is InputNode {
  return node.layer === undefined && 'shape' in node;
}

/** Every node that `output` depends on, each after its inputs; without recursion, so depth has no limit. */
function inOrder(output: GraphNode, start: GraphNode, where: string): GraphNode[] {
  const order: GraphNode[] = [];
  const done = new Set<GraphNode>([start]);
  const stack = [{ node: output, next: 0 }];
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
      throw new OptionError("The output depends on an input that isn't the model's.", { where });
    }
    done.add(top.node);
    order.push(top.node);
    stack.pop();
  }
  if (order.length === 0) throw new OptionError('A model needs at least one layer.', { where });
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
