/** Layers that are rare. Most take no time worth a kernel: plain loops, in f32 as the shaders have it. */

import { sizeOf } from '../../gpu/index.ts';
import { broadcastShape, permuteAxes, slicePlaces } from '../../numerics/axes.ts';
import { type Combination, combine } from '../../numerics/combine.ts';
import { slopeOf } from '../../numerics/curves.ts';
import { type Grid, gridRange, type IntegerRange } from '../../numerics/integers.ts';
import { rotate as rotated } from '../../numerics/rotation.ts';
import { type RoundingMode, roundBy } from '../../numerics/rounding.ts';
import { channelsOf, type Recorder, type Value } from '../program.ts';
import type { Lower } from './lowering.ts';
import { type ProductConfig, product } from './products.ts';

/** A function of single values. @param channel of the value */
function each(recorder: Recorder, input: Value, of: (x: number, channel: number) => number): Value {
  const channels = channelsOf(input);
  return recorder.host([recorder.reals(input)], input.shape, ([x], y) => {
    if (x === undefined) return;
    for (let i = 0; i < y.length; i++) y[i] = of(x[i] ?? 0, i % channels);
  });
}

const sigmoid: Lower = ({ recorder }, [input]) =>
  each(recorder, input as Value, (x) => 1 / (1 + Math.exp(-x)));

const tanh: Lower = ({ recorder }, [input]) => each(recorder, input as Value, Math.tanh);

const selu: Lower = ({ recorder }, [input]) =>
  each(
    recorder,
    input as Value,
    (x) => 1.0507009873554805 * (x < 0 ? 1.6732632423543772 * Math.expm1(x) : x),
  );

const leakyRelu: Lower = ({ recorder, config }, [input]) => {
  const x = recorder.reals(input as Value);
  const slopes = { data: new Float32Array(channelsOf(x)).fill(slopeOf(config)) };
  return recorder.pointwise('prelu', x, { first: slopes });
};

/** A depthwise convolution and one of single pixels. */
const separable: Lower = (layer, inputs) => {
  const config = layer.config as ProductConfig;
  const [input] = inputs as [Value];
  const { shape } = layer.specOf('depthwiseKernel');
  const [height = 1, width = 1] = layer.outputShape;
  const between = product(layer, input, {
    kernel: 'depthwiseKernel',
    shape,
    windows: { ...config, groups: input.shape[2] ?? 1 },
    readsSigns: config.inputQuantizer !== undefined,
    outputShape: [height, width, shape[0] ?? 1],
    bias: false,
  });
  return product(layer, between, {
    kernel: 'pointwiseKernel',
    shape: layer.specOf('pointwiseKernel').shape,
    windows: {},
    readsSigns: false,
    outputShape: layer.outputShape,
    bias: config.useBias === true,
  });
};

/** Each row of channels by itself. */
const rotate: Lower = ({ recorder, config, outputShape }, [input]) => {
  const x = recorder.reals(input as Value);
  const channels = channelsOf(x);
  const { seed = 0, rounds = 3 } = config as { readonly seed?: number; readonly rounds?: number };
  return recorder.host([x], outputShape, ([from], y) => {
    if (from === undefined) return;
    const rows = from.length / channels;
    for (let row = 0; row < rows; row++) {
      const own = from.subarray(row * channels, (row + 1) * channels);
      y.set(rotated(own, { seed, rounds }), (row * y.length) / rows);
    }
  });
};

const softmax: Lower = ({ recorder }, [input]) => {
  const x = recorder.reals(input as Value);
  const channels = channelsOf(x);
  return recorder.host([x], x.shape, ([from], y) => {
    if (from === undefined) return;
    for (let row = 0; row < y.length; row += channels) {
      let largest = Number.NEGATIVE_INFINITY;
      for (let c = 0; c < channels; c++) largest = Math.max(largest, from[row + c] ?? 0);
      let sum = 0;
      for (let c = 0; c < channels; c++) {
        const share = Math.exp((from[row + c] ?? 0) - largest);
        y[row + c] = share;
        sum += share;
      }
      for (let c = 0; c < channels; c++) y[row + c] = (y[row + c] ?? 0) / sum;
    }
  });
};

const quantize: Lower = (layer, [input]) => {
  const config = layer.config as unknown as Partial<Grid> & {
    readonly bits: number;
    readonly rounding?: RoundingMode;
    readonly output?: 'values' | 'integers';
  };
  const { bits, signed = true, narrow = false, rounding = 'halfEven', output = 'values' } = config;
  const [low, high] = gridRange({ bits, signed, narrow });
  const [scales, zeros] = [layer.reals('scale'), layer.reals('zeroPoint')];
  return each(layer.recorder, input as Value, (x, c) => {
    const [step, zero] = [scales[c] ?? 1, zeros[c] ?? 0];
    const place = Math.fround(Math.fround(x / step) + zero);
    const integer = roundBy(rounding, Math.min(high, Math.max(low, place))) - zero;
    return output === 'integers' ? integer : integer * step;
  });
};

const requantize: Lower = (layer, [input]) => {
  const { minimum, maximum, zeroPoint } = layer.config as unknown as IntegerRange;
  const [scales, shifts] = [layer.reals('scale'), layer.reals('shift')];
  return each(layer.recorder, input as Value, (x, c) => {
    const real = Math.fround(Math.fround(x * (scales[c] ?? 0)) + (shifts[c] ?? 0));
    return Math.min(maximum, Math.max(minimum, roundBy('halfAwayFromZero', real))) - zeroPoint;
  });
};

const multiThreshold: Lower = (layer, [input]) => {
  const thresholds = layer.reals('thresholds');
  const levels = thresholds.length / channelsOf(input as Value);
  return each(layer.recorder, input as Value, (x, c) => {
    let reached = 0;
    for (let level = c * levels; level < (c + 1) * levels; level++) {
      if (x >= (thresholds[level] ?? 0)) reached += 1;
    }
    return reached;
  });
};

/** Arithmetic of two values, by a kernel where it is plain. */
const combination =
  (kind: Combination): Lower =>
  ({ recorder, outputShape }, inputs) => {
    const [a, b] = inputs.map((input) => recorder.reals(input)) as [Value, Value];
    const isPlain = sizeOf(a.shape) === sizeOf(outputShape) && sizeOf(b.shape) === sizeOf(outputShape);
    if (isPlain && (kind === 'add' || kind === 'subtract' || kind === 'multiply')) {
      return recorder.pointwise(kind, a, { first: b });
    }
    const shapes = [a.shape, b.shape] as const;
    const [left, right] = [sizeOf(a.shape), sizeOf(b.shape)];
    const size = sizeOf(broadcastShape(...shapes) ?? outputShape);
    return recorder.host([a, b], outputShape, ([x, y], out, samples) => {
      if (x === undefined || y === undefined) return;
      for (let n = 0; n < samples; n++) {
        const [own, other] = [x.subarray(n * left, (n + 1) * left), y.subarray(n * right, (n + 1) * right)];
        out.set(combine(kind, own, shapes[0], other, shapes[1]), n * size);
      }
    });
  };

const concat: Lower = ({ recorder, outputShape }, inputs) => {
  const widths = inputs.map(channelsOf);
  const width = outputShape.at(-1) ?? 1;
  const parts = inputs.map((input) => recorder.reals(input));
  return recorder.host(parts, outputShape, (given, y) => {
    let first = 0;
    given.forEach((x, part) => {
      const own = widths[part] ?? 0;
      for (let from = 0, to = first; from < x.length; from += own, to += width) {
        for (let c = 0; c < own; c++) y[to + c] = x[from + c] ?? 0;
      }
      first += own;
    });
  });
};

/** Values that only move. @param places in a sample of the input; −1 where `value` stands */
function moved(
  recorder: Recorder,
  input: Value,
  shape: readonly number[],
  places: ArrayLike<number>,
  value = 0,
): Value {
  const size = sizeOf(input.shape);
  const taken = Int32Array.from(places);
  return recorder.host([recorder.reals(input)], shape, ([x], y, samples) => {
    if (x === undefined) return;
    for (let n = 0; n < samples; n++) {
      for (let i = 0; i < taken.length; i++) {
        const place = taken[i] ?? 0;
        y[n * taken.length + i] = place < 0 ? value : (x[n * size + place] ?? 0);
      }
    }
  });
}

/** Every place of a sample, in order. */
const placesOf = ({ shape }: Value) => Array.from({ length: sizeOf(shape) }, (_, i) => i);

const transpose: Lower = ({ recorder, config, outputShape }, [input]) => {
  const x = input as Value;
  const { permutation } = config as { permutation: readonly number[] };
  return moved(recorder, x, outputShape, permuteAxes(placesOf(x), x.shape, permutation));
};

const slice: Lower = ({ recorder, config, outputShape }, [input]) => {
  const x = input as Value;
  const { begin, size, strides } = config as Record<'begin' | 'size', number[]> & { strides?: number[] };
  const range = { begin, size, strides: strides ?? size.map(() => 1) };
  return moved(recorder, x, outputShape, slicePlaces(x.shape, range));
};

const pad2d: Lower = ({ recorder, config, outputShape }, [input]) => {
  const x = input as Value;
  const { padding, value = 0 } = config as {
    padding: readonly [readonly [number, number], readonly [number, number]];
    value?: number;
  };
  const [[top], [left]] = padding;
  const [height = 1, width = 1, channels = 1] = x.shape;
  const [, outWidth = 1] = outputShape;
  const places = Array.from({ length: sizeOf(outputShape) }, (_, i) => {
    const pixel = Math.floor(i / channels);
    const [row, column] = [Math.floor(pixel / outWidth) - top, (pixel % outWidth) - left];
    const isInside = row >= 0 && row < height && column >= 0 && column < width;
    return isInside ? (row * width + column) * channels + (i % channels) : -1;
  });
  return moved(recorder, x, outputShape, places, value);
};

export const OTHERS: Readonly<Record<string, Lower>> = {
  add: combination('add'),
  concat,
  divide: combination('divide'),
  leakyRelu,
  maximum: combination('maximum'),
  minimum: combination('minimum'),
  multiThreshold,
  multiply: combination('multiply'),
  pad2d,
  quantize,
  quantSeparableConv2d: separable,
  requantize,
  rotate,
  selu,
  sigmoid,
  slice,
  softmax,
  subtract: combination('subtract'),
  tanh,
  transpose,
};
