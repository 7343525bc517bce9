/** Rules of products with constant weights: matrices and convolutions. Weights of one magnitude become one bit each. */
import type { Layer } from '../../layers/index.ts';
import { conv2d, dense, quantConv2d, quantDense } from '../../layers/plain.ts';
import { placeWindows } from '../../numerics/windows.ts';
import type { Frame } from '../../ops/movement.ts';
import type { OnnxNode } from './container.ts';
import type { Importer, Rule } from './importer.ts';
import {
  type Activation,
  activation,
  type Constant,
  compose,
  constantOf,
  isUniform,
  numberOf,
  refused,
} from './values.ts';
import { alsoForLines } from './views.ts';

/** Weights of a product, and which of the value's channels each meets. */
interface Weights {
  readonly filters: number;
  readonly taps: number;
  /** Channels that a filter reads. */
  readonly depth: number;
  channel(filter: number, place: number): number;
  at(filter: number, tap: number, place: number): number;
  readonly step: number | undefined;
}

interface Filters {
  /** What the product reads. */
  readonly value: Activation;
  /** [filters, taps, depth]. */
  readonly kernel: Float32Array<ArrayBuffer>;
  readonly isBinary: boolean;
  readonly values: Activation['values'];
  readonly scale: Float64Array<ArrayBuffer>;
  readonly shift: Float64Array<ArrayBuffer>;
}

const MOST_WEIGHTS = 2 ** 27;

/** Weights as a layer holds them, with the scales that come out of them and of the value. */
function filtersOf(importer: Importer, node: OnnxNode, given: Activation, weights: Weights): Filters {
  const { filters, taps, depth, step } = weights;
  if (filters * taps * depth > MOST_WEIGHTS) throw refused(node, 'it has more weights than networks have');
  const magnitudes = Float64Array.from({ length: filters }, (_, filter) =>
    Math.abs(weights.at(filter, 0, 0)),
  );
  let isBinary = true;
  for (let filter = 0; isBinary && filter < filters; filter++) {
    const magnitude = magnitudes[filter] ?? 0;
    for (let tap = 0; tap < taps; tap++) {
      for (let place = 0; place < depth; place++) {
        if (Math.abs(weights.at(filter, tap, place)) !== magnitude) isBinary = false;
      }
    }
    if (!(magnitude > 0 && Number.isFinite(magnitude))) isBinary = false;
  }
  const first = Math.abs(given.scale[0] ?? 1);
  const isEven = first > 0 && given.scale.every((own) => Math.abs(own) === first);
  // Scales of channels go into real weights, their signs into binary ones.
  const value = isBinary && !isEven ? importer.scaled(node, given) : given;
  const isWhole = !isBinary && isEven && step !== undefined && step !== 0;
  const unit = isBinary || isEven ? Math.abs(value.scale[0] ?? 1) : 1;
  const kernel = new Float32Array(filters * taps * depth);
  const scale = new Float64Array(filters);
  const shift = new Float64Array(filters);
  for (let filter = 0; filter < filters; filter++) {
    const magnitude = isBinary ? (magnitudes[filter] ?? 1) : isWhole ? step : 1;
    for (let tap = 0; tap < taps; tap++) {
      for (let place = 0; place < depth; place++) {
        const channel = weights.channel(filter, place);
        const weight = weights.at(filter, tap, place);
        const own = (value.scale[channel] ?? 1) / unit;
        const factor = isBinary ? Math.sign(weight) : isWhole ? Math.round(weight / step) : weight;
        kernel[(filter * taps + tap) * depth + place] = factor * own;
        shift[filter] = (shift[filter] ?? 0) + weight * (value.shift[channel] ?? 0);
      }
    }
    scale[filter] = unit * magnitude;
  }
  if (!kernel.every(Number.isFinite)) throw refused(node, 'a weight is not finite');
  if (!isBinary && step !== undefined) {
    importer.folded.push(`${node.name} (weights of several bits, kept as real numbers)`);
  }
  const values = (isBinary || isWhole) && value.values !== 'reals' ? 'integers' : 'reals';
  return { value, kernel, isBinary, values, scale, shift };
}

const STE = 'steSign' as const;

/** The options of a binary layer: the sign of a sign is itself, and saying so counts the products as binary ones. */
function binaryOptions(values: Activation['values']) {
  return { kernelQuantizer: STE, ...(values === 'signs' ? { inputQuantizer: STE } : {}) };
}

/** activation · matrix [K, N]. */
function matrixProduct(
  importer: Importer,
  node: OnnxNode,
  given: Activation,
  [K, N]: readonly [number, number],
  at: (k: number, n: number) => number,
  step: number | undefined,
): Activation {
  const last = given.dims.length - 1;
  const turned = importer.rows(node, importer.withLast(node, given, last));
  if (K < 1 || N < 1 || turned.dims[last] !== K) {
    throw refused(node, `${K} rows meet a value of shape [${given.dims.join(', ')}]`);
  }
  const weights: Weights = {
    filters: N,
    taps: 1,
    depth: K,
    channel: (_, k) => k,
    at: (n, _, k) => at(turned.order?.places[k] ?? k, n),
    step,
  };
  const isFlat = turned.shape.length === 1;
  if (!isFlat && turned.shape.length !== 3)
    throw refused(node, `its input has the shape [${given.dims.join(', ')}]`);
  const { value, kernel, isBinary, values, scale, shift } = filtersOf(importer, node, turned, weights);
  const make = (name: string): Layer => {
    const binary = binaryOptions(value.values);
    if (isFlat) return isBinary ? quantDense({ name, units: N, ...binary }) : dense({ name, units: N });
    const pixel = { name, filters: N, kernelSize: 1 };
    return isBinary ? quantConv2d({ ...pixel, ...binary }) : conv2d(pixel);
  };
  const made = importer.layer(node.name, make, value.node, { kernel });
  const dims = [...value.dims.slice(0, -1), N];
  return { ...activation(made, dims, value.axes, [...value.shape.slice(0, -1), N], values), scale, shift };
}

function matrixOf(node: OnnxNode, constant: Constant): readonly [rows: number, columns: number] {
  const [rows = 0, columns = 0, ...more] = constant.dims;
  if (constant.dims.length !== 2 || more.length > 0) {
    throw refused(node, `its matrix has the shape [${constant.dims.join(', ')}]`);
  }
  return [rows, columns];
}

const matMul: Rule = (importer, node, [x, w]) => {
  const matrix = constantOf(node, w);
  const [K, N] = matrixOf(node, matrix);
  const at = (k: number, n: number) => matrix.data[k * N + n] ?? 0;
  return matrixProduct(importer, node, importer.activation(node, x), [K, N], at, matrix.step);
};

/** Popcounts of {0, 1}: (dot + K)/2 of the signs 2b − 1. */
const xnorPopcount: Rule = (importer, node, [x, w]) => {
  const matrix = constantOf(node, w);
  const [K, N] = matrixOf(node, matrix);
  const signs = compose(importer.activation(node, x), () => [2, -1]);
  const at = (k: number, n: number) => 2 * (matrix.data[k * N + n] ?? 0) - 1;
  return compose(matrixProduct(importer, node, signs, [K, N], at, undefined), () => [0.5, K / 2]);
};

const gemm: Rule = (importer, node, [x, w, c]) => {
  const matrix = constantOf(node, w);
  const [rows, columns] = matrixOf(node, matrix);
  const isTransposed = numberOf(node, 'transB', 0) !== 0;
  if (numberOf(node, 'transA', 0) !== 0) throw refused(node, 'its input is transposed');
  const [alpha, beta] = [numberOf(node, 'alpha', 1), numberOf(node, 'beta', 1)];
  const at = (k: number, n: number) =>
    alpha * (matrix.data[isTransposed ? n * columns + k : k * columns + n] ?? 0);
  const extents: readonly [number, number] = isTransposed ? [columns, rows] : [rows, columns];
  const step = matrix.step === undefined ? undefined : alpha * matrix.step;
  const value = matrixProduct(importer, node, importer.activation(node, x), extents, at, step);
  return c === undefined
    ? value
    : importer.stepped(node, value, constantOf(node, c), (bias) => [1, beta * bias]);
};

/** Strides, dilations and padding of a window, as convolutions and pools have them. */
export interface Window {
  readonly kernel: readonly [number, number];
  readonly strides: readonly [number, number];
  readonly dilations: readonly [number, number];
  readonly padding: Frame;
}

/** @param size height and width of what the window runs over */
export function windowOf(node: OnnxNode, kernel: readonly number[], size: readonly [number, number]): Window {
  const pairOf = (name: string, absent: number): readonly [number, number] => {
    const [y = absent, x = absent, ...more] = node.numbers.get(name) ?? [];
    const isPositive = [y, x].every((extent) => Number.isSafeInteger(extent) && extent > 0);
    if (!isPositive || more.length > 0) throw refused(node, `${name} is ${String(node.numbers.get(name))}`);
    return [y, x];
  };
  const [height = 0, width = 0, ...more] = kernel;
  if (!(height > 0 && width > 0) || more.length > 0)
    throw refused(node, `its window is [${kernel.join(', ')}]`);
  const strides = pairOf('strides', 1);
  const dilations = pairOf('dilations', 1);
  const rule = node.texts.get('auto_pad') ?? 'NOTSET';
  const window = [height, width] as const;
  const same = (axis: 0 | 1): readonly [number, number] => {
    const { before, after } = placeWindows(size[axis], window[axis], strides[axis], dilations[axis], 'same');
    return rule === 'SAME_LOWER' ? [after, before] : [before, after];
  };
  const [top = 0, left = 0, bottom = 0, right = 0] = node.numbers.get('pads') ?? [];
  if (![top, left, bottom, right].every((pixels) => Number.isSafeInteger(pixels) && pixels >= 0)) {
    throw refused(node, `its padding is ${String(node.numbers.get('pads'))}`);
  }
  const paddings: Readonly<Record<string, () => Frame>> = {
    NOTSET: () => [
      [top, bottom],
      [left, right],
    ],
    VALID: () => [
      [0, 0],
      [0, 0],
    ],
    SAME_UPPER: () => [same(0), same(1)],
    SAME_LOWER: () => [same(0), same(1)],
  };
  const padding = paddings[rule];
  if (padding === undefined) throw refused(node, `auto_pad is ${rule}`);
  return { kernel: window, strides, dilations, padding: padding() };
}

export function isFramed([[top, bottom], [left, right]]: Frame): boolean {
  return top + bottom + left + right > 0;
}

/** Frames around each other. */
function around(outer: Frame, inner: Frame): Frame {
  const sum = (axis: 0 | 1): readonly [number, number] => [
    outer[axis][0] + inner[axis][0],
    outer[axis][1] + inner[axis][1],
  ];
  return [sum(0), sum(1)];
}

/** What ONNX' zero is in units of the node; undefined where that is another number for every channel. */
export function zeroOf(value: Activation): number | undefined {
  const zero = -(value.shift[0] ?? 0) / (value.scale[0] ?? 1);
  const isOne = value.scale.every((scale, channel) => -(value.shift[channel] ?? 0) / scale === zero);
  return isOne && Number.isFinite(zero) ? zero + 0 : undefined;
}

/** A value, what pads it and how far, such that a convolution can do the padding: with −1, 0 or +1. */
function padded(
  importer: Importer,
  node: OnnxNode,
  given: Activation,
  own: Frame,
): { value: Activation; padding: Frame; padValue: -1 | 0 | 1 } {
  const isPadValue = (value: number | undefined): value is -1 | 0 | 1 =>
    value !== undefined && [-1, 0, 1].includes(value);
  const { frame } = given;
  if (frame !== undefined) {
    const agrees = isUniform(given) && (!isFramed(own) || zeroOf(given) === frame.value);
    if (agrees && isPadValue(frame.value)) {
      importer.folded.push(`${node.name} (takes over the padding before it)`);
      return {
        value: { ...given, frame: undefined },
        padding: around(frame.padding, own),
        padValue: frame.value,
      };
    }
  }
  const value = importer.framed(node, given);
  if (!isFramed(own)) return { value, padding: own, padValue: 0 };
  const zero = zeroOf(value);
  if (isPadValue(zero)) return { value, padding: own, padValue: zero };
  return { value: importer.scaled(node, value), padding: own, padValue: 0 };
}

const convolution: Rule = (importer, node, [x, w, b]) => {
  const { dims, data, step } = constantOf(node, w);
  const [filters = 0, depth = 0, height = 0, width = 0] = dims;
  const groups = numberOf(node, 'group', 1);
  const image = importer.image(node, importer.raw(node, x));
  const [, channels = 0] = image.dims;
  if (dims.length !== 4 || filters < 1 || depth * groups !== channels || filters % groups !== 0) {
    throw refused(
      node,
      `filters [${dims.join(', ')}] in ${groups} groups meet a value of shape [${image.dims.join(', ')}]`,
    );
  }
  const [, , rows = 0, columns = 0] = image.dims;
  const { strides, dilations, padding: own } = windowOf(node, [height, width], [rows, columns]);
  const { value: whole, padding, padValue } = padded(importer, node, image, own);
  const taps = height * width;
  const weights: Weights = {
    ...{ filters, taps, depth, step },
    channel: (filter, place) => Math.floor(filter / (filters / groups)) * depth + place,
    at: (filter, tap, place) => data[(filter * depth + place) * taps + tap] ?? 0,
  };
  const { value, kernel, isBinary, values, scale, shift } = filtersOf(importer, node, whole, weights);
  const options = {
    ...{ filters, strides, dilations, groups, padding },
    kernelSize: [height, width] as const,
    // What was scaled since has its own zero.
    padValue: value === whole ? padValue : 0,
  };
  const make = (name: string): Layer =>
    isBinary
      ? quantConv2d({ name, ...options, ...binaryOptions(value.values) })
      : conv2d({ name, ...options });
  const made = importer.layer(node.name, make, value.node, { kernel });
  const positions = ([rows, columns] as const).map((size, axis) => {
    const at = axis === 0 ? 0 : 1;
    const window = at === 0 ? height : width;
    return placeWindows(size, window, strides[at], dilations[at], own[at]).out;
  });
  const [outHeight = 0, outWidth = 0] = positions;
  if (!(outHeight > 0 && outWidth > 0)) throw refused(node, 'its window is larger than the image');
  const result = activation(
    made,
    [image.dims[0] ?? 1, filters, outHeight, outWidth],
    [2, 0, 1],
    [outHeight, outWidth, filters],
    values,
  );
  const sums = { ...result, scale, shift };
  if (b === undefined) return sums;
  const bias = constantOf(node, b);
  const column: Constant = { kind: 'constant', dims: [bias.data.length, 1, 1], data: bias.data };
  return importer.stepped(node, sums, column, (own) => [1, own]);
};

export const PRODUCT_RULES: Readonly<Record<string, Rule>> = {
  MatMul: matMul,
  XnorPopcountMatMul: xnorPopcount,
  Gemm: gemm,
  Conv: alsoForLines(convolution),
};
