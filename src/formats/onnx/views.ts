/** Rules for images that take other values too: with channels last, or of one axis where they want height and width. */
import { permuteAxes } from '../../numerics/axes.ts';
import type { OnnxNode } from './container.ts';
import type { Rule } from './importer.ts';
import { type Activation, type Constant, refused, type Value } from './values.ts';

/** The same values with ONNX' axes in another order, the batch first. */
export function turned(value: Activation, order: readonly number[]): Activation {
  return {
    ...value,
    dims: order.map((axis) => value.dims[axis] ?? 1),
    axes: order.slice(1).map((axis) => value.axes[axis - 1] ?? -1),
  };
}

export function turnedConstant(value: Constant, order: readonly number[]): Constant {
  const dims = order.map((axis) => value.dims[axis] ?? 1);
  return { ...value, dims, data: Float64Array.from(permuteAxes(value.data, value.dims, order)) };
}

/** A rule for channels second on values with channels last; so are the filters of convolutions. */
export function withChannelsLast(rule: Rule): Rule {
  return (importer, node, [x, ...others]) => {
    const given = importer.raw(node, x);
    const rank = given.dims.length;
    const middle = Array.from({ length: Math.max(0, rank - 2) }, (_, axis) => axis + 1);
    const first = [0, rank - 1, ...middle];
    const last = [0, ...middle.map((axis) => axis + 1), 1];
    const [filters] = others;
    if (node.operator === 'Conv' && filters?.kind === 'constant') {
      if (filters.dims.length !== rank)
        throw refused(node, `its filters have ${filters.dims.length} axes, its input ${rank}`);
      others[0] = turnedConstant(filters, first);
    }
    const result = rule(importer, node, [turned(given, first), ...others]);
    return result.kind === 'activation' && result.dims.length === rank ? turned(result, last) : result;
  };
}

/** A value [batch, channels, length] as an image of one row. */
export function withRow(value: Activation): Activation {
  const [batch = 1, channels = 1, length = 1] = value.dims;
  const [channel = -1, place = -1] = value.axes;
  return { ...value, dims: [batch, channels, 1, length], axes: [channel, -1, place] };
}

/** An image of one row as a value [batch, channels, length]. */
export function withoutRow(value: Activation): Activation {
  const [batch = 1, channels = 1, , length = 1] = value.dims;
  const [channel = -1, , place = -1] = value.axes;
  return { ...value, dims: [batch, channels, length], axes: [channel, place] };
}

/** A rule for images on values [batch, channels, length] too: they are images of one row. */
export function alsoForLines(rule: Rule): Rule {
  return (importer, node, inputs) => {
    const [x, ...others] = inputs;
    if (x?.kind !== 'activation' || x.dims.length !== 3) return rule(importer, node, inputs);
    const result = rule(importer, ofImage(node), [withRow(x), ...others.map(filtersOfImage)]);
    return result.kind === 'activation' && result.dims.length === 4 ? withoutRow(result) : result;
  };
}

/** Filters [filters, channels, taps] as [filters, channels, 1, taps]. */
function filtersOfImage(value: Value | undefined): Value | undefined {
  if (value?.kind !== 'constant' || value.dims.length !== 3) return value;
  const [filters = 1, channels = 1, taps = 1] = value.dims;
  return { ...value, dims: [filters, channels, 1, taps] };
}

/** A node's windows of one axis as those of images. */
function ofImage(node: OnnxNode): OnnxNode {
  const numbers = new Map(node.numbers);
  const change = (name: string, to: (given: readonly number[]) => readonly number[]) => {
    const given = numbers.get(name);
    if (given !== undefined) numbers.set(name, to(given));
  };
  for (const name of ['kernel_shape', 'strides', 'dilations']) change(name, (given) => [1, ...given]);
  change('pads', ([before = 0, after = 0]) => [0, before, 0, after]);
  return { ...node, numbers };
}
