/**
 * 200 random `.tflite` networks from the tests' own writer, against the tests' own float64 evaluator: odd channels, groups,
 * dilations, strides, every padding, residuals, slices, constants of whole tensors, and Keras' reshapes. Twenty of them stand
 * side by side in a file, with an input and an output each, so that few programs are compiled.
 */
import { expect, test } from 'vitest';
import { importTflite } from '../src/formats/tflite/index.ts';
import { Network } from '../src/graph/index.ts';
import { randomOf } from './helpers/attack.ts';
import { useGpu } from './helpers/gpu.ts';
import { assemble, type TensorSpec, TfliteSketch } from './helpers/tflite.ts';
import { evaluate } from './helpers/tflite-reference.ts';

const GRAPHS = 200;
const A_FILE = 20;
const product = (shape: readonly number[]) => shape.reduce((size, extent) => size * extent, 1);
const real = (shape: readonly number[]): TensorSpec => ({ shape, type: 'float32' });

/** A tensor on the way. */
interface Place {
  readonly at: number;
  readonly shape: readonly number[];
  /** Whether its values are exact in f32 and none is near 0: its signs may be taken. */
  readonly isSigned: boolean;
}

/** Where windows fit, and how many: as TensorFlow says. */
function placesOf(extent: number, window: number, stride: number, dilation: number, padding: number): number {
  const reach = (window - 1) * dilation + 1;
  return padding === 0 ? Math.ceil(extent / stride) : Math.ceil((extent - reach + 1) / stride);
}

class Grower {
  readonly file: TfliteSketch;
  readonly used: Set<string>;
  readonly #random: (limit: number) => number;

  constructor(file: TfliteSketch, seed: number, used: Set<string>) {
    this.file = file;
    this.used = used;
    this.#random = randomOf(seed);
  }

  /** From `low` to `high`. */
  between(low: number, high: number): number {
    return low + this.#random(high - low + 1);
  }

  of<T>(...choices: readonly [T, ...T[]]): T {
    return choices[this.#random(choices.length)] ?? choices[0];
  }

  /** Quarters from −1 to 1, none of them 0. */
  numbers(count: number): number[] {
    return Array.from({ length: count }, () => this.of(-1, 1) * (this.between(1, 4) / 4));
  }

  floats(shape: readonly number[], scale = 1): number {
    return this.file.constant(
      'float32',
      shape,
      this.numbers(product(shape)).map((x) => Math.fround(scale * x)),
    );
  }

  ints(values: readonly number[], shape: readonly number[] = [values.length]): number {
    return this.file.constant('int32', shape, values);
  }

  op(kind: string, inputs: readonly number[], result: TensorSpec, options = {}): number {
    this.used.add(kind);
    return this.file.op(kind, inputs, result, options);
  }

  /** One operator more, if it fits. */
  grow(x: Place): Place {
    const isImage = x.shape.length === 4;
    const next = this.between(0, isImage ? 15 : 9);
    switch (next) {
      case 0:
      case 1: {
        const kind = this.of('ADD', 'SUB', 'MUL', 'MINIMUM', 'MAXIMUM');
        const whole = [1, ...x.shape.slice(1)];
        const shape = this.of(
          [],
          x.shape.slice(-1),
          whole,
          x.shape.slice(1),
          whole.map((e, k) => (k === 2 ? e : 1)),
        );
        const inputs = [x.at, this.floats(shape)];
        if (kind !== 'MUL' && this.between(0, 1) === 1) inputs.reverse();
        const bounds = kind.length === 3 ? { activation: this.between(0, 3) } : {};
        return this.after(x, kind, inputs, bounds);
      }
      case 2:
        return this.after(x, this.of('LOGISTIC', 'TANH', 'RELU', 'RELU6', 'RELU_N1_TO_1'), [x.at]);
      case 3:
        return this.after(x, 'LEAKY_RELU', [x.at], { alpha: this.between(-2, 3) / 8 });
      case 4: {
        const shape = this.of(x.shape.slice(-1), x.shape.slice(1));
        return this.after(x, 'PRELU', [x.at, this.floats(shape)]);
      }
      case 5:
        return this.slice(x);
      case 6:
        return this.residual(x);
      case 7:
        return this.dense(this.flat(x));
      case 8:
        return this.wide(x);
      case 9:
        return x.shape.at(-1) === 1 ? x : this.after(x, 'SOFTMAX', [x.at], { beta: this.of(1, 0.5) });
      case 10:
        return this.pool(x);
      case 11:
        return this.pad(x);
      case 12:
        return this.turned(x);
      case 13:
        return this.convolution(x, true);
      case 14:
        return this.binary(x);
      default:
        return this.convolution(x, false);
    }
  }

  after(x: Place, kind: string, inputs: readonly number[], options = {}): Place {
    return { at: this.op(kind, inputs, real(x.shape), options), shape: x.shape, isSigned: false };
  }

  window(x: Place, most: number) {
    const [, height = 1, width = 1] = x.shape;
    const size = [this.between(1, Math.min(most, height)), this.between(1, Math.min(most, width))] as const;
    const dilations = [
      size[0] > 1 && 2 * size[0] - 1 <= height ? this.between(1, 2) : 1,
      size[1] > 1 && 2 * size[1] - 1 <= width ? this.between(1, 2) : 1,
    ] as const;
    const strides = [this.between(1, 3), this.between(1, 2)] as const;
    return { size, strides, dilations, padding: this.between(0, 1) };
  }

  convolution(x: Place, isDepthwise: boolean): Place {
    const [batch = 1, height = 1, width = 1, channels = 1] = x.shape;
    const { size, strides, dilations, padding } = this.window(x, 3);
    const divisors = [1, 2, 3, 5, channels].filter((groups) => channels % groups === 0);
    const groups = isDepthwise ? channels : (divisors[this.between(0, divisors.length - 1)] ?? 1);
    const filters = groups * this.between(1, isDepthwise ? 2 : 3);
    const shape = [
      ...[batch, placesOf(height, size[0], strides[0], dilations[0], padding)],
      ...[placesOf(width, size[1], strides[1], dilations[1], padding), filters],
    ];
    const filter = isDepthwise ? [1, ...size, filters] : [filters, ...size, channels / groups];
    // Weights of one magnitude are taken for binary ones.
    const weights = this.between(0, 2) === 0 ? this.signs(filter) : this.floats(filter);
    const bias = this.between(0, 3) === 0 ? [] : [this.floats([filters])];
    const at = this.op(isDepthwise ? 'DEPTHWISE_CONV_2D' : 'CONV_2D', [x.at, weights, ...bias], real(shape), {
      ...{ padding, strideH: strides[0], strideW: strides[1], activation: this.between(0, 3) },
      ...{ dilationH: dilations[0], dilationW: dilations[1] },
      ...(isDepthwise ? { depthMultiplier: filters / groups } : {}),
    });
    return { at, shape, isSigned: false };
  }

  signs(shape: readonly number[]): number {
    return this.file.constant(
      'float32',
      shape,
      Array.from({ length: product(shape) }, () => this.of(-1, 1)),
    );
  }

  /** LceQuantize, LceBconv2d, and perhaps pooled bits between. */
  binary(x: Place): Place {
    if (!x.isSigned) return x;
    let [batch = 1, height = 1, width = 1, channels = 1] = x.shape;
    const words = Math.ceil(channels / 32);
    let at = this.op('LceQuantize', [x.at], { shape: [batch, height, width, words], type: 'int32' });
    if (height > 3 && width > 2 && this.between(0, 1) === 1) {
      [height, width] = [Math.ceil(height / 2), Math.ceil(width / 2)];
      const pooled = { padding: 0, filter_height: 2, filter_width: 2, stride_height: 2, stride_width: 2 };
      at = this.op('LceBMaxPool2d', [at], { shape: [batch, height, width, words], type: 'int32' }, pooled);
    }
    const { size, strides, dilations, padding } = this.window(
      { ...x, shape: [batch, height, width, channels] },
      3,
    );
    const filters = this.between(1, 5);
    const shape = [
      ...[batch, placesOf(height, size[0], strides[0], dilations[0], padding)],
      ...[placesOf(width, size[1], strides[1], dilations[1], padding), filters],
    ];
    const rows = filters * size[0] * size[1];
    const bits = Array.from({ length: rows * words }, (_, i) => {
      const left = Math.min(32, channels - 32 * (i % words));
      return this.between(0, 2 ** Math.min(30, left) - 1);
    });
    const filter = this.ints(bits, [filters, ...size, words]);
    const row = (value: number) =>
      this.file.constant('float32', [filters], new Array<number>(filters).fill(value));
    const out = this.op('LceBconv2d', [at, filter, row(this.of(1, -1)), row(0.5), -1], real(shape), {
      ...{
        channels_in: channels,
        fused_activation_function: this.between(0, 3),
        pad_values: this.between(0, 1),
      },
      ...{ padding, stride_height: strides[0], stride_width: strides[1] },
      ...{ dilation_height_factor: dilations[0], dilation_width_factor: dilations[1] },
    });
    channels = filters;
    return { at: out, shape, isSigned: true };
  }

  pool(x: Place): Place {
    const [batch = 1, height = 1, width = 1, channels = 1] = x.shape;
    if (this.between(0, 3) === 0) {
      const at = this.op('MEAN', [x.at, this.ints([1, 2])], real([batch, channels]), { keepDims: false });
      return { at, shape: [batch, channels], isSigned: false };
    }
    const { size, strides, padding } = this.window(x, 3);
    const shape = [
      ...[batch, placesOf(height, size[0], strides[0], 1, padding)],
      ...[placesOf(width, size[1], strides[1], 1, padding), channels],
    ];
    const kind = this.of('MAX_POOL_2D', 'AVERAGE_POOL_2D');
    const at = this.op(kind, [x.at], real(shape), {
      ...{
        padding,
        strideH: strides[0],
        strideW: strides[1],
        filterH: size[0],
        filterW: size[1],
        activation: 0,
      },
    });
    return { at, shape, isSigned: x.isSigned && kind === 'MAX_POOL_2D' };
  }

  pad(x: Place): Place {
    const amounts = [0, 0, ...[0, 0, 0, 0].map(() => this.between(0, 2)), 0, 0];
    const shape = x.shape.map((extent, k) => extent + (amounts[2 * k] ?? 0) + (amounts[2 * k + 1] ?? 0));
    const inputs = [x.at, this.ints(amounts, [4, 2])];
    if (this.between(0, 1) === 0) return { at: this.op('PAD', inputs, real(shape)), shape, isSigned: false };
    const filler = this.file.constant('float32', [], [this.of(-1, 1, 0.75)]);
    return { at: this.op('PADV2', [...inputs, filler], real(shape)), shape, isSigned: x.isSigned };
  }

  turned(x: Place): Place {
    const order = this.of([0, 2, 1, 3], [0, 3, 1, 2], [0, 2, 3, 1]);
    const shape = order.map((axis) => x.shape[axis] ?? 1);
    return { at: this.op('TRANSPOSE', [x.at, this.ints(order)], real(shape)), shape, isSigned: x.isSigned };
  }

  slice(x: Place): Place {
    const steps = x.shape.map((_, k) => (k === 0 ? 1 : this.of(1, 1, 2, -1)));
    const begin = x.shape.map((extent, k) => (k === 0 ? 0 : this.between(0, extent - 1)));
    const size = x.shape.map((extent, k) => {
      const [first, step] = [begin[k] ?? 0, steps[k] ?? 1];
      const room = step > 0 ? Math.ceil((extent - first) / step) : first + 1;
      return k === 0 ? extent : this.between(1, room);
    });
    if (steps.every((step) => step === 1)) {
      const at = this.op('SLICE', [x.at, this.ints(begin), this.ints(size)], real(size));
      return { at, shape: size, isSigned: x.isSigned };
    }
    const ends = begin.map((first, k) => first + (size[k] ?? 1) * (steps[k] ?? 1));
    const mask = ends.reduce((bits, end, k) => (end < 0 || k === 0 ? bits | (1 << k) : bits), 0);
    const inputs = [x.at, this.ints(begin), this.ints(ends), this.ints(steps)];
    const options = { beginMask: 1, endMask: mask, ellipsisMask: 0, newAxisMask: 0, shrinkAxisMask: 0 };
    const at = this.op('STRIDED_SLICE', inputs, real(size), options);
    return { at, shape: size, isSigned: x.isSigned };
  }

  /** Two branches of one shape that join. */
  residual(x: Place): Place {
    const [a, b] = [
      this.after(x, 'TANH', [x.at]),
      this.after(x, 'MUL', [x.at, this.floats(x.shape.slice(-1))]),
    ];
    const kind = this.of('ADD', 'SUB', 'MUL', 'MINIMUM', 'MAXIMUM');
    return this.after(
      x,
      kind,
      [a.at, this.of(b, x).at],
      kind.length === 3 ? { activation: this.between(0, 1) } : {},
    );
  }

  /** Channels side by side. */
  wide(x: Place): Place {
    const other = this.after(x, 'RELU', [x.at]);
    const shape = x.shape.with(-1, 2 * (x.shape.at(-1) ?? 1));
    return {
      at: this.op('CONCATENATION', [x.at, other.at], real(shape), { axis: -1 }),
      shape,
      isSigned: false,
    };
  }

  /** As Keras flattens what has an unknown batch. */
  flat(x: Place): Place {
    const [batch = 1] = x.shape;
    const length = product(x.shape.slice(1));
    if (x.shape.length === 2) return x;
    const int = (shape: readonly number[]): TensorSpec => ({ shape, type: 'int32' });
    const whole = this.op('SHAPE', [x.at], int([x.shape.length]), { outType: 2 });
    const ranges = [this.ints([0]), this.ints([1]), this.ints([1])];
    const options = { beginMask: 0, endMask: 0, ellipsisMask: 0, newAxisMask: 0, shrinkAxisMask: 1 };
    const first = this.op('STRIDED_SLICE', [whole, ...ranges], int([]), options);
    const rest = this.of(length, -1);
    const asked = this.op('PACK', [first, this.ints([rest], [])], int([2]), { valuesCount: 2, axis: 0 });
    const at = this.op('RESHAPE', [x.at, asked], real([batch, length]), { newShape: [] });
    return { at, shape: [batch, length], isSigned: x.isSigned };
  }

  dense(x: Place): Place {
    const [batch = 1, features = 1] = x.shape;
    const units = this.between(1, 6);
    const weights = this.of(this.signs([units, features]), this.floats([units, features], 0.5));
    const bias = this.of([], [this.floats([units])]);
    const options = { activation: this.between(0, 3), weightsFormat: 0, keepNumDims: false };
    const at = this.op('FULLY_CONNECTED', [x.at, weights, ...bias], real([batch, units]), options);
    return { at, shape: [batch, units], isSigned: false };
  }
}

const gpu = useGpu();
const used = new Set<string>();

test.each(Array.from({ length: GRAPHS / A_FILE }, (_, file) => file * A_FILE))(
  'graphs from %i on: what runs is what the evaluator says',
  async (first) => {
    const file = new TfliteSketch();
    const inputs: number[][] = [];
    const outputs: number[] = [];
    for (let seed = first; seed < first + A_FILE; seed++) {
      const grower = new Grower(file, seed, used);
      // Few sizes: kernels of the same shapes are compiled once.
      const shape = [1, grower.of(4, 7), grower.of(5, 3), grower.of(1, 3, 6, 35)];
      inputs.push(grower.numbers(product(shape)));
      let x: Place = { at: file.input(shape), shape, isSigned: true };
      for (let count = grower.between(2, 5); count > 0; count--) x = grower.grow(x);
      outputs.push(x.at);
    }
    const spec = file.build(...outputs);
    const { model, values } = importTflite(assemble(spec));
    using network = await Network.create(gpu(), model, { values, forInference: true });
    const results = Object.values(await network.predict(inputs.map((samples) => Float32Array.from(samples))));
    const evaluated = evaluate(spec, ...inputs);
    expect(results).toHaveLength(A_FILE);
    for (const [graph, tensor] of outputs.entries()) {
      const expected = evaluated[tensor]?.values ?? [];
      expect(results[graph]).toHaveLength(expected.length);
      for (const [i, value] of expected.entries()) {
        const got = results[graph]?.[i] ?? Number.NaN;
        if (!(Math.abs(got - value) <= 1e-4 * (1 + Math.abs(value))))
          expect.fail(`graph ${first + graph} at ${i}: ${got}, expected ${value}`);
      }
    }
  },
);

test('the graphs have every operator of reals, and the binary ones', () => {
  expect([...used].sort()).toEqual(
    [
      ...['ADD', 'AVERAGE_POOL_2D', 'CONCATENATION', 'CONV_2D', 'DEPTHWISE_CONV_2D', 'FULLY_CONNECTED'],
      ...['LEAKY_RELU', 'LOGISTIC', 'LceBMaxPool2d', 'LceBconv2d', 'LceQuantize', 'MAXIMUM', 'MAX_POOL_2D'],
      ...['MEAN', 'MINIMUM', 'MUL', 'PACK', 'PAD', 'PADV2', 'PRELU', 'RELU', 'RELU6', 'RELU_N1_TO_1'],
      ...['RESHAPE', 'SHAPE', 'SLICE', 'SOFTMAX', 'STRIDED_SLICE', 'SUB', 'TANH', 'TRANSPOSE'],
    ].sort(),
  );
});
