/** Rules of pools. */

import { listed } from '../../errors.ts';
import { averagePool2d, globalAveragePool2d, maxPool2d, pad2d } from '../../layers/index.ts';
import { placeWindows } from '../../numerics/windows.ts';
import type { Frame } from '../../ops/movement.ts';
import type { OnnxNode } from './container.ts';
import type { Importer, Rule } from './importer.ts';
import { isFramed, type Window, windowOf, zeroOf } from './products.ts';
import { type Activation, activation, axisOf, constantOf, numberOf, refused, type Value } from './values.ts';
import { alsoForLines, turned, withChannelsLast } from './views.ts';

interface Pooled {
  readonly window: Window;
  /** What may be added after the last row and column, so that a window that reaches over the end counts. */
  readonly extra: Frame;
  readonly out: readonly [number, number];
}

/** Where windows lie; with `ceil_mode`, those that begin inside the image but end outside count too. */
function placed(node: OnnxNode, { dims }: Activation): Pooled {
  const size = [dims[2] ?? 0, dims[3] ?? 0] as const;
  const window = windowOf(node, node.numbers.get('kernel_shape') ?? [], size);
  if (window.dilations.some((dilation) => dilation !== 1)) {
    throw refused(node, `its window has gaps: dilations ${window.dilations.join(', ')}`);
  }
  const isCeil = numberOf(node, 'ceil_mode', 0) !== 0;
  const along = (axis: 0 | 1): readonly [out: number, extra: number] => {
    const [kernel, stride, padding] = [window.kernel[axis], window.strides[axis], window.padding[axis]];
    const { out } = placeWindows(size[axis], kernel, stride, 1, padding);
    if (!isCeil) return [out, 0];
    const span = size[axis] + padding[0] + padding[1];
    const more = Math.ceil((span - kernel) / stride) + 1;
    // A window that begins in the padding after the end sees nothing.
    const last = (more - 1) * stride >= size[axis] + padding[0] ? more - 1 : more;
    return [last, Math.max(0, (last - 1) * stride + kernel - span)];
  };
  const [[height, below], [width, beside]] = [along(0), along(1)];
  if (height < 1 || width < 1) throw refused(node, 'its window is larger than the image');
  return {
    window,
    extra: [
      [0, below],
      [0, beside],
    ],
    out: [height, width],
  };
}

function pooled(
  importer: Importer,
  node: OnnxNode,
  value: Activation,
  make: typeof maxPool2d,
  { window, extra, out: [height, width] }: Pooled,
  values: Activation['values'],
): Activation {
  const { kernel: poolSize, strides, padding } = window;
  const whole: Frame = [
    [padding[0][0], padding[0][1] + extra[0][1]],
    [padding[1][0], padding[1][1] + extra[1][1]],
  ];
  const made = importer.layer(
    node.name,
    (name) => make({ name, poolSize, strides, padding: whole }),
    value.node,
  );
  const [batch = 1, channels = 1] = value.dims;
  const result = activation(
    made,
    [batch, channels, height, width],
    [2, 0, 1],
    [height, width, channels],
    values,
  );
  return { ...result, scale: value.scale, shift: value.shift };
}

const max: Rule = (importer, node, [x]) => {
  if (node.outputs.length > 1 && node.outputs[1] !== '') throw refused(node, 'it gives indices');
  const image = importer.image(node, importer.activation(node, x));
  // The largest stays the largest under a positive scale, whatever the shift.
  const value = image.scale.every((scale) => scale > 0) ? image : importer.scaled(node, image);
  return { ...pooled(importer, node, value, maxPool2d, placed(node, value), value.values), grid: value.grid };
};

const average: Rule = (importer, node, [x]) => {
  const value = importer.image(node, importer.activation(node, x));
  const places = placed(node, value);
  const { window } = places;
  if (numberOf(node, 'count_include_pad', 0) === 0 || !isFramed(window.padding)) {
    return pooled(importer, node, value, averagePool2d, places, 'reals');
  }
  // Zeros of the padding count: they are put there.
  const zero = zeroOf(value);
  const plain = zero === undefined ? importer.scaled(node, value) : value;
  const { padding } = window;
  const framed = importer.layer(
    `${node.name}_pad`,
    (name) => pad2d({ name, padding, value: zero ?? 0 }),
    plain.node,
  );
  const none: Frame = [
    [0, 0],
    [0, 0],
  ];
  return pooled(
    importer,
    node,
    { ...plain, node: framed },
    averagePool2d,
    { ...places, window: { ...window, padding: none } },
    'reals',
  );
};

/** Mean over height and width. */
function mean(
  importer: Importer,
  node: OnnxNode,
  x: Value | undefined,
  dims: (batch: number, channels: number) => number[],
) {
  const value = importer.image(node, importer.activation(node, x));
  const [batch = 1, channels = 1] = value.dims;
  const made = importer.layer(node.name, (name) => globalAveragePool2d({ name }), value.node);
  const shape = dims(batch, channels);
  const axes = shape.slice(1).map((_, axis) => (axis === 0 ? 0 : -1));
  const result = activation(made, shape, axes, [channels], 'reals');
  return { ...result, scale: value.scale, shift: value.shift };
}

const reducedMean: Rule = (importer, node, [x, axes]) => {
  const given = importer.activation(node, x);
  const rank = given.dims.length;
  const asked = node.numbers.get('axes') ?? (axes === undefined ? [] : [...constantOf(node, axes).data]);
  const over = asked.map((axis) => axisOf(node, axis, rank)).sort((a, b) => a - b);
  const [channel, ...more] = given.dims.flatMap((_, axis) =>
    axis === 0 || over.includes(axis) ? [] : [axis],
  );
  if (rank < 3 || rank > 4 || channel === undefined || more.length > 0 || over[0] === 0) {
    throw refused(node, `over the axes ${listed(asked)} of ${rank}`);
  }
  const means = spatialMean(importer, node, [turned(given, [0, channel, ...over])]);
  const keeps = numberOf(node, 'keepdims', 1) !== 0;
  const [batch = 1, channels = 1] = means.dims;
  const dims = given.dims.flatMap((_, axis) =>
    axis === 0 ? [batch] : axis === channel ? [channels] : keeps ? [1] : [],
  );
  const own = dims.length === 2 ? 0 : channel - 1;
  return { ...means, dims, axes: dims.slice(1).map((_, axis) => (axis === own ? 0 : -1)) };
};

const spatialMean = (
  importer: Importer,
  node: OnnxNode,
  inputs: readonly (Value | undefined)[],
): Activation =>
  importer.raw(
    node,
    alsoForLines((_, own, [x]) => mean(importer, own, x, (batch, channels) => [batch, channels, 1, 1]))(
      importer,
      node,
      inputs,
    ),
  );

export const POOL_RULES: Readonly<Record<string, Rule>> = {
  MaxPool: alsoForLines(max),
  // FINN's, with channels last.
  MaxPoolNHWC: withChannelsLast(max),
  AveragePool: alsoForLines(average),
  GlobalAveragePool: (importer, node, inputs) => spatialMean(importer, node, inputs),
  ReduceMean: reducedMean,
};
