/** Larq Compute Engine's operators in TensorFlow.js, as functions and in a graph model, on both kinds of backend. */
import { type GraphModel, loadGraphModel, registerOp } from '@tensorflow/tfjs-converter';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, test } from 'vitest';
import { DisposedError, OptionError, ShapeError } from '../src/errors.ts';
import {
  type LceConvOptions,
  lceBconv2d,
  lceBMaxPool2d,
  lceDequantize,
  lceQuantize,
  registerOperators,
} from '../src/interop/tfjs/index.ts';
import { packSigns } from '../src/numerics/pack.ts';
import { expectClose, expectSame } from './helpers/gpu.ts';
import { type BackendName, on, useTensorFlow, values } from './helpers/tfjs.ts';

useTensorFlow();
const BACKENDS: readonly BackendName[] = ['cpu', 'webgpu'];
const sign = (x: number | undefined) => ((x ?? 0) < 0 ? -1 : 1);

interface Convolution {
  readonly input: readonly [n: number, h: number, w: number, c: number];
  readonly filter: readonly [o: number, kh: number, kw: number, c: number];
  readonly strides: readonly [number, number];
  readonly dilations: readonly [number, number];
  readonly padding: 'same' | 'valid';
  readonly padValues: 0 | 1;
}

/** Numbers of unequal signs, counted as Larq Compute Engine's reference does; half of a tap outside the image. */
function unequal(
  x: Float32Array,
  w: Float32Array,
  c: Convolution,
): { counts: number[]; size: [number, number] } {
  const [n, height, width, channels] = c.input;
  const [outputs, kh, kw, depth] = c.filter;
  const perGroup = outputs / (channels / depth);
  const place = (size: number, taps: number, stride: number, dilation: number) => {
    const reach = (taps - 1) * dilation + 1;
    if (c.padding === 'valid') return { out: Math.floor((size - reach) / stride) + 1, before: 0 };
    const out = Math.ceil(size / stride);
    return { out, before: Math.floor(Math.max(0, (out - 1) * stride + reach - size) / 2) };
  };
  const rows = place(height, kh, c.strides[0], c.dilations[0]);
  const columns = place(width, kw, c.strides[1], c.dilations[1]);
  const counts: number[] = [];
  for (let b = 0; b < n; b++)
    for (let y = 0; y < rows.out; y++)
      for (let z = 0; z < columns.out; z++)
        for (let o = 0; o < outputs; o++) {
          let count = 0;
          for (let ky = 0; ky < kh; ky++)
            for (let kx = 0; kx < kw; kx++)
              for (let k = 0; k < depth; k++) {
                const row = y * c.strides[0] + ky * c.dilations[0] - rows.before;
                const column = z * c.strides[1] + kx * c.dilations[1] - columns.before;
                const weight = sign(w[((o * kh + ky) * kw + kx) * depth + k]);
                const channel = Math.floor(o / perGroup) * depth + k;
                const inside = row >= 0 && row < height && column >= 0 && column < width;
                if (inside) {
                  const value = x[((b * height + row) * width + column) * channels + channel];
                  if (sign(value) !== weight) count += 1;
                } else if (c.padValues === 0) count += 0.5;
                else if (weight < 0) count += 1;
              }
          counts.push(count);
        }
  return { counts, size: [rows.out, columns.out] };
}

const GRID: readonly Convolution[] = [
  {
    input: [1, 4, 4, 4],
    filter: [4, 3, 3, 4],
    strides: [1, 1],
    dilations: [1, 1],
    padding: 'same',
    padValues: 1,
  },
  {
    input: [1, 4, 4, 96],
    filter: [1, 1, 1, 96],
    strides: [1, 1],
    dilations: [1, 1],
    padding: 'valid',
    padValues: 0,
  },
  {
    input: [2, 5, 4, 64],
    filter: [8, 3, 3, 64],
    strides: [1, 1],
    dilations: [1, 1],
    padding: 'same',
    padValues: 0,
  },
  {
    input: [2, 5, 7, 40],
    filter: [6, 2, 3, 40],
    strides: [2, 3],
    dilations: [1, 1],
    padding: 'same',
    padValues: 1,
  },
  {
    input: [1, 8, 7, 64],
    filter: [4, 2, 3, 64],
    strides: [1, 1],
    dilations: [3, 2],
    padding: 'valid',
    padValues: 0,
  },
  {
    input: [1, 4, 4, 128],
    filter: [8, 3, 3, 64],
    strides: [1, 1],
    dilations: [1, 1],
    padding: 'same',
    padValues: 1,
  },
  {
    input: [1, 4, 4, 128],
    filter: [8, 2, 2, 32],
    strides: [1, 1],
    dilations: [1, 1],
    padding: 'same',
    padValues: 0,
  },
  // Groups that begin within a word.
  {
    input: [1, 4, 4, 40],
    filter: [6, 2, 2, 20],
    strides: [1, 1],
    dilations: [1, 1],
    padding: 'same',
    padValues: 1,
  },
];
const nameOf = ({ input, filter, strides, dilations, padding, padValues }: Convolution) =>
  `I${input.join('x')}_K${filter.join('x')}_S${strides.join('x')}_D${dilations.join('x')}_${padding}${padValues}`;

const optionsOf = (c: Convolution): LceConvOptions => ({
  channelsIn: c.input[3],
  strideHeight: c.strides[0],
  strideWidth: c.strides[1],
  dilationHeightFactor: c.dilations[0],
  dilationWidthFactor: c.dilations[1],
  padding: c.padding,
  padValues: c.padValues,
});

const count = (shape: readonly number[]) => shape.reduce((product, extent) => product * extent, 1);
const words = (tensor: tf.Tensor) => tensor.data() as Promise<Int32Array>;

describe('LceBconv2d', () => {
  for (const backend of BACKENDS) {
    for (const [index, c] of GRID.entries()) {
      test(`${nameOf(c)} on ${backend}`, async () => {
        await on(backend, async () => {
          const before = tf.memory().numTensors;
          const [xs, ws] = [values(count(c.input), index), values(count(c.filter), index + 50)];
          const { counts, size } = unequal(xs, ws, c);
          const [outputs, kh, kw, depth] = c.filter;
          const products = kh * kw * depth;
          const clamp = (sum: number) => Math.max(-1, Math.min(1, sum));
          const scales = values(outputs, 7).map((value) => value - 0.25);
          const shifts = values(outputs, 8, 4);
          const limits = Int32Array.from(shifts, (shift, o) =>
            o === 0 ? -(2 ** 31) : o === 1 ? 2 ** 31 - 1 : Math.floor((products + shift) / 2),
          );
          const tensors = tf.tidy(() => {
            const x = lceQuantize(tf.tensor(xs, [...c.input]));
            const w = lceQuantize(tf.tensor(ws, [...c.filter]));
            const [multiplier, bias] = [tf.tensor1d(scales), tf.tensor1d(shifts)];
            return {
              plain: lceBconv2d(x, w, optionsOf(c)),
              latent: lceBconv2d(x, tf.tensor(ws, [...c.filter]), optionsOf(c)),
              scaled: lceBconv2d(x, w, { ...optionsOf(c), multiplier, bias, activation: 'reluN1To1' }),
              packed: lceBconv2d(x, w, { ...optionsOf(c), threshold: tf.tensor1d(limits, 'int32') }),
            };
          });
          expect(tensors.plain.shape).toEqual([c.input[0], ...size, outputs]);
          const sums = counts.map((unlike) => products - 2 * unlike);
          expectSame(await tensors.plain.data(), sums, 'sums');
          expectSame(await tensors.latent.data(), sums, 'sums of filters that were not packed');
          const scaled = sums.map(
            (sum, i) => clamp(sum) * (scales[i % outputs] ?? 0) + (shifts[i % outputs] ?? 0),
          );
          expectClose(await tensors.scaled.data(), scaled, 1e-5, 'scaled');
          const signs = counts.map((unlike, i) => (unlike > (limits[i % outputs] ?? 0) ? -1 : 1));
          expectSame(
            new Uint32Array(await words(tensors.packed)),
            packSigns(signs, signs.length / outputs, outputs),
            'packed',
          );
          tf.dispose(tensors);
          expect(tf.memory().numTensors).toBe(before);
        });
      });
    }
  }
});

describe('LceQuantize, LceDequantize and LceBMaxPool2d', () => {
  for (const backend of BACKENDS) {
    for (const channels of [1, 2, 31, 32, 33, 63, 64, 68]) {
      test(`${channels} channels there and back, on ${backend}`, async () => {
        await on(backend, async () => {
          const host = values(3 * channels, channels);
          const x = tf.tensor(host, [3, channels]);
          const packed = lceQuantize(x);
          const signs = lceDequantize(packed, { channels });
          expectSame(new Uint32Array(await words(packed)), packSigns(host, 3, channels));
          expectSame(await signs.data(), host.map(sign));
          const all = lceDequantize(packed);
          expect(all.shape).toEqual([3, 32 * Math.ceil(channels / 32)]);
          tf.dispose([x, packed, signs, all]);
        });
      });
    }

    for (const channels of [1, 64, 130]) {
      test(`pools ${channels} channels, on ${backend}`, async () => {
        await on(backend, async () => {
          const x = tf.tensor(values(2 * 5 * 7 * channels, channels), [2, 5, 7, channels]);
          const options = {
            filterHeight: 2,
            filterWidth: 3,
            strideHeight: 2,
            strideWidth: 2,
            padding: 'same',
          } as const;
          const [actual, expected] = tf.tidy(() => {
            const pooled = lceBMaxPool2d(lceQuantize(x), options);
            const signs = lceDequantize(lceQuantize(x), { channels }) as tf.Tensor4D;
            const largest = tf.maxPool(signs, [2, 3], [2, 2], 'same');
            return [lceDequantize(pooled, { channels }), largest];
          });
          expectSame(await actual.data(), await expected.data());
          tf.dispose([x, actual, expected]);
        });
      });
    }
  }

  test('a false counts as −1', async () => {
    const x = tf.tensor1d([true, false, true, false], 'bool');
    const packed = lceQuantize(x);
    expect([...(await words(packed))]).toEqual([0b1010]);
    tf.dispose([x, packed]);
  });
});

describe('a graph model', () => {
  const text = (value: string) => ({ s: Buffer.from(value).toString('base64') });
  const integer = (value: number) => ({ i: String(value) });
  const shapeOf = (shape: readonly number[]) => ({ dim: shape.map((size) => ({ size: String(size) })) });

  /** Quantizes an image, convolves it to packed signs, pools those, and convolves them to numbers. */
  async function graph(backend: BackendName): Promise<{ y: Float32Array; shape: number[] }> {
    registerOperators(registerOp);
    const constants: Record<string, { shape: number[]; data: Int32Array | Float32Array }> = {
      first: { shape: [64, 3, 3, 1], data: new Int32Array(packSigns(values(64 * 9 * 3, 1), 64 * 9, 3)) },
      limits: {
        shape: [64],
        data: Int32Array.from(values(64, 2), (value) => Math.floor((27 + 6 * value) / 2)),
      },
      none: { shape: [0], data: new Float32Array(0) },
      second: { shape: [8, 2, 2, 2], data: new Int32Array(packSigns(values(8 * 4 * 64, 3), 32, 64)) },
      scale: { shape: [8], data: values(8, 4) },
      shift: { shape: [8], data: values(8, 5) },
    };
    const windows = {
      stride_height: integer(1),
      stride_width: integer(1),
      dilation_height_factor: integer(1),
      dilation_width_factor: integer(1),
    };
    const typeOf = (data: Int32Array | Float32Array) => (data instanceof Int32Array ? 'int32' : 'float32');
    const node = [
      {
        name: 'x',
        op: 'Placeholder',
        attr: { dtype: { type: 'DT_FLOAT' }, shape: { shape: shapeOf([1, 6, 6, 3]) } },
      },
      ...Object.entries(constants).map(([name, { shape, data }]) => ({
        name,
        op: 'Const',
        attr: {
          dtype: { type: data instanceof Int32Array ? 'DT_INT32' : 'DT_FLOAT' },
          value: {
            tensor: {
              dtype: data instanceof Int32Array ? 'DT_INT32' : 'DT_FLOAT',
              tensorShape: shapeOf(shape),
            },
          },
        },
      })),
      { name: 'signs', op: 'LceQuantize', input: ['x'], attr: {} },
      {
        name: 'one',
        op: 'LceBconv2d',
        input: ['signs', 'first', 'none', 'none', 'limits'],
        attr: {
          ...windows,
          channels_in: integer(3),
          padding: text('SAME'),
          pad_values: integer(1),
          fused_activation_function: text('NONE'),
        },
      },
      {
        name: 'pooled',
        op: 'LceBMaxPool2d',
        input: ['one'],
        attr: {
          filter_height: integer(2),
          filter_width: integer(2),
          stride_height: integer(2),
          stride_width: integer(2),
          padding: integer(1),
        },
      },
      {
        name: 'two',
        op: 'LceBconv2d',
        input: ['pooled', 'second', 'scale', 'shift'],
        attr: {
          ...windows,
          channels_in: integer(64),
          padding: integer(1),
          fused_activation_function: integer(1),
        },
      },
      { name: 'seen', op: 'LceDequantize', input: ['pooled'], attr: { channels: integer(64) } },
    ];
    const parts = Object.values(constants).map(({ data }) => new Uint8Array(data.buffer));
    const weightData = new Uint8Array(parts.reduce((bytes, part) => bytes + part.byteLength, 0));
    let offset = 0;
    for (const part of parts) {
      weightData.set(part, offset);
      offset += part.byteLength;
    }
    const weightSpecs = Object.entries(constants).map(
      ([name, { shape, data }]) => ({ name, shape, dtype: typeOf(data) }) as const,
    );
    return on(backend, async () => {
      const model: GraphModel = await loadGraphModel(
        tf.io.fromMemory({
          modelTopology: { node, library: {}, versions: { producer: 1 } },
          weightSpecs,
          weightData: weightData.buffer,
          format: 'graph-model',
        }),
      );
      const x = tf.tensor(values(108, 6), [1, 6, 6, 3]);
      const [y, seen] = model.execute({ x }, ['two', 'seen']) as tf.Tensor[];
      if (y === undefined || seen === undefined) throw new Error('no output');
      const result = { y: await y.data<'float32'>(), shape: seen.shape };
      tf.dispose([x, y, seen]);
      model.dispose();
      return result;
    });
  }

  test('with the operators gives the same on both backends', async () => {
    const [expected, actual] = [await graph('cpu'), await graph('webgpu')];
    expect(actual.shape).toEqual([1, 3, 3, 64]);
    expect(actual.y).toHaveLength(2 * 2 * 8);
    expectClose(actual.y, expected.y, 1e-6);
    expect(new Set(expected.y).size).toBeGreaterThan(8);
  });

  test('refuses attributes that are missing or unknown', () => {
    const operators = new Map<string, Parameters<Parameters<typeof registerOperators>[0]>[1]>();
    registerOperators((name, operator) => operators.set(name, operator));
    const run = (attrs: Record<string, unknown>) => () =>
      tf.tidy(() => operators.get('LceBMaxPool2d')?.({ inputs: [tf.zeros([1, 2, 2, 1], 'int32')], attrs }));
    const good = { filter_height: 1, filter_width: 1, stride_height: 1, stride_width: 1, padding: 'VALID' };
    expect(run(good)).not.toThrow();
    expect(run({ ...good, stride_width: undefined })).toThrow(/stride_width/);
    expect(run({ ...good, padding: 'CAUSAL' })).toThrow(/SAME \(0\) or VALID \(1\)/);
    expect(() => operators.get('LceQuantize')?.({ inputs: [], attrs: {} })).toThrow(OptionError);
  });
});

describe('bad input', () => {
  test('is refused', async () => {
    await tf.setBackend('webgpu');
    const c = GRID[0] as Convolution;
    tf.tidy(() => {
      const x = lceQuantize(tf.ones([...c.input]));
      const w = lceQuantize(tf.ones([...c.filter]));
      const scale = tf.ones([4]);
      expect(() => lceBconv2d(x, w, { ...optionsOf(c), channelsIn: 40 })).toThrow(ShapeError);
      expect(() => lceBconv2d(tf.ones([...c.input]), w, optionsOf(c))).toThrow(ShapeError);
      expect(() => lceBconv2d(x, w, { ...optionsOf(c), multiplier: scale })).toThrow(OptionError);
      expect(() => lceBconv2d(x, w, { ...optionsOf(c), threshold: scale, activation: 'relu' })).toThrow(
        OptionError,
      );
      expect(() => lceDequantize(x, { channels: 33 })).toThrow(ShapeError);
      const gone = tf.ones([1, 4, 4, 1], 'int32');
      gone.dispose();
      expect(() => lceBconv2d(gone, w, optionsOf(c))).toThrow(DisposedError);
    });
  });
});
