/**
 * Which axis of a value is what. ONNX files don't say it: operators do. Standard convolutions and pools have channels second
 * (NCHW), those of QONNX' `channels_last` have them last, and Transpose and Reshape stand between the two. The input is
 * followed to the first operator that tells; from there on each value's axes follow from those of the values before it.
 */
import type { Shape } from '../../gpu/index.ts';
import type { OnnxGraph, OnnxNode, OnnxValueInfo } from './container.ts';

/** A letter for each axis: N batch, C channels or features, D depth, H height, W width or length. */
export type OnnxLayout = string;

/** Axes as they are named where nothing tells: channels second, as most files have them; three are an image without channels. */
const USUAL: Readonly<Record<number, OnnxLayout>> = { 1: 'N', 2: 'NC', 3: 'NHW', 4: 'NCHW', 5: 'NCDHW' };
const FIRST: Readonly<Record<number, OnnxLayout>> = { 3: 'NCW', 4: 'NCHW', 5: 'NCDHW' };
const LAST: Readonly<Record<number, OnnxLayout>> = { 3: 'NWC', 4: 'NHWC', 5: 'NDHWC' };

/** Orders of axes that files have. */
export const LAYOUTS: readonly OnnxLayout[] = [...Object.values(FIRST), ...Object.values(LAST), 'NHW', 'NC'];

/** Standard operators that have channels second. */
const CHANNELS_SECOND = [
  ...['Conv', 'MaxPool', 'AveragePool', 'GlobalAveragePool', 'GlobalMaxPool', 'BatchNormalization'],
  ...['ConvTranspose', 'InstanceNormalization', 'LRN', 'DepthToSpace', 'SpaceToDepth'],
];

/** Where QONNX has convolutions and pools with channels last. */
export const CHANNELS_LAST_DOMAIN = 'qonnx.custom_op.channels_last';

/** What an operator calls the axes of its first input, which are those of its output too; undefined where it takes any. */
function demanded({ operator, domain, texts }: OnnxNode, rank: number): OnnxLayout | undefined {
  if (domain === CHANNELS_LAST_DOMAIN || operator === 'MaxPoolNHWC') return LAST[rank];
  const layout = texts.get('data_layout');
  if (layout !== undefined) return LAYOUTS.find((known) => known === layout && known.length === rank);
  if (CHANNELS_SECOND.includes(operator)) return FIRST[rank];
  // A matrix of weights runs over the last axis.
  return operator === 'MatMul' ? LAST[rank] : undefined;
}

/** A value that comes from the input with its axes moved: which of the input's axes each is, −1 for none of them. */
interface Followed {
  readonly axes: readonly number[];
  readonly dims: readonly number[];
}

const LOOKS_AROUND = ['Reshape', 'Squeeze', 'Unsqueeze', 'Flatten'];

/**
 * The axes of the network's input.
 * @param dims of ONNX, the batch first
 */
export function inputLayout(graph: OnnxGraph, { name }: OnnxValueInfo, dims: readonly number[]): OnnxLayout {
  const rank = dims.length;
  const usual = USUAL[rank] ?? '';
  if (rank < 3) return usual;
  const said = annotatedLayout(graph, name);
  if (said?.length === rank) return said;

  const constants = constantsOf(graph);
  const followed = new Map<string, Followed>([[name, { axes: dims.map((_, axis) => axis), dims }]]);
  for (const node of graph.nodes) {
    const place = node.inputs.findIndex((input) => followed.has(input));
    const value = followed.get(node.inputs[place] ?? '');
    const [output] = node.outputs;
    if (value === undefined || output === undefined) continue;
    const names = place === 0 ? demanded(node, value.axes.length) : undefined;
    if (names !== undefined) return namesOf(value.axes, names, rank);
    const next = after(node, value, constants);
    if (next !== undefined) followed.set(output, next);
  }
  // Nothing tells: an image ends in its colours, or begins with them.
  const isColour = (extent: number | undefined) => extent === 1 || extent === 3 || extent === 4;
  return rank === 4 && isColour(dims[3]) && !isColour(dims[1]) ? 'NHWC' : usual;
}

/** The `tensor_layout` of FINN, a list as Python prints it. */
export function annotatedLayout({ annotations }: OnnxGraph, name: string): OnnxLayout | undefined {
  const letters = annotations.get(name)?.get('tensor_layout')?.match(/[A-Z]/g)?.join('');
  return LAYOUTS.find((layout) => layout === letters);
}

/** The input's own axes by name, from the names that an operator has for those of a value that came of it. */
function namesOf(axes: readonly number[], names: OnnxLayout, rank: number): OnnxLayout {
  const found = new Array<string | undefined>(rank).fill(undefined);
  const rest: string[] = [];
  axes.forEach((axis, place) => {
    const letter = names[place] ?? '';
    if (axis < 0) rest.push(letter);
    else found[axis] = letter;
  });
  // An axis of extent 1 that was left away here and put in there.
  const layout = found.map((letter) => letter ?? rest.shift() ?? '').join('');
  return layout.length === rank && new Set(layout).size === rank ? layout : (USUAL[rank] ?? '');
}

/** What becomes of a value's axes; undefined where that can't be told without its shape. */
function after(
  node: OnnxNode,
  value: Followed,
  constants: ReadonlyMap<string, readonly number[]>,
): Followed | undefined {
  const { axes, dims } = value;
  if (node.operator === 'Transpose') {
    const order = node.numbers.get('perm') ?? dims.map((_, axis) => dims.length - 1 - axis);
    return {
      axes: order.map((axis) => axes[axis] ?? -1),
      dims: order.map((axis) => dims[axis] ?? 1),
    };
  }
  if (node.operator === 'Flatten' || node.operator === 'Shape') return undefined;
  if (!LOOKS_AROUND.includes(node.operator)) return value;
  const given = constants.get(node.inputs[1] ?? '');
  if (node.operator === 'Reshape') {
    const asked = node.numbers.get('shape') ?? given;
    return asked && looked(value, resolved(asked, dims));
  }
  const asked = node.numbers.get('axes') ?? given;
  if (node.operator === 'Squeeze') {
    const gone = asked?.map((axis) => (axis < 0 ? axis + dims.length : axis));
    const kept = dims.filter((extent, axis) => (gone === undefined ? extent !== 1 : !gone.includes(axis)));
    return looked(value, kept);
  }
  if (asked === undefined || asked.length > 4) return undefined;
  const rank = dims.length + asked.length;
  const put = [...dims];
  const places = asked.map((axis) => (axis < 0 ? axis + rank : axis)).sort((a, b) => a - b);
  for (const axis of places) put.splice(axis, 0, 1);
  return looked(value, put);
}

/** A shape as Reshape takes it, with what stands for the rest of it. */
function resolved(asked: readonly number[], dims: readonly number[]): readonly number[] {
  const known = asked.map((extent, axis) => (extent === 0 ? (dims[axis] ?? 0) : extent));
  const product = (list: readonly number[]) => list.reduce((all, extent) => all * extent, 1);
  const rest = product(dims) / product(known.filter((extent) => extent > 0));
  return known.map((extent) => (extent < 0 ? rest : extent));
}

/** The same values under dims that differ in axes of extent 1 alone; undefined where they differ in more. */
function looked({ axes, dims }: Followed, wanted: readonly number[]): Followed | undefined {
  const long = (list: readonly number[]) => list.filter((extent) => extent !== 1).join();
  if (long(dims) !== long(wanted)) return undefined;
  const named = axes.filter((_, place) => dims[place] !== 1);
  // The batch stays first, however long it is.
  const isBatch = dims[0] === 1 && wanted[0] === 1;
  let next = 0;
  return {
    axes: wanted.map((extent, place) =>
      extent === 1 ? (place === 0 && isBatch ? (axes[0] ?? -1) : -1) : (named[next++] ?? -1),
    ),
    dims: wanted,
  };
}

/** Lists of integers that the file has as constants. */
function constantsOf({ nodes, initializers }: OnnxGraph): ReadonlyMap<string, readonly number[]> {
  const lists = new Map<string, readonly number[]>();
  const MOST = 8;
  for (const [name, { data }] of initializers) if (data.length <= MOST) lists.set(name, [...data]);
  for (const { operator, outputs, tensors, numbers } of nodes) {
    if (operator !== 'Constant') continue;
    const data = tensors.get('value')?.data ?? numbers.get('value_ints') ?? [];
    if (data.length <= MOST) lists.set(outputs[0] ?? '', [...data]);
  }
  return lists;
}

/**
 * The axes of a node's result.
 * @param layouts of its inputs, undefined for constants
 * @param rank of the result
 */
export function resultLayout(
  node: OnnxNode,
  layouts: readonly (OnnxLayout | undefined)[],
  before: readonly number[],
  dims: readonly number[],
): OnnxLayout {
  const usual = USUAL[dims.length] ?? '';
  const own = layouts.find((layout) => layout !== undefined);
  if (dims.length < 3 || own === undefined) return usual;
  if (node.operator === 'Transpose') {
    const order = node.numbers.get('perm') ?? dims.map((_, axis) => dims.length - 1 - axis);
    return order.map((axis) => own[axis] ?? '').join('');
  }
  if (LOOKS_AROUND.includes(node.operator)) {
    const axes = before.map((_, axis) => axis);
    const found = looked({ axes, dims: before }, dims)?.axes.map((axis) => own[axis]);
    if (found === undefined) return usual;
    const rest = [...(FIRST[dims.length] ?? '')].filter((letter) => !found.includes(letter));
    return found.map((letter) => letter ?? rest.shift() ?? '').join('');
  }
  const names = node.operator === 'MatMul' ? undefined : demanded(node, dims.length);
  if (names !== undefined) return names;
  const same = layouts.find((layout) => layout?.length === dims.length);
  return same ?? usual;
}

/** Axes of a value in a node of this library: images [height, width, channels], anything else with its channels last. */
export interface Placed {
  readonly shape: Shape;
  /** The node's axis for each of ONNX but the batch. */
  readonly axes: readonly number[];
}

/** Where the axes of an input are in this library's order. */
export function placed(layout: OnnxLayout, dims: readonly number[]): Placed {
  const own = [...layout].slice(1);
  const order = dims.length === 2 ? ['C'] : dims.length === 5 ? ['D', 'H', 'W', 'C'] : ['H', 'W', 'C'];
  return {
    shape: order.map((letter) => dims[own.indexOf(letter) + 1 || dims.length] ?? 1),
    axes: own.map((letter) => order.indexOf(letter)),
  };
}

/** Axes as they are named where nothing tells. */
export const usualLayout = (rank: number): OnnxLayout => USUAL[rank] ?? '';

/**
 * Dims of ONNX with a batch of one for a shape of this library's; undefined where the shape has an axis that they lack.
 * @param shape [height, width, channels] or [features]
 */
export function dimsIn(layout: OnnxLayout, shape: Shape): readonly number[] | undefined {
  const order = shape.length === 1 ? 'C' : 'HWC';
  const isWhole = [...order].every((letter, axis) => layout.includes(letter) || shape[axis] === 1);
  if (!isWhole) return undefined;
  return [...layout].map((letter) => shape[order.indexOf(letter)] ?? 1);
}

/** The axes of ONNX, all but the batch, in this library's order: channels last. */
export function channelsLastOrder(layout: OnnxLayout): readonly number[] {
  const channel = layout.indexOf('C');
  const others = [...layout].flatMap((_, axis) => (axis === 0 || axis === channel ? [] : [axis]));
  return channel < 1 ? others : [...others, channel];
}
