/**
 * A plain evaluator of `.tflite` networks, written from the reference kernels of TensorFlow Lite and Larq Compute
 * Engine, operator by operator on arrays of numbers: packed signs are int32 words, int8 tensors hold their integers,
 * and rescaling is in 32-bit fixed point as TensorFlow Lite does it. For int8 results the value before rounding is kept
 * too, in float64.
 */
import type { FileSpec, OperatorSpec, TensorSpec } from './tflite.ts';

export interface Evaluated {
  readonly values: readonly number[];
  /** int8 results only: what was rounded and saturated, exactly. */
  readonly exact?: readonly number[];
}

interface Operand extends Evaluated {
  readonly tensor: TensorSpec;
}

type Kernel = (
  inputs: readonly (Operand | undefined)[],
  out: TensorSpec,
  options: OperatorSpec['options'],
) => Evaluated;

/** @returns the values of every tensor of the file */
export function evaluate(
  file: FileSpec,
  ...inputs: readonly (readonly number[])[]
): readonly (Evaluated | undefined)[] {
  const results: (Evaluated | undefined)[] = file.tensors.map(({ data }) => data && { values: data });
  for (const [i, values] of inputs.entries()) results[file.inputs[i] ?? 0] = { values };
  for (const { kind, inputs, outputs, options } of file.operators) {
    const operands = inputs.map((index): Operand | undefined => {
      const [tensor, result] = [file.tensors[index], results[index]];
      return tensor && result && { ...result, tensor };
    });
    const at = outputs[0] ?? 0;
    const out = file.tensors[at];
    const kernel = KERNELS[kind];
    if (out === undefined || kernel === undefined) throw new Error(`${kind} can't be evaluated`);
    results[at] = kernel(operands, out, options);
  }
  return results;
}

const at = (values: readonly number[], index: number) => values[index] ?? 0;
const size = (shape: readonly number[]) => shape.reduce((product, extent) => product * extent, 1);
const option = (options: OperatorSpec['options'], name: string) => Number(options[name] ?? 0);
const scaleOf = (tensor: TensorSpec, channel = 0) => {
  const scales = tensor.scale ?? [];
  return Math.fround(at(scales, scales.length > 1 ? channel : 0));
};
const zeroOf = (tensor: TensorSpec) => at(tensor.zeroPoint ?? [], 0);

/** std::round: halves go away from zero. */
export function round(value: number): number {
  return Math.sign(value) * Math.round(Math.abs(value));
}
const clamp = (value: number, low: number, high: number) => Math.min(high, Math.max(low, value));

/** Bounds of a fused activation, on reals. */
function bounds(activation: number): [number, number] {
  return (
    (
      [
        [-Infinity, Infinity],
        [0, Infinity],
        [-1, 1],
        [0, 6],
      ] as [number, number][]
    )[activation] ?? [Number.NaN, Number.NaN]
  );
}

/** The same on the integers of a quantized tensor. */
function quantizedBounds(activation: number, out: TensorSpec): [number, number] {
  const [low, high] = bounds(activation);
  const on = (value: number) => clamp(zeroOf(out) + round(value / scaleOf(out)), -128, 127);
  return [low === -Infinity ? -128 : on(low), high === Infinity ? 127 : on(high)];
}

/** A real multiplier as int32 fixed point and a power of two (QuantizeMultiplier). */
function fixedPoint(multiplier: number): [bigint, number] {
  if (multiplier === 0) return [0n, 0];
  let shift = Math.floor(Math.log2(Math.abs(multiplier))) + 1;
  let mantissa = round((multiplier / 2 ** shift) * 2 ** 31);
  if (Math.abs(mantissa) === 2 ** 31) {
    mantissa /= 2;
    shift += 1;
  }
  return [BigInt(mantissa), shift];
}

/** MultiplyByQuantizedMultiplier, rounding twice: to 31 bits, then to the integer. */
export function rescale(value: number, multiplier: number): number {
  const [mantissa, shift] = fixedPoint(multiplier);
  const product = BigInt(value) * 2n ** BigInt(Math.max(0, shift)) * mantissa;
  const nudge = product >= 0n ? 2n ** 30n : 1n - 2n ** 30n;
  const high = (product + nudge) / 2n ** 31n;
  const right = BigInt(Math.max(0, -shift));
  const mask = 2n ** right - 1n;
  const threshold = (mask >> 1n) + (high < 0n ? 1n : 0n);
  return Number((high >> right) + ((high & mask) > threshold ? 1n : 0n));
}

/** Rescaled accumulators with the activation's bounds. */
function requantized(
  accumulators: readonly number[],
  multiplier: (index: number) => number,
  out: TensorSpec,
  activation: number,
): Evaluated {
  const [low, high] = quantizedBounds(activation, out);
  const zero = zeroOf(out);
  return {
    values: accumulators.map((value, i) => clamp(rescale(value, multiplier(i)) + zero, low, high)),
    exact: accumulators.map((value, i) => clamp(value * multiplier(i) + zero, low, high)),
  };
}

/** A float result to the tensor's type. */
function rounded(exact: readonly number[], low = -128, high = 127): Evaluated {
  const clamped = exact.map((value) => clamp(value, low, high));
  return { values: clamped.map(round), exact: clamped };
}

function needed(operand: Operand | undefined): Operand {
  if (operand === undefined) throw new Error('an input is missing');
  return operand;
}

interface Axis {
  readonly out: number;
  readonly before: number;
}

/** ComputePaddingHeightWidth. */
function axis(sizeIn: number, filter: number, stride: number, dilation: number, isSame: boolean): Axis {
  const reach = (filter - 1) * dilation + 1;
  const out = isSame ? Math.ceil(sizeIn / stride) : Math.ceil((sizeIn - reach + 1) / stride);
  const total = Math.max(0, (out - 1) * stride + reach - sizeIn);
  return { out, before: Math.floor(total / 2) };
}

/** Calls `visit` with the input pixel of every tap of every output pixel; −1 outside the image. */
function windows(
  [batch = 1, height = 1, width = 1]: readonly number[],
  [filterH, filterW]: readonly [number, number],
  [strideH, strideW]: readonly [number, number],
  [dilationH, dilationW]: readonly [number, number],
  isSame: boolean,
  visit: (outPixel: number, tap: number, inPixel: number) => void,
): void {
  const [vertical, horizontal] = [
    axis(height, filterH, strideH, dilationH, isSame),
    axis(width, filterW, strideW, dilationW, isSame),
  ];
  for (let n = 0; n < batch; n++) {
    for (let outY = 0; outY < vertical.out; outY++) {
      for (let outX = 0; outX < horizontal.out; outX++) {
        for (let tap = 0; tap < filterH * filterW; tap++) {
          const y = outY * strideH - vertical.before + Math.floor(tap / filterW) * dilationH;
          const x = outX * strideW - horizontal.before + (tap % filterW) * dilationW;
          const isInside = y >= 0 && y < height && x >= 0 && x < width;
          visit(
            (n * vertical.out + outY) * horizontal.out + outX,
            tap,
            isInside ? (n * height + y) * width + x : -1,
          );
        }
      }
    }
  }
}

function popcount(word: number): number {
  let rest = word >>> 0;
  let count = 0;
  for (; rest !== 0; rest = (rest & (rest - 1)) >>> 0) count += 1;
  return count;
}

function strides(options: OperatorSpec['options']): readonly [number, number] {
  return [option(options, 'strideH'), option(options, 'strideW')];
}

/** CONV_2D (filters OHWI) and DEPTHWISE_CONV_2D (filters 1HWC). */
function convolution(isDepthwise: boolean): Kernel {
  return ([first, second, third], out, options) => {
    const [x, filter] = [needed(first), needed(second)];
    const [, filterH = 1, filterW = 1, last = 1] = filter.tensor.shape;
    const channels = x.tensor.shape[3] ?? 1;
    const outputs = isDepthwise ? last : (filter.tensor.shape[0] ?? 1);
    const multiplier = isDepthwise ? outputs / channels : 1;
    const isInt8 = out.type === 'int8';
    const zero = isInt8 ? zeroOf(x.tensor) : 0;
    const sums = new Array<number>(size(out.shape)).fill(0);
    for (let i = 0; i < sums.length; i++) sums[i] = third === undefined ? 0 : at(third.values, i % outputs);
    const dilations = [option(options, 'dilationH') || 1, option(options, 'dilationW') || 1] as const;
    const isSame = option(options, 'padding') === 0;
    windows(
      x.tensor.shape,
      [filterH, filterW],
      strides(options),
      dilations,
      isSame,
      (outPixel, tap, inPixel) => {
        if (inPixel < 0) return;
        for (let o = 0; o < outputs; o++) {
          let sum = 0;
          if (isDepthwise) {
            const channel = Math.floor(o / multiplier);
            sum = (at(x.values, inPixel * channels + channel) - zero) * at(filter.values, tap * outputs + o);
          } else {
            const base = (o * filterH * filterW + tap) * last;
            const first = inPixel * channels + Math.floor(o / (outputs / (channels / last))) * last;
            for (let c = 0; c < last; c++) {
              sum += (at(x.values, first + c) - zero) * at(filter.values, base + c);
            }
          }
          sums[outPixel * outputs + o] = at(sums, outPixel * outputs + o) + sum;
        }
      },
    );
    const activation = option(options, 'activation');
    if (!isInt8) return { values: sums.map((value) => clamp(value, ...bounds(activation))) };
    const scale = (i: number) => (scaleOf(x.tensor) * scaleOf(filter.tensor, i % outputs)) / scaleOf(out);
    return requantized(sums, scale, out, activation);
  };
}

/** MAX_POOL_2D and AVERAGE_POOL_2D, both over the pixels inside the image. */
function pooling(isMax: boolean): Kernel {
  return ([first], out, options) => {
    const x = needed(first);
    const channels = x.tensor.shape[3] ?? 1;
    const filter = [option(options, 'filterH'), option(options, 'filterW')] as const;
    const isSame = option(options, 'padding') === 0;
    const [sums, counts] = [
      new Array<number>(size(out.shape)).fill(isMax ? -Infinity : 0),
      new Array<number>(size(out.shape)).fill(0),
    ];
    windows(x.tensor.shape, filter, strides(options), [1, 1], isSame, (outPixel, _, inPixel) => {
      if (inPixel < 0) return;
      for (let c = 0; c < channels; c++) {
        const [i, value] = [outPixel * channels + c, at(x.values, inPixel * channels + c)];
        sums[i] = isMax ? Math.max(at(sums, i), value) : at(sums, i) + value;
        counts[i] = at(counts, i) + 1;
      }
    });
    const activation = option(options, 'activation');
    const results = isMax ? sums : sums.map((sum, i) => sum / at(counts, i));
    if (out.type !== 'int8') return { values: results.map((value) => clamp(value, ...bounds(activation))) };
    return rounded(results, ...quantizedBounds(activation, out));
  };
}

/** Index into an operand that is broadcast to the output's shape. */
function broadcastIndex(operand: TensorSpec, out: TensorSpec): (index: number) => number {
  const missing = out.shape.length - operand.shape.length;
  const own = [...new Array<number>(missing).fill(1), ...operand.shape];
  return (index) => {
    let [place, stride, rest] = [0, 1, index];
    for (let k = out.shape.length - 1; k >= 0; k--) {
      const extent = out.shape[k] ?? 1;
      if (own[k] !== 1) place += (rest % extent) * stride;
      stride *= own[k] ?? 1;
      rest = Math.floor(rest / extent);
    }
    return place;
  };
}

function elementwise(f: (a: number, b: number) => number, quantized: Kernel): Kernel {
  return (inputs, out, options) => {
    if (out.type === 'int8') return quantized(inputs, out, options);
    const [a, b] = [needed(inputs[0]), needed(inputs[1])];
    const [left, right] = [broadcastIndex(a.tensor, out), broadcastIndex(b.tensor, out)];
    const limits = bounds(option(options, 'activation'));
    const values = Array.from({ length: size(out.shape) }, (_, i) =>
      clamp(f(at(a.values, left(i)), at(b.values, right(i))), ...limits),
    );
    return { values };
  };
}

const addInt8: Kernel = (inputs, out, options) => {
  const [a, b] = [needed(inputs[0]), needed(inputs[1])];
  const twice = 2 * Math.max(scaleOf(a.tensor), scaleOf(b.tensor));
  const places = [broadcastIndex(a.tensor, out), broadcastIndex(b.tensor, out)] as const;
  const part = (x: Operand, place: number) => ({
    fixed: rescale((at(x.values, place) - zeroOf(x.tensor)) * 2 ** 20, scaleOf(x.tensor) / twice),
    exact: ((at(x.values, place) - zeroOf(x.tensor)) * scaleOf(x.tensor)) / scaleOf(out),
  });
  const [low, high] = quantizedBounds(option(options, 'activation'), out);
  const sums = Array.from({ length: size(out.shape) }, (_, i) => {
    const [left, right] = [part(a, places[0](i)), part(b, places[1](i))];
    const fixed = rescale(left.fixed + right.fixed, twice / (2 ** 20 * scaleOf(out)));
    return { value: clamp(fixed + zeroOf(out), low, high), exact: left.exact + right.exact + zeroOf(out) };
  });
  return { values: sums.map(({ value }) => value), exact: sums.map(({ exact }) => clamp(exact, low, high)) };
};

const mulInt8: Kernel = (inputs, out, options) => {
  const [a, b] = [needed(inputs[0]), needed(inputs[1])];
  const [left, right] = [broadcastIndex(a.tensor, out), broadcastIndex(b.tensor, out)];
  const products = Array.from(
    { length: size(out.shape) },
    (_, i) => (at(a.values, left(i)) - zeroOf(a.tensor)) * (at(b.values, right(i)) - zeroOf(b.tensor)),
  );
  const scale = (scaleOf(a.tensor) * scaleOf(b.tensor)) / scaleOf(out);
  return requantized(products, () => scale, out, option(options, 'activation'));
};

/** Real values of an operand. */
const realsOf = ({ values, tensor }: Operand) =>
  tensor.type === 'int8' ? values.map((value) => (value - zeroOf(tensor)) * scaleOf(tensor)) : [...values];

/** int8 by reals: exact but for one rounding. */
function ofReals(f: (a: number, b: number) => number): Kernel {
  return (inputs, out, options) => {
    const [a, b] = [needed(inputs[0]), needed(inputs[1])];
    const [left, right] = [broadcastIndex(a.tensor, out), broadcastIndex(b.tensor, out)];
    const [x, y] = [realsOf(a), realsOf(b)];
    const values = Array.from(
      { length: size(out.shape) },
      (_, i) => f(at(x, left(i)), at(y, right(i))) / scaleOf(out) + zeroOf(out),
    );
    return rounded(values, ...quantizedBounds(option(options, 'activation'), out));
  };
}

function curve(f: (x: number) => number): Kernel {
  return ([first], out) => {
    const values = realsOf(needed(first)).map(f);
    if (out.type !== 'int8') return { values };
    return rounded(values.map((value) => value / scaleOf(out) + zeroOf(out)));
  };
}

/** Places of x from `begin` on. */
function places(x: Operand, out: TensorSpec, begin: readonly number[], steps: readonly number[]): Evaluated {
  const strides = x.tensor.shape.map((_, axis) => size(x.tensor.shape.slice(axis + 1)));
  return {
    values: Array.from({ length: size(out.shape) }, (_, i) => {
      let [place, rest] = [0, i];
      for (let k = out.shape.length - 1; k >= 0; k--) {
        place += (at(begin, k) + (rest % (out.shape[k] ?? 1)) * at(steps, k)) * at(strides, k);
        rest = Math.floor(rest / (out.shape[k] ?? 1));
      }
      return at(x.values, place);
    }),
  };
}

function padded(x: Operand, amounts: readonly number[], filler: number, out: TensorSpec): Evaluated {
  return {
    values: Array.from({ length: size(out.shape) }, (_, i) => {
      let [place, stride, rest] = [0, 1, i];
      for (let k = out.shape.length - 1; k >= 0; k--) {
        const own = (rest % (out.shape[k] ?? 1)) - at(amounts, 2 * k);
        if (own < 0 || own >= (x.tensor.shape[k] ?? 1)) return filler;
        place += own * stride;
        stride *= x.tensor.shape[k] ?? 1;
        rest = Math.floor(rest / (out.shape[k] ?? 1));
      }
      return at(x.values, place);
    }),
  };
}

/** RELU and its kin. */
function rectifier(activation: number): Kernel {
  return ([first], out) => {
    const x = needed(first);
    if (out.type !== 'int8') return { values: x.values.map((value) => clamp(value, ...bounds(activation))) };
    const centred = x.values.map((value) => value - zeroOf(x.tensor));
    return requantized(centred, () => scaleOf(x.tensor) / scaleOf(out), out, activation);
  };
}

/** Words of signs: bit 1 where `isNegative`. Rows start a new word. */
function packed(
  values: readonly number[],
  channels: number,
  isNegative: (value: number) => boolean,
): number[] {
  const words: number[] = [];
  for (let row = 0; row < values.length / channels; row++) {
    for (let first = 0; first < channels; first += 32) {
      let word = 0;
      for (let bit = 0; bit < Math.min(32, channels - first); bit++) {
        if (isNegative(at(values, row * channels + first + bit))) word |= 1 << bit;
      }
      words.push(word);
    }
  }
  return words;
}

const KERNELS: Readonly<Record<string, Kernel>> = {
  LceQuantize: ([first]) => {
    const { values, tensor } = needed(first);
    const zero = tensor.type === 'int8' ? zeroOf(tensor) : tensor.type === 'bool' ? 1 : 0;
    return { values: packed(values, tensor.shape.at(-1) ?? 1, (value) => value < zero) };
  },

  LceDequantize: ([first], out) => {
    const { values } = needed(first);
    const channels = out.shape.at(-1) ?? 1;
    const words = Math.ceil(channels / 32);
    let [positive, negative] = [1, -1];
    if (out.type === 'bool') [positive, negative] = [1, 0];
    if (out.type === 'int8') {
      const offset = round(Math.fround(1 / scaleOf(out)));
      [positive, negative] = [Math.min(127, zeroOf(out) + offset), Math.max(-128, zeroOf(out) - offset)];
    }
    return {
      values: Array.from({ length: size(out.shape) }, (_, i) => {
        const [row, channel] = [Math.floor(i / channels), i % channels];
        const word = at(values, row * words + Math.floor(channel / 32));
        return (word >> (channel % 32)) & 1 ? negative : positive;
      }),
    };
  },

  LceBconv2d: ([first, second, multipliers, biases, thresholds], out, options) => {
    const [x, filter] = [needed(first), needed(second)];
    const [outputs = 1, filterH = 1, filterW = 1, words = 1] = filter.tensor.shape;
    const channelsIn = option(options, 'channels_in');
    const inWords = x.tensor.shape[3] ?? 1;
    const groups = inWords / words;
    const groupChannels = channelsIn / groups;
    const isSame = option(options, 'padding') === 0;
    const isZero = isSame && option(options, 'pad_values') === 0;
    const outPixels = size(out.shape) / (out.shape[3] ?? 1);
    // Half counts are exact in float64, where the reference needs an even number of channels.
    const accumulators = new Array<number>(outPixels * outputs).fill(0);
    windows(
      x.tensor.shape,
      [filterH, filterW],
      [option(options, 'stride_height'), option(options, 'stride_width')],
      [option(options, 'dilation_height_factor'), option(options, 'dilation_width_factor')],
      isSame,
      (outPixel, tap, inPixel) => {
        for (let o = 0; o < outputs; o++) {
          const group = Math.floor(o / (outputs / groups));
          let count = inPixel < 0 && isZero ? groupChannels / 2 : 0;
          for (let word = 0; word < words && !(inPixel < 0 && isZero); word++) {
            const input = inPixel < 0 ? 0 : at(x.values, inPixel * inWords + group * words + word);
            count += popcount(input ^ at(filter.values, (o * filterH * filterW + tap) * words + word));
          }
          accumulators[outPixel * outputs + o] = at(accumulators, outPixel * outputs + o) + count;
        }
      },
    );
    if (out.type === 'int32') {
      const limits = needed(thresholds).values;
      const isNegative = accumulators.map((count, i) => (count > at(limits, i % outputs) ? 1 : 0));
      return { values: packed(isNegative, outputs, (bit) => bit === 1) };
    }
    const depth = filterH * filterW * groupChannels;
    const [multiplier, bias] = [needed(multipliers).values, needed(biases).values];
    const reals = accumulators.map((count, i) => {
      const [low, high] = bounds(option(options, 'fused_activation_function'));
      const dot = clamp(depth - 2 * count, low, high);
      return dot * Math.fround(at(multiplier, i % outputs)) + Math.fround(at(bias, i % outputs));
    });
    if (out.type === 'float32') return { values: reals };
    return rounded(reals.map((value) => value / scaleOf(out) + zeroOf(out)));
  },

  LceBMaxPool2d: ([first], out, options) => {
    const x = needed(first);
    const words = x.tensor.shape[3] ?? 1;
    const values = new Array<number>(size(out.shape)).fill(-1);
    const isSame = option(options, 'padding') === 0;
    windows(
      x.tensor.shape,
      [option(options, 'filter_height'), option(options, 'filter_width')],
      [option(options, 'stride_height'), option(options, 'stride_width')],
      [1, 1],
      isSame,
      (outPixel, _, inPixel) => {
        if (inPixel < 0) return;
        for (let word = 0; word < words; word++) {
          const i = outPixel * words + word;
          values[i] = at(values, i) & at(x.values, inPixel * words + word);
        }
      },
    );
    return { values };
  },

  CONV_2D: convolution(false),
  DEPTHWISE_CONV_2D: convolution(true),

  FULLY_CONNECTED: ([first, second, third], out, options) => {
    const [x, weights] = [needed(first), needed(second)];
    const [units = 1, depth = 1] = weights.tensor.shape;
    const isInt8 = out.type === 'int8';
    const zero = isInt8 ? zeroOf(x.tensor) : 0;
    const sums = Array.from({ length: size(out.shape) }, (_, i) => {
      const [row, unit] = [Math.floor(i / units), i % units];
      let sum = third === undefined ? 0 : at(third.values, unit);
      for (let k = 0; k < depth; k++) {
        sum += (at(x.values, row * depth + k) - zero) * at(weights.values, unit * depth + k);
      }
      return sum;
    });
    const activation = option(options, 'activation');
    if (!isInt8) return { values: sums.map((value) => clamp(value, ...bounds(activation))) };
    const scale = (i: number) => (scaleOf(x.tensor) * scaleOf(weights.tensor, i % units)) / scaleOf(out);
    return requantized(sums, scale, out, activation);
  },

  ADD: elementwise((a, b) => a + b, addInt8),
  SUB: elementwise(
    (a, b) => a - b,
    ofReals((a, b) => a - b),
  ),
  DIV: elementwise(
    (a, b) => a / b,
    ofReals((a, b) => a / b),
  ),
  MINIMUM: elementwise(Math.min, ofReals(Math.min)),
  MAXIMUM: elementwise(Math.max, ofReals(Math.max)),
  MUL: elementwise((a, b) => a * b, mulInt8),

  CONCATENATION: (inputs, out, options) => {
    const parts = inputs.map(needed);
    const given = option(options, 'axis');
    const along = given < 0 ? given + out.shape.length : given;
    const outer = size(out.shape.slice(0, along));
    const values: number[] = [];
    for (let row = 0; row < outer; row++) {
      for (const { values: own, tensor } of parts) {
        const length = size(tensor.shape.slice(along));
        for (let i = 0; i < length; i++) values.push(at(own, row * length + i));
      }
    }
    if (out.type !== 'int8') {
      const limits = bounds(option(options, 'activation'));
      return { values: values.map((value) => clamp(value, ...limits)) };
    }
    return { values, exact: values };
  },

  MAX_POOL_2D: pooling(true),
  AVERAGE_POOL_2D: pooling(false),

  MEAN: ([first, second], out) => {
    const x = needed(first);
    const rank = x.tensor.shape.length;
    const axes = needed(second).values.map((value) => (value < 0 ? value + rank : value));
    const kept = x.tensor.shape.map((extent, k) => (axes.includes(k) ? 1 : extent));
    const place = broadcastIndex({ ...x.tensor, shape: kept }, x.tensor);
    const sums = new Array<number>(size(out.shape)).fill(0);
    x.values.forEach((value, i) => {
      sums[place(i)] = at(sums, place(i)) + value - (out.type === 'int8' ? zeroOf(x.tensor) : 0);
    });
    const count = x.values.length / sums.length;
    if (out.type !== 'int8') return { values: sums.map((sum) => sum / count) };
    const scale = scaleOf(x.tensor) / scaleOf(out);
    return {
      values: sums.map((sum) => {
        const whole = rescale(sum, scale);
        const half = Math.floor(count / 2);
        return clamp(Math.trunc((whole + (whole > 0 ? half : -half)) / count) + zeroOf(out), -128, 127);
      }),
      exact: sums.map((sum) => clamp((sum * scale) / count + zeroOf(out), -128, 127)),
    };
  },

  PADV2: ([first, second, third], out) =>
    padded(needed(first), needed(second).values, at(needed(third).values, 0), out),
  PAD: ([first, second], out) =>
    padded(needed(first), needed(second).values, out.type === 'int8' ? zeroOf(out) : 0, out),

  TRANSPOSE: ([first, second], out) => {
    const [x, permutation] = [needed(first), needed(second).values];
    const strides = x.tensor.shape.map((_, axis) => size(x.tensor.shape.slice(axis + 1)));
    return {
      values: Array.from({ length: size(out.shape) }, (_, i) => {
        let [place, rest] = [0, i];
        for (let k = out.shape.length - 1; k >= 0; k--) {
          place += (rest % (out.shape[k] ?? 1)) * at(strides, at(permutation, k));
          rest = Math.floor(rest / (out.shape[k] ?? 1));
        }
        return at(x.values, place);
      }),
    };
  },

  RESHAPE: ([first]) => ({ values: needed(first).values }),
  SQUEEZE: ([first]) => ({ values: needed(first).values }),
  EXPAND_DIMS: ([first]) => ({ values: needed(first).values }),
  CAST: ([first]) => ({ values: needed(first).values }),
  SHAPE: ([first]) => ({ values: needed(first).tensor.shape }),
  PACK: (inputs) => ({ values: inputs.flatMap((part) => needed(part).values) }),
  GATHER: ([first, second]) => ({
    values: needed(second).values.map((place) => at(needed(first).values, place)),
  }),

  SLICE: ([first, second], out) => {
    const { shape } = needed(first).tensor;
    return places(
      needed(first),
      out,
      needed(second).values,
      shape.map(() => 1),
    );
  },

  STRIDED_SLICE: ([first, begins, , strides], out, options) => {
    const { shape } = needed(first).tensor;
    const shrink = option(options, 'shrinkAxisMask');
    const steps = shape.map((_, axis) => needed(strides).values[axis] ?? 1);
    const begin = shape.map((extent, axis) => {
      const asked = needed(begins).values[axis] ?? 0;
      const isMasked = (option(options, 'beginMask') >> axis) & 1;
      if (isMasked || needed(begins).values[axis] === undefined) return at(steps, axis) > 0 ? 0 : extent - 1;
      return asked < 0 ? asked + extent : asked;
    });
    // The result's shape as it was before axes went.
    const kept = [...out.shape];
    const whole = shape.map((_, axis) => ((shrink >> axis) & 1 ? 1 : (kept.shift() ?? 1)));
    return places(needed(first), { ...out, shape: whole }, begin, steps);
  },

  LOGISTIC: curve((x) => 1 / (1 + Math.exp(-x))),
  TANH: curve((x) => Math.tanh(x)),
  LEAKY_RELU: (inputs, out, options) => {
    const alpha = Math.fround(option(options, 'alpha'));
    return curve((x) => (x < 0 ? alpha * x : x))(inputs, out, options);
  },

  SOFTMAX: ([first], out, options) => {
    const x = needed(first);
    const channels = x.tensor.shape.at(-1) ?? 1;
    const scale = option(options, 'beta') * (out.type === 'int8' ? scaleOf(x.tensor) : 1);
    const powers = x.values.map((value, i) => {
      const row = x.values.slice(i - (i % channels), i - (i % channels) + channels);
      return Math.exp(scale * (value - Math.max(...row)));
    });
    const shares = powers.map((power, i) => {
      const row = powers.slice(i - (i % channels), i - (i % channels) + channels);
      return power / row.reduce((sum, value) => sum + value, 0);
    });
    if (out.type !== 'int8') return { values: shares };
    return rounded(shares.map((share) => share / scaleOf(out) + zeroOf(out)));
  },

  RELU: rectifier(1),
  RELU_N1_TO_1: rectifier(2),
  RELU6: rectifier(3),

  PRELU: ([first, second], out) => {
    const [x, alpha] = [needed(first), needed(second)];
    const place = broadcastIndex(alpha.tensor, x.tensor);
    if (out.type !== 'int8') {
      return {
        values: x.values.map((value, i) => (value >= 0 ? value : value * at(alpha.values, place(i)))),
      };
    }
    const slope = (i: number) => at(alpha.values, place(i)) - zeroOf(alpha.tensor);
    const positive = scaleOf(x.tensor) / scaleOf(out);
    const negative = positive * scaleOf(alpha.tensor);
    const centred = x.values.map((value) => value - zeroOf(x.tensor));
    const exact = centred.map((c, i) => (c >= 0 ? c * positive : c * slope(i) * negative) + zeroOf(out));
    return {
      values: centred.map((c, i) =>
        clamp((c >= 0 ? rescale(c, positive) : rescale(c * slope(i), negative)) + zeroOf(out), -128, 127),
      ),
      exact: exact.map((value) => clamp(value, -128, 127)),
    };
  },

  QUANTIZE: ([first], out) => {
    const x = needed(first);
    if (x.tensor.type === 'int8') {
      const centred = x.values.map((value) => value - zeroOf(x.tensor));
      return requantized(centred, () => scaleOf(x.tensor) / scaleOf(out), out, 0);
    }
    return {
      values: x.values.map((value) => clamp(round(value / scaleOf(out)) + zeroOf(out), -128, 127)),
      exact: x.values.map((value) => clamp(value / scaleOf(out) + zeroOf(out), -128, 127)),
    };
  },

  DEQUANTIZE: ([first]) => {
    const { values, tensor } = needed(first);
    return { values: values.map((value) => (value - zeroOf(tensor)) * scaleOf(tensor)) };
  },
};
