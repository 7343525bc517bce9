/**
 * What the rules of all operators share: the graph that is being built, with names and values of its parameters, and how
 * what is pending on a value is made real where an operator can't carry it along.
 */
import { FormatError } from '../../errors.ts';
import { sizeOf } from '../../gpu/index.ts';
import { apply, type GraphNode } from '../../graph/index.ts';
import {
  affine,
  elementwiseAffine,
  flatten,
  type Layer,
  pad2d,
  reshape,
  transpose,
} from '../../layers/index.ts';
import { permuteAxes } from '../../numerics/axes.ts';
import type { OnnxNode } from './container.ts';
import { Names } from './names.ts';
import {
  type Activation,
  activation,
  type Constant,
  compose,
  isPending,
  isUniform,
  pendingOf,
  refused,
  type Value,
} from './values.ts';

/** Where channels, height and width are in a node [height, width, channels]. */
const IMAGE_AXES = [2, 0, 1];
/** As many as in this library's own files. */
const MOST_LAYERS = 4096;

type ParameterFloats = Readonly<Record<string, Float32Array<ArrayBuffer>>>;

/** What becomes of a node of the file. Inputs that are left away are undefined. */
export type Rule = (importer: Importer, node: OnnxNode, inputs: readonly (Value | undefined)[]) => Value;

export class Importer {
  readonly values = new Map<string, Float32Array<ArrayBuffer>>();
  /** What became of the nodes that are no layer any more. */
  readonly folded: string[] = [];
  /** Version of the standard operators. */
  readonly opset: number;
  readonly #names = new Names();
  /** Numbers that may still be made. */
  #left: number;
  #layers = 0;
  /** Set by a TopK at the end. */
  output: 'scores' | 'labels' = 'scores';

  /** @param most numbers that all nodes together may make: constants, scales and shifts by channel, parameters */
  constructor(opset: number, most: number) {
    this.opset = opset;
    this.#left = most;
  }

  /** Counts numbers that were made. @throws FormatError where they are more than the file's size allows */
  spend(name: string, numbers: number): void {
    this.#left -= numbers;
    if (this.#left >= 0) return;
    throw new FormatError('Reading this ONNX file would take more memory than its size allows.', {
      given: 'more numbers would be made from its constants than networks of this size have',
      where: name,
    });
  }

  /** Adds a layer with the values of its parameters, under the name of a node. */
  layer(
    name: string,
    make: (name: string) => Layer,
    from: GraphNode | readonly GraphNode[],
    values: ParameterFloats = {},
  ): GraphNode {
    this.#layers += 1;
    if (this.#layers > MOST_LAYERS) {
      throw new FormatError('This ONNX file has more layers than networks have.', {
        given: `more than ${MOST_LAYERS}`,
        expected: `${MOST_LAYERS} at most`,
        where: name,
      });
    }
    const free = this.#names.free(name);
    for (const [key, value] of Object.entries(values)) {
      this.spend(free, value.length);
      this.values.set(`${free}/${key}`, value);
    }
    return apply(make(free), ...(Array.isArray(from) ? (from as readonly GraphNode[]) : [from as GraphNode]));
  }

  /** A layer that gives a value of the same shape with nothing pending. */
  alike(
    node: OnnxNode,
    make: (name: string) => Layer,
    value: Activation,
    values: Activation['values'],
    parameters: ParameterFloats = {},
  ): Activation {
    const made = this.layer(node.name, make, value.node, parameters);
    return { ...activation(made, value.dims, value.axes, value.shape, values), order: value.order };
  }

  /** A value that depends on the input, with no frame pending. */
  activation(node: OnnxNode, value: Value | undefined): Activation {
    return this.framed(node, this.raw(node, value));
  }

  /** A value that depends on the input, as it is. */
  raw(node: OnnxNode, value: Value | undefined): Activation {
    if (value?.kind === 'activation') return value;
    throw refused(node, 'a constant stands where the network should');
  }

  /** The same value with its frame put around it. */
  framed({ name }: { readonly name: string }, value: Activation): Activation {
    const { frame } = value;
    if (frame === undefined) return value;
    const { padding, value: filling } = frame;
    const made = this.layer(
      `${name}_pad`,
      (given) => pad2d({ name: given, padding, value: filling }),
      value.node,
    );
    const [height = 1, width = 1, channels = 1] = value.shape;
    const [[top, bottom], [left, right]] = padding;
    const shape = [height + top + bottom, width + left + right, channels];
    const whole = Number.isInteger(filling) && value.values !== 'reals' ? 'integers' : 'reals';
    const isSign = value.values === 'signs' && Math.abs(filling) === 1;
    const result = activation(made, value.dims, value.axes, shape, isSign ? 'signs' : whole);
    return { ...result, scale: value.scale, shift: value.shift };
  }

  /** The same value with no scale and shift pending. */
  scaled({ name }: { readonly name: string }, given: Activation): Activation {
    const value = this.framed({ name }, given);
    if (!isPending(value)) return value;
    const node = this.layer(`${name}_scale`, (own) => affine({ name: own }), value.node, {
      scale: Float32Array.from(value.scale),
      shift: Float32Array.from(value.shift),
    });
    return {
      ...activation(node, value.dims, value.axes, value.shape, 'reals'),
      order: value.order,
      grid: value.grid,
    };
  }

  /** The same value with its features in ONNX' order. */
  ordered({ name }: { readonly name: string }, value: Activation): Activation {
    if (value.order === undefined) return value;
    const { shape, permutation } = value.order;
    const image = this.layer(`${name}_unflat`, (own) => reshape({ name: own, shape }), value.node);
    const turned = this.layer(`${name}_order`, (own) => transpose({ name: own, permutation }), image);
    const node = this.layer(`${name}_flat`, (own) => flatten({ name: own }), turned);
    const back = (row: Float64Array<ArrayBuffer>) => {
      const result = new Float64Array(row.length);
      value.order?.places.forEach((place, feature) => {
        result[place] = row[feature] ?? 0;
      });
      return result;
    };
    return { ...value, node, scale: back(value.scale), shift: back(value.shift), order: undefined };
  }

  /** The same value in a node whose axes are these of ONNX, all but the batch, in this order. */
  arranged(where: { readonly name: string }, given: Activation, wanted: readonly number[]): Activation {
    let value = this.ordered(where, this.framed(where, given));
    const { axes, shape, dims } = value;
    const isSame =
      shape.length === wanted.length && wanted.every((axis, place) => (axes[axis - 1] ?? -1) === place);
    if (isSame) return value;
    const channelAxis = axes.indexOf(shape.length - 1) + 1;
    const keepsChannels = channelAxis === wanted.at(-1);
    if (!keepsChannels && !isUniform(value)) value = this.scaled(where, value);

    const target = wanted.map((axis) => dims[axis] ?? 1);
    const permutation = wanted.map((axis) => axes[axis - 1] ?? -1).filter((axis) => axis >= 0);
    const moving = permutation.filter((axis) => shape[axis] !== 1);
    let { node } = value;
    let current = shape;
    if (moving.some((axis, place) => place > 0 && axis < (moving[place - 1] ?? 0))) {
      // Only axes longer than 1 really move: the others are put where they belong by the reshaping that follows.
      const long = [...moving].sort((a, b) => a - b);
      const own = long.map((axis) => shape[axis] ?? 1);
      if (own.length !== shape.length) {
        node = this.layer(`${where.name}_long`, (name) => reshape({ name, shape: own }), node);
      }
      const turn = moving.map((axis) => long.indexOf(axis));
      node = this.layer(`${where.name}_layout`, (name) => transpose({ name, permutation: turn }), node);
      current = turn.map((axis) => own[axis] ?? 1);
    }
    if (current.join() !== target.join()) {
      node = this.layer(`${where.name}_shape`, (name) => reshape({ name, shape: target }), node);
    }
    const places = dims.slice(1).map((_, index) => wanted.indexOf(index + 1));
    return {
      ...activation(node, dims, places, target, value.values),
      ...pendingOf(value, target.at(-1) ?? 1),
      grid: value.grid,
    };
  }

  /** The same value in a node [height, width, channels], what convolutions and pools take; its frame may stay pending. */
  image(node: OnnxNode, value: Activation): Activation {
    if (value.dims.length !== 4) throw refused(node, `its input has the shape [${value.dims.join(', ')}]`);
    // An axis of extent 1 that the node has and ONNX lacks is as good as its own.
    const isImage =
      value.shape.length === 3 &&
      IMAGE_AXES.every((axis, index) => {
        const own = value.axes[index];
        return own === axis || (own === -1 && value.shape[axis] === 1);
      });
    return isImage ? { ...value, axes: IMAGE_AXES } : this.arranged(node, value, [2, 3, 1]);
  }

  /** The same value in a node whose last axis is this one of ONNX. */
  withLast(where: { readonly name: string }, value: Activation, axis: number): Activation {
    const { axes, shape } = value;
    if (axes[axis - 1] === shape.length - 1) return value;
    const others = axes.map((_, index) => index + 1).filter((other) => other !== axis);
    const inNode = others.sort((a, b) => (axes[a - 1] ?? 0) - (axes[b - 1] ?? 0));
    return this.arranged(where, value, [...inNode, axis]);
  }

  /** Rows [length, channels] as an image of one row; anything else as it is. */
  rows(node: OnnxNode, value: Activation): Activation {
    const { shape } = value;
    if (shape.length !== 2) return value;
    const image = [1, ...shape];
    const made = this.layer(`${node.name}_row`, (name) => reshape({ name, shape: image }), value.node);
    return {
      ...value,
      node: made,
      shape: image,
      axes: value.axes.map((axis) => (axis < 0 ? axis : axis + 1)),
    };
  }

  /** A constant as one number for each channel of a value, whose channels are made to be the axis that it varies along. */
  byChannel(
    node: OnnxNode,
    given: Activation,
    constant: Constant,
  ): { value: Activation; row: Float64Array<ArrayBuffer> } {
    const { data, dims } = constant;
    const first = given.dims.length - dims.length;
    const varying = dims.flatMap((extent, axis) => (extent === 1 ? [] : [axis]));
    const [axis] = varying;
    if (first < 0 && data.length !== 1)
      throw refused(node, `[${dims.join(', ')}] has more axes than the value`);
    if (axis === undefined) {
      return { value: given, row: new Float64Array(given.scale.length).fill(data[0] ?? 0) };
    }
    const own = axis + first;
    if (varying.length > 1 || own < 1 || given.dims[own] !== dims[axis]) {
      throw refused(
        node,
        `a constant of shape [${dims.join(', ')}] isn't one number a channel of [${given.dims.join(', ')}]`,
      );
    }
    const value = this.withLast(node, given, own);
    const { order } = value;
    return { value, row: order === undefined ? data : data.map((_, i) => data[order.places[i] ?? 0] ?? 0) };
  }

  /** value·scale + shift of one step each channel, from a row of constants. */
  stepped(
    node: OnnxNode,
    given: Activation,
    constant: Constant,
    step: (number: number) => readonly [scale: number, shift: number],
  ): Activation {
    if (constant.dims.filter((extent) => extent !== 1).length > 1) {
      return this.#everywhere(node, given, constant, step);
    }
    const { value, row } = this.byChannel(node, given, constant);
    this.folded.push(node.name);
    return compose(value, (channel) => {
      const made = step(row[channel] ?? 0);
      if (!made.every(Number.isFinite)) throw refused(node, 'a scale or a shift is not finite');
      return made;
    });
  }

  /** A step of its own for every value: constants that vary along several axes. */
  #everywhere(
    node: OnnxNode,
    given: Activation,
    { data, dims }: Constant,
    step: (number: number) => readonly [scale: number, shift: number],
  ): Activation {
    const value = this.scaled(node, this.ordered(node, given));
    const first = value.dims.length - dims.length;
    const fits = dims.every(
      (extent, axis) => extent === 1 || (axis + first > 0 && extent === value.dims[axis + first]),
    );
    if (first < 0 || !fits) {
      throw refused(node, `a constant of shape [${dims.join(', ')}] on [${value.dims.join(', ')}]`);
    }
    // Where each of the node's axes goes on in the constant.
    const strides = new Array<number>(value.shape.length).fill(0);
    let stride = 1;
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      const own = value.axes[axis + first - 1] ?? -1;
      if (dims[axis] !== 1 && own >= 0) strides[own] = stride;
      stride *= dims[axis] ?? 1;
    }
    const size = sizeOf(value.shape);
    this.spend(node.name, 2 * size);
    const [scale, shift] = [new Float32Array(size), new Float32Array(size)];
    for (let i = 0; i < size; i++) {
      let [place, rest] = [0, i];
      for (let axis = value.shape.length - 1; axis >= 0; axis--) {
        const extent = value.shape[axis] ?? 1;
        place += (rest % extent) * (strides[axis] ?? 0);
        rest = Math.floor(rest / extent);
      }
      const [times, plus] = step(data[place] ?? 0);
      if (!Number.isFinite(times) || !Number.isFinite(plus))
        throw refused(node, 'a scale or a shift is not finite');
      scale[i] = times;
      shift[i] = plus;
    }
    return this.alike(node, (name) => elementwiseAffine({ name }), value, 'reals', { scale, shift });
  }

  /** The same values under other dims, the batch kept. */
  reshaped(node: OnnxNode, value: Activation, dims: readonly number[]): Activation {
    this.folded.push(node.name);
    const long = (axes: readonly number[]) => axes.slice(1).filter((extent) => extent !== 1);
    if (dims[0] !== value.dims[0] || dims.length < 2) throw refused(node, 'it takes the batch apart');
    if (long(dims).join() === long(value.dims).join()) {
      const named = value.axes.filter((_, index) => value.dims[index + 1] !== 1);
      let next = 0;
      return {
        ...value,
        dims,
        axes: dims.slice(1).map((extent) => (extent === 1 ? -1 : (named[next++] ?? -1))),
      };
    }
    if (dims.length === 2) return this.#flat(node, value, dims);
    const { length } = value.axes;
    const inOrder = this.arranged(
      node,
      value,
      Array.from({ length }, (_, axis) => axis + 1),
    );
    const plain = isUniform(inOrder) ? inOrder : this.scaled(node, inOrder);
    const shape = dims.slice(1);
    const made = this.layer(node.name, (name) => reshape({ name, shape }), plain.node);
    return {
      ...activation(
        made,
        dims,
        shape.map((_, axis) => axis),
        shape,
        plain.values,
      ),
      ...pendingOf(plain, shape.at(-1) ?? 1),
    };
  }

  /** An image made flat: its node's values stay where they are, and `order` tells where ONNX has them. */
  #flat(node: OnnxNode, given: Activation, dims: readonly number[]): Activation {
    const value = this.ordered(node, given);
    const { shape } = value;
    const size = sizeOf(shape);
    const named = value.axes.filter((axis) => axis >= 0);
    const unnamed = shape.map((_, axis) => axis).filter((axis) => !named.includes(axis));
    const permutation = [...named, ...unnamed];
    const made = this.layer(node.name, (name) => flatten({ name }), value.node);
    const result = activation(made, dims, [0], [size], value.values);
    const channels = shape.at(-1) ?? 1;
    const spread = (row: Float64Array<ArrayBuffer>) =>
      Float64Array.from({ length: size }, (_, i) => row[i % channels] ?? 0);
    const moving = permutation.filter((axis) => shape[axis] !== 1);
    const isInOrder = moving.every((axis, place) => place === 0 || axis > (moving[place - 1] ?? 0));
    const places = new Int32Array(isInOrder ? 0 : size);
    if (!isInOrder) {
      const features = Int32Array.from({ length: size }, (_, i) => i);
      permuteAxes(features, shape, permutation).forEach((feature, place) => {
        places[feature] = place;
      });
    }
    return {
      ...result,
      scale: spread(value.scale),
      shift: spread(value.shift),
      order: isInOrder ? undefined : { shape, permutation, places },
    };
  }
}
