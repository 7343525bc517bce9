/**
 * What flows along the edges of an ONNX graph while it is read: constants, and values that depend on the network's input.
 * The latter carry along what isn't computed yet: one scale and one shift a channel, and how ONNX' axes lie in the node.
 */
import { FormatError } from '../../errors.ts';
import { type Shape, sizeOf } from '../../gpu/index.ts';
import type { GraphNode } from '../../graph/index.ts';
import type { Frame } from '../../ops/movement.ts';
import type { OnnxNode, OnnxTensor } from './container.ts';

type Reals = Float64Array<ArrayBuffer>;

export interface Constant extends OnnxTensor {
  readonly kind: 'constant';
  /** All values are integers times this: weights of several bits. */
  readonly step?: number | undefined;
}

/** node·scale + shift, by channel of the node. */
export interface Activation {
  readonly kind: 'activation';
  readonly node: GraphNode;
  /** As ONNX has them, the batch first. */
  readonly dims: readonly number[];
  /** Of the graph's node, without the batch: channels last, [features] or [height, width, channels] mostly. */
  readonly shape: Shape;
  /** The node's axis that each axis of ONNX but the batch is; −1 for one of extent 1 that the node doesn't have. */
  readonly axes: readonly number[];
  /** One for each channel of the node, its last axis. */
  readonly scale: Reals;
  readonly shift: Reals;
  /** What the node's own values are. */
  readonly values: 'reals' | 'integers' | 'signs';
  /** How the features of an image that was made flat stand in the node, where not in ONNX' order. */
  readonly order: FlatOrder | undefined;
  /** Padding that a convolution may take over. */
  readonly frame: PendingFrame | undefined;
  /** What the values were quantized by last, if nothing happened since. */
  readonly grid: string | undefined;
}

export interface FlatOrder {
  /** The node's features are these axes, made flat; ONNX has them in the order of `permutation`. */
  readonly shape: Shape;
  readonly permutation: readonly number[];
  /** Where each of the node's features stands in ONNX. */
  readonly places: Int32Array<ArrayBuffer>;
}

export interface PendingFrame {
  readonly padding: Frame;
  /** In units of the node. */
  readonly value: number;
}

export type Value = Activation | Constant;

/** Elements of a constant that broadcasting alone makes, at most; of an activation; of what is kept by channel. */
const MOST_REPEATED = 2 ** 20;
const MOST_ELEMENTS = 2 ** 26;
const MOST_CHANNELS = 2 ** 22;

/** A value with nothing pending. @throws FormatError when it is larger than networks are */
export function activation(
  node: GraphNode,
  dims: readonly number[],
  axes: readonly number[],
  shape: Shape,
  values: Activation['values'],
): Activation {
  const channels = shape.at(-1) ?? 1;
  if (sizeOf(shape) > MOST_ELEMENTS || channels > MOST_CHANNELS) {
    throw new FormatError('A value is larger than networks are.', {
      given: `[${shape.join(', ')}]`,
      expected: `${MOST_ELEMENTS} elements and ${MOST_CHANNELS} channels at most`,
      where: 'ONNX',
    });
  }
  return {
    kind: 'activation',
    ...{ node, dims, shape, axes, values },
    scale: new Float64Array(channels).fill(1),
    shift: new Float64Array(channels),
    order: undefined,
    frame: undefined,
    grid: undefined,
  };
}

/** A node that can't be imported, and why. */
export function refused(node: OnnxNode, reason: string, remedy?: string): FormatError {
  return new FormatError('This ONNX node is not supported as it is.', {
    given: `${node.operator}: ${reason}`,
    where: node.name,
    remedy,
  });
}

export function constantOf(node: OnnxNode, value: Value | undefined): Constant {
  if (value?.kind === 'constant') return value;
  throw refused(node, 'a constant is missing');
}

/** The only number of a constant. */
export function scalarOf(node: OnnxNode, value: Value | undefined): number {
  const { data } = constantOf(node, value);
  const [only] = data;
  if (only === undefined || data.length !== 1)
    throw refused(node, `${data.length} numbers stand where one should`);
  return only;
}

export function numberOf(node: OnnxNode, name: string, otherwise: number): number {
  return node.numbers.get(name)?.[0] ?? otherwise;
}

/** An axis that may be counted from the end. @throws FormatError when there is no such axis */
export function axisOf(node: OnnxNode, axis: number, rank: number): number {
  const found = axis < 0 ? axis + rank : axis;
  if (Number.isInteger(found) && found >= 0 && found < rank) return found;
  throw refused(node, `there is no axis ${axis} among ${rank}`);
}

/** value·scale + shift, pending. */
export function compose(
  value: Activation,
  step: (channel: number) => readonly [scale: number, shift: number],
): Activation {
  const scale = new Float64Array(value.scale.length);
  const shift = new Float64Array(value.scale.length);
  for (const [channel, own] of value.scale.entries()) {
    const [times, plus] = step(channel);
    scale[channel] = own * times;
    shift[channel] = (value.shift[channel] ?? 0) * times + plus;
  }
  return { ...value, scale, shift, grid: undefined };
}

export function isPending({ scale, shift }: Activation): boolean {
  return scale.some((own) => own !== 1) || shift.some((own) => own !== 0);
}

/** Whether all channels have the same scale and shift. */
export function isUniform({ scale, shift }: Activation): boolean {
  return scale.every((own) => own === scale[0]) && shift.every((own) => own === shift[0]);
}

/** The pending scale and shift of another value, which must be one of each or fit its channels. */
export function pendingOf(value: Activation, channels: number): Pick<Activation, 'scale' | 'shift'> {
  if (value.scale.length === channels) return { scale: value.scale, shift: value.shift };
  return {
    scale: new Float64Array(channels).fill(value.scale[0] ?? 1),
    shift: new Float64Array(channels).fill(value.shift[0] ?? 0),
  };
}

/** Arithmetic of constants with broadcasting. */
export function broadcast(
  node: OnnxNode,
  a: Constant,
  b: Constant,
  f: (x: number, y: number) => number,
): Constant {
  const rank = Math.max(a.dims.length, b.dims.length);
  const extents = (dims: readonly number[]) => [...new Array<number>(rank - dims.length).fill(1), ...dims];
  const [left, right] = [extents(a.dims), extents(b.dims)];
  const dims = left.map((extent, axis) => {
    const other = right[axis] ?? 1;
    if (extent !== other && extent !== 1 && other !== 1) throw refused(node, "its constants don't fit");
    return extent === 1 ? other : extent;
  });
  const size = sizeOf(dims);
  if (size > MOST_REPEATED && size > a.data.length + b.data.length)
    throw refused(node, `its result would have ${size} elements`);
  const at = (own: readonly number[], index: number) => {
    let [place, stride, rest] = [0, 1, index];
    for (let axis = rank - 1; axis >= 0; axis--) {
      const extent = dims[axis] ?? 1;
      if (own[axis] !== 1) place += (rest % extent) * stride;
      stride *= own[axis] ?? 1;
      rest = Math.floor(rest / extent);
    }
    return place;
  };
  const data = Float64Array.from({ length: size }, (_, i) =>
    f(a.data[at(left, i)] ?? 0, b.data[at(right, i)] ?? 0),
  );
  return { kind: 'constant', dims, data };
}
