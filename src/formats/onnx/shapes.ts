/** Rules that move values, or only say how they are looked at; and constants. */
import { sizeOf } from '../../gpu/index.ts';
import { concat, slice } from '../../layers/index.ts';
import { permuteAxes, slicePlaces } from '../../numerics/axes.ts';
import type { Frame } from '../../ops/movement.ts';
import type { OnnxNode } from './container.ts';
import type { Importer, Rule } from './importer.ts';
import {
  type Activation,
  activation,
  axisOf,
  type Constant,
  constantOf,
  numberOf,
  refused,
  scalarOf,
  type Value,
} from './values.ts';
import { turned, withoutRow, withRow } from './views.ts';

function given(node: OnnxNode, value: Value | undefined): Value {
  if (value === undefined) throw refused(node, 'its input is missing');
  return value;
}

/** Other dims for a value, the same number of elements. */
function withDims(
  importer: Importer,
  node: OnnxNode,
  value: Value,
  asked: readonly number[],
  zeroIsZero = false,
): Value {
  const size = sizeOf(value.dims);
  const known = asked.map((extent, axis) => (extent === 0 && !zeroIsZero ? (value.dims[axis] ?? 0) : extent));
  const open = known.filter((extent) => extent < 0).length;
  const rest = size / sizeOf(known.filter((extent) => extent >= 0));
  const dims = known.map((extent) => (extent < 0 ? rest : extent));
  if (open > 1 || dims.length > 8 || sizeOf(dims) !== size || !dims.every(Number.isSafeInteger)) {
    throw refused(node, `[${value.dims.join(', ')}] can't become [${asked.join(', ')}]`);
  }
  if (value.kind === 'constant') return { ...value, dims };
  return importer.reshaped(node, importer.activation(node, value), dims);
}

const reshape: Rule = (importer, node, [x, shape]) =>
  withDims(
    importer,
    node,
    given(node, x),
    node.numbers.get('shape') ?? [...constantOf(node, shape).data],
    numberOf(node, 'allowzero', 0) !== 0,
  );

const flatten: Rule = (importer, node, [x]) => {
  const value = given(node, x);
  const axis = numberOf(node, 'axis', 1);
  if (axis !== 1 && axis + value.dims.length !== 1) throw refused(node, `its axis is ${axis}`);
  return withDims(importer, node, value, [value.dims[0] ?? 1, -1]);
};

function axesOf(node: OnnxNode, inputs: readonly (Value | undefined)[]): readonly number[] {
  return node.numbers.get('axes') ?? (inputs[1] === undefined ? [] : [...constantOf(node, inputs[1]).data]);
}

const squeeze: Rule = (importer, node, inputs) => {
  const value = given(node, inputs[0]);
  const axes = axesOf(node, inputs).map((axis) => axisOf(node, axis, value.dims.length));
  if (axes.some((axis) => value.dims[axis] !== 1)) throw refused(node, 'an axis is not 1 long');
  const dims = value.dims.filter((extent, axis) => extent !== 1 || (axes.length > 0 && !axes.includes(axis)));
  return withDims(importer, node, value, dims);
};

const unsqueeze: Rule = (importer, node, inputs) => {
  const value = given(node, inputs[0]);
  const asked = axesOf(node, inputs);
  const rank = value.dims.length + asked.length;
  if (rank > 8) throw refused(node, `its result has ${rank} axes`);
  const dims = [...value.dims];
  for (const axis of asked.map((own) => axisOf(node, own, rank)).sort((a, b) => a - b))
    dims.splice(axis, 0, 1);
  return withDims(importer, node, value, dims);
};

const transpose: Rule = (importer, node, [x]) => {
  const value = given(node, x);
  const { dims } = value;
  const permutation = node.numbers.get('perm') ?? dims.map((_, axis) => dims.length - 1 - axis);
  const inOrder = [...permutation].sort((a, b) => a - b);
  if (inOrder.length !== dims.length || inOrder.some((axis, index) => axis !== index)) {
    throw refused(node, `[${permutation.join(', ')}] is no order of ${dims.length} axes`);
  }
  const turned = permutation.map((axis) => dims[axis] ?? 1);
  if (value.kind === 'constant') {
    return { ...value, dims: turned, data: Float64Array.from(permuteAxes(value.data, dims, permutation)) };
  }
  if (permutation[0] !== 0) throw refused(node, 'it moves the batch');
  const plain = importer.activation(node, value);
  importer.folded.push(node.name);
  return { ...plain, dims: turned, axes: permutation.slice(1).map((axis) => plain.axes[axis - 1] ?? -1) };
};

const concatenation: Rule = (importer, node, inputs) => {
  const [first] = inputs;
  if (first === undefined) throw refused(node, 'it has no inputs');
  const axis = axisOf(node, numberOf(node, 'axis', 0), first.dims.length);
  if (inputs.every((part) => part?.kind === 'constant')) {
    const parts = inputs.map((part) => constantOf(node, part));
    if (parts.some(({ dims }) => dims.length !== 1))
      throw refused(node, 'only lists of constants are put together');
    const data = Float64Array.from(parts.flatMap((part) => [...part.data]));
    return { kind: 'constant', dims: [data.length], data };
  }
  if (axis < 1) throw refused(node, 'it puts samples together');
  const parts = inputs.map((part) => {
    const value = importer.ordered(node, importer.activation(node, part));
    const isSame = value.dims.every((extent, other) => other === axis || extent === first.dims[other]);
    if (!isSame || value.dims.length !== first.dims.length) throw refused(node, "its inputs don't fit");
    const others = value.dims.flatMap((_, other) => (other === 0 || other === axis ? [] : [other]));
    return importer.arranged(node, value, [...others, axis]);
  });
  const [head] = parts;
  if (head === undefined) throw refused(node, 'it has no inputs');
  const width = parts.reduce((sum, { shape }) => sum + (shape.at(-1) ?? 1), 0);
  const kinds = new Set(parts.map(({ values }) => values));
  const values: Activation['values'] =
    kinds.size === 1 ? head.values : kinds.has('reals') ? 'reals' : 'integers';
  const join = (rows: readonly Float64Array<ArrayBuffer>[]) => {
    const all = new Float64Array(width);
    let start = 0;
    for (const row of rows) {
      all.set(row, start);
      start += row.length;
    }
    return all;
  };
  const shape = [...head.shape.slice(0, -1), width];
  const dims = head.dims.map((extent, other) => (other === axis ? width : extent));
  const made = importer.layer(
    node.name,
    (name) => concat({ name }),
    parts.map((part) => part.node),
  );
  return {
    ...activation(made, dims, head.axes, shape, values),
    scale: join(parts.map(({ scale }) => scale)),
    shift: join(parts.map(({ shift }) => shift)),
  };
};

const pad: Rule = (importer, node, [x, by, filling, along]) => {
  const value = importer.activation(node, x);
  const rank = value.dims.length;
  const mode = node.texts.get('mode') ?? 'constant';
  // `paddings` in the operator's first version.
  const pads = node.numbers.get('pads') ?? node.numbers.get('paddings') ?? [...constantOf(node, by).data];
  const axes = along === undefined ? value.dims.map((_, axis) => axis) : [...constantOf(node, along).data];
  if (mode !== 'constant' || pads.length !== 2 * axes.length) {
    throw refused(node, `mode ${mode}, pads [${pads.join(', ')}]`);
  }
  const before = new Array<number>(rank).fill(0);
  const after = new Array<number>(rank).fill(0);
  axes.forEach((given, index) => {
    const axis = axisOf(node, given, rank);
    before[axis] = pads[index] ?? 0;
    after[axis] = pads[index + axes.length] ?? 0;
  });
  if (![...before, ...after].every((pixels) => Number.isSafeInteger(pixels) && pixels >= 0)) {
    throw refused(node, `pads [${pads.join(', ')}]`);
  }
  if ([...before, ...after].every((pixels) => pixels === 0)) return value;
  const isPadded = (axis: number) => (before[axis] ?? 0) + (after[axis] ?? 0) > 0;
  // Channels are the axis that isn't padded; a line is an image of one row.
  const channel = isPadded(1) ? rank - 1 : 1;
  if (rank < 3 || rank > 4 || isPadded(0) || isPadded(channel)) {
    throw refused(node, 'it pads other axes than height and width');
  }
  const space = value.dims.flatMap((_, axis) => (axis === 0 || axis === channel ? [] : [axis]));
  const order = [0, channel, ...space];
  const second = turned(value, order);
  const image = importer.image(node, rank === 3 ? withRow(second) : second);
  const around = (axis: number | undefined): readonly [number, number] =>
    axis === undefined ? [0, 0] : [before[axis] ?? 0, after[axis] ?? 0];
  const padding: Frame = [around(space.at(-2)), around(space.at(-1))];
  const number = filling === undefined ? numberOf(node, 'value', 0) : scalarOf(node, filling);
  if (!Number.isFinite(number)) throw refused(node, `it pads with ${number}`);
  const inNode = (number - (image.shift[0] ?? 0)) / (image.scale[0] ?? 1);
  const isOne = image.scale.every((scale, c) => (number - (image.shift[c] ?? 0)) / scale === inNode);
  const plain = isOne && Number.isFinite(inNode) ? image : importer.scaled(node, image);
  const dims = plain.dims.map((extent, axis) => {
    const [first, last] = axis < 2 ? [0, 0] : (padding[axis - 2] ?? [0, 0]);
    return extent + first + last;
  });
  const framed = { ...plain, dims, frame: { padding, value: (plain === image ? inNode : number) + 0 } };
  return turned(
    rank === 3 ? withoutRow(framed) : framed,
    order.map((_, axis) => order.indexOf(axis)),
  );
};

const shape: Rule = (_, node, [x]) => {
  const { dims } = given(node, x);
  return { kind: 'constant', dims: [dims.length], data: Float64Array.from(dims) };
};

const gather: Rule = (_, node, [x, index]) => {
  const { data, dims } = constantOf(node, x);
  const picked = constantOf(node, index);
  if (numberOf(node, 'axis', 0) !== 0 || dims.length !== 1) throw refused(node, 'not from a list');
  const values = picked.data.map((place) => data[place < 0 ? place + data.length : place] ?? Number.NaN);
  if (values.some(Number.isNaN)) throw refused(node, 'an index is out of range');
  return { kind: 'constant', dims: picked.dims, data: values };
};

const constant: Rule = (_, node) => {
  const value = node.tensors.get('value');
  const listed = ['value_float', 'value_int', 'value_floats', 'value_ints'].find((name) =>
    node.numbers.has(name),
  );
  if (value !== undefined) return { kind: 'constant', ...value };
  if (listed === undefined) throw refused(node, 'it has no value');
  const data = Float64Array.from(node.numbers.get(listed) ?? []);
  return { kind: 'constant', dims: listed.endsWith('s') ? [data.length] : [], data } satisfies Constant;
};

const same: Rule = (importer, node, [x]) => {
  importer.folded.push(node.name);
  return given(node, x);
};

const dropout: Rule = (importer, node, [x, ratio, training]) => {
  const drops = training !== undefined && scalarOf(node, training) !== 0;
  if (drops && (ratio === undefined || scalarOf(node, ratio) !== 0)) {
    throw refused(node, 'it drops values, as in training', 'export the model in evaluation mode');
  }
  return same(importer, node, [x]);
};

/** First place, places and step on each axis. */
interface Range {
  readonly begin: readonly number[];
  readonly size: readonly number[];
  readonly strides: readonly number[];
}

function rangeOf(
  node: OnnxNode,
  dims: readonly number[],
  [starts, ends, axes, steps]: readonly (Value | undefined)[],
): Range {
  const list = (name: string, input: Value | undefined) =>
    node.numbers.get(name) ?? (input === undefined ? undefined : [...constantOf(node, input).data]);
  const [from, to] = [list('starts', starts), list('ends', ends)];
  if (from === undefined || to === undefined) throw refused(node, 'a bound is missing');
  const over = (list('axes', axes) ?? from.map((_, axis) => axis)).map((axis) =>
    axisOf(node, axis, dims.length),
  );
  const by = list('steps', steps) ?? [];
  const range = { begin: dims.map(() => 0), size: [...dims], strides: dims.map(() => 1) };
  over.forEach((axis, index) => {
    const extent = dims[axis] ?? 1;
    const step = by[index] ?? 1;
    const [low, high] = step > 0 ? [0, extent] : [-1, extent - 1];
    const place = (bound: number) => Math.min(high, Math.max(low, bound < 0 ? bound + extent : bound));
    // Backwards, what begins before the first place begins there.
    const begin = Math.max(0, place(from[index] ?? 0));
    const size = Math.ceil((place(to[index] ?? extent) - begin) / step);
    if (!Number.isSafeInteger(step) || step === 0 || !(size > 0)) {
      throw refused(node, `nothing is left of axis ${axis}, [${dims.join(', ')}]`);
    }
    range.begin[axis] = begin;
    range.size[axis] = size;
    range.strides[axis] = step;
  });
  return range;
}

const part: Rule = (importer, node, [x, ...bounds]) => {
  const value = given(node, x);
  const { dims } = value;
  const range = rangeOf(node, dims, bounds);
  if (value.kind === 'constant') {
    const data = Float64Array.from(slicePlaces(dims, range), (place) => value.data[place] ?? 0);
    return { ...value, dims: range.size, data };
  }
  if (range.size.every((extent, axis) => extent === dims[axis] && range.strides[axis] === 1)) {
    importer.folded.push(node.name);
    return value;
  }
  if (range.size[0] !== dims[0] || range.strides[0] !== 1) throw refused(node, 'it takes the batch apart');
  const plain = importer.ordered(node, importer.activation(node, value));
  const { axes, shape } = plain;
  if (shape.length > 4) throw refused(node, `its input has ${shape.length} axes`);
  const inNode = (list: readonly number[], absent: (axis: number) => number) =>
    shape.map((_, axis) => list[axes.indexOf(axis) + 1 || list.length] ?? absent(axis));
  const begin = inNode(range.begin, () => 0);
  const size = inNode(range.size, (axis) => shape[axis] ?? 1);
  const strides = inNode(range.strides, () => 1);
  const made = importer.layer(node.name, (name) => slice({ name, begin, size, strides }), plain.node);
  const last = shape.length - 1;
  const picked = (row: Float64Array<ArrayBuffer>) =>
    Float64Array.from(
      { length: size[last] ?? 1 },
      (_, i) => row[(begin[last] ?? 0) + i * (strides[last] ?? 1)] ?? 0,
    );
  return {
    ...activation(made, range.size, axes, size, plain.values),
    scale: picked(plain.scale),
    shift: picked(plain.shift),
    grid: plain.grid,
  };
};

const topK: Rule = (importer, node, [x, count]) => {
  const value = importer.activation(node, x);
  const axis = axisOf(node, numberOf(node, 'axis', -1), value.dims.length);
  const isLargest = numberOf(node, 'largest', 1) === 1 && axis === value.dims.length - 1;
  const asked = count === undefined ? numberOf(node, 'k', 0) : scalarOf(node, count);
  if (!isLargest || asked !== 1 || value.dims.length !== 2)
    throw refused(node, 'it is not the one largest score');
  importer.output = 'labels';
  importer.folded.push(node.name);
  return value;
};

const largestPlace: Rule = (importer, node, [x]) => {
  const value = importer.activation(node, x);
  const { dims } = value;
  const axis = axisOf(node, numberOf(node, 'axis', 0), dims.length);
  if (axis !== 1 || dims.length !== 2 || numberOf(node, 'select_last_index', 0) !== 0) {
    throw refused(node, 'it is not the place of the largest score');
  }
  importer.output = 'labels';
  importer.folded.push(node.name);
  return value;
};

export const SHAPE_RULES: Readonly<Record<string, Rule>> = {
  Reshape: reshape,
  Flatten: flatten,
  Squeeze: squeeze,
  Unsqueeze: unsqueeze,
  Transpose: transpose,
  Concat: concatenation,
  Pad: pad,
  Shape: shape,
  Gather: gather,
  Constant: constant,
  Identity: same,
  Dropout: dropout,
  Slice: part,
  TopK: topK,
  ArgMax: largestPlace,
};
