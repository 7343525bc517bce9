/** Backward passes of layers that are made of others when they are run, against their formulas in float64. */
import { describe, expect, test } from 'vitest';
import { OptionError, ShapeError } from '../src/errors.ts';
import { ProgramBuilder, type Shape, sizeOf, type Tensor } from '../src/gpu/index.ts';
import { sequential } from '../src/graph/index.ts';
import type { Layer } from '../src/layers/index.ts';
import * as layers from '../src/layers/index.ts';
import { uniform01 } from '../src/numerics/random.ts';
import * as gradients from '../src/ops/gradients.ts';
import * as reference from '../src/reference/pointwise.ts';
import { expectClose, expectSame, Scratch, useGpu } from './helpers/gpu.ts';

const gpu = useGpu();
const draw = (count: number, seed: number) =>
  Float32Array.from({ length: count }, (_, i) => 4 * uniform01(seed, 7, i) - 2);

/** What a layer gives for two samples, and sends back. */
async function passed(layer: Layer, shape: Shape, seed = 1) {
  using scratch = new Scratch(gpu());
  const b = new ProgramBuilder(gpu(), layer.kind);
  const outputShape = layer.outputShape([shape], layer.kind);
  const x = draw(2 * sizeOf(shape), seed);
  const g = draw(2 * sizeOf(outputShape), seed + 1);
  const values: Record<string, Float32Array> = {};
  const parameters = layer.parameters([shape]).map((spec, i) => {
    const value = draw(sizeOf(spec.shape), seed + 2 + i);
    values[spec.name] = value;
    const tensor = scratch.tensor(spec.name, spec.shape, 'f32', value);
    const isBinary = spec.role === 'binary';
    return { name: spec.name, spec, value: tensor, packed: isBinary ? tensor : undefined };
  });
  const forward = layer.forward(
    {
      ...{ builder: b, training: true, state: undefined, stream: 0, gradients, wantsInputGradient: [true] },
      parameter(name) {
        const parameter = parameters.find((own) => own.name === name);
        if (parameter === undefined) throw new Error(`no parameter ${name}`);
        return parameter;
      },
    },
    [{ kind: 'real', tensor: scratch.tensor('x', [2, ...shape], 'f32', x) }],
  );
  const back = forward.backward(scratch.tensor('g', [2, ...outputShape], 'f32', g));
  const kept = (tensor: Tensor | undefined) => tensor && b.keep(tensor);
  const made = { y: kept(forward.output.tensor), x: kept(back.inputs[0]) };
  const ofParameters = Object.entries(back.parameters ?? {}).map(([name, t]) => [name, b.keep(t)] as const);
  using program = await b.compile();
  program.run();
  const read = async (tensor: Tensor | undefined) =>
    tensor === undefined ? new Float32Array() : gpu().readFloats(tensor);
  const grads: Record<string, Float32Array> = {};
  for (const [name, tensor] of ofParameters) grads[name] = await read(tensor);
  return { x, g, values, y: await read(made.y), gradX: await read(made.x), grads };
}

/** Sums by channel of what `of` gives. */
function byChannel(count: number, channels: number, of: (i: number) => number): Float64Array {
  const sums = new Float64Array(channels);
  for (let i = 0; i < count; i++) sums[i % channels] = (sums[i % channels] ?? 0) + of(i);
  return sums;
}

describe('the backward pass', () => {
  test('of maxout', async () => {
    const { x, g, values, y, gradX, grads } = await passed(layers.maxout(), [5, 3]);
    const { above = [], below = [] } = values;
    const slope = (i: number) => (((x[i] ?? 0) < 0 ? below : above)[i % 3] as number) ?? 0;
    expectClose(y, reference.slopes(x, above, below), 1e-6);
    expectClose(
      gradX,
      Float64Array.from(g, (v, i) => slope(i) * v),
      1e-6,
    );
    const sums = (isBelow: boolean) =>
      byChannel(x.length, 3, (i) => ((x[i] ?? 0) < 0 === isBelow ? (x[i] ?? 0) * (g[i] ?? 0) : 0));
    expectClose(grads.above ?? [], sums(false), 1e-5);
    expectClose(grads.below ?? [], sums(true), 1e-5);
  });

  test('of rPReLU', async () => {
    const { x, g, values, y, gradX, grads } = await passed(layers.rPReLU(), [4, 2, 3]);
    const of = (name: string, i: number) => values[name]?.[i % 3] ?? 0;
    const moved = (i: number) => (x[i] ?? 0) + of('shiftIn', i);
    const slope = (i: number) => (moved(i) < 0 ? of('alpha', i) : 1);
    expectClose(
      y,
      Float64Array.from(x, (_, i) => slope(i) * moved(i) + of('shiftOut', i)),
      1e-6,
    );
    expectClose(
      gradX,
      Float64Array.from(g, (v, i) => slope(i) * v),
      1e-6,
    );
    expectClose(
      grads.shiftIn ?? [],
      byChannel(x.length, 3, (i) => slope(i) * (g[i] ?? 0)),
      1e-5,
    );
    expectClose(
      grads.shiftOut ?? [],
      byChannel(x.length, 3, (i) => g[i] ?? 0),
      1e-5,
    );
    const below = byChannel(x.length, 3, (i) => (moved(i) < 0 ? moved(i) * (g[i] ?? 0) : 0));
    expectClose(grads.alpha ?? [], below, 1e-5);
  });

  test('of upsample2d', async () => {
    const { x, g, y, gradX } = await passed(layers.upsample2d({ factor: 3 }), [2, 4, 5]);
    const from = (i: number) => {
      const [channel, column] = [i % 5, Math.floor(i / 5) % 12];
      const [row, sample] = [Math.floor(i / 60) % 6, Math.floor(i / 360)];
      return ((sample * 2 + Math.floor(row / 3)) * 4 + Math.floor(column / 3)) * 5 + channel;
    };
    expectSame(
      y,
      Float32Array.from(g, (_, i) => x[from(i)] ?? 0),
    );
    const expected = new Float64Array(x.length);
    for (let i = 0; i < g.length; i++) expected[from(i)] = (expected[from(i)] ?? 0) + (g[i] ?? 0);
    expectClose(gradX, expected, 1e-6);
  });

  test.each<[Layer, Layer, Shape]>([
    [
      layers.conv1d({ filters: 4, kernelSize: 3, strides: 2, padding: 'same', useBias: true }),
      layers.conv2d({ filters: 4, kernelSize: [1, 3], strides: [1, 2], padding: 'same', useBias: true }),
      [9, 6],
    ],
    [
      layers.conv1d({ filters: 4, kernelSize: 3, dilations: 2, padding: 'causal' }),
      layers.conv2d({
        ...{ filters: 4, kernelSize: [1, 3], dilations: [1, 2] },
        padding: [
          [0, 0],
          [4, 0],
        ],
      }),
      [9, 6],
    ],
    [
      layers.quantConv1d({ filters: 4, kernelSize: 3, inputQuantizer: 'approxSign' }),
      layers.quantConv2d({ filters: 4, kernelSize: [1, 3], inputQuantizer: 'approxSign' }),
      [9, 6],
    ],
    [layers.maxPool1d({ poolSize: 2 }), layers.maxPool2d({ poolSize: [1, 2] }), [8, 6]],
    [layers.averagePool1d({ poolSize: 3 }), layers.averagePool2d({ poolSize: [1, 3] }), [9, 6]],
    [layers.globalAveragePool1d(), layers.globalAveragePool2d(), [9, 6]],
  ])('of $kind is that of images one pixel high', async (line, image, [steps = 1, channels = 1]) => {
    const [own, wide] = [await passed(line, [steps, channels]), await passed(image, [1, steps, channels])];
    expectSame(own.y, wide.y);
    expectSame(own.gradX, wide.gradX);
    expect(own.gradX.some((value) => value !== 0)).toBe(true);
    for (const [name, gradient] of Object.entries(wide.grads))
      expectSame(own.grads[name] ?? [], gradient, name);
  });
});

describe('bad input', () => {
  test.each<[string, () => unknown, RegExp]>([
    [
      'a kernel of two sizes',
      () => layers.conv1d({ filters: 1, kernelSize: [3, 1] as never }),
      /kernelSize = \[3,1\]/,
    ],
    ['strides of none', () => layers.maxPool1d({ poolSize: 2, strides: 0 }), /strides = 0/],
    [
      'a padding of images',
      () =>
        layers.conv1d({
          filters: 1,
          kernelSize: 3,
          padding: [
            [1, 1],
            [0, 0],
          ] as never,
        }),
      /causal/,
    ],
    ['a factor between', () => layers.upsample2d({ factor: 1.5 }), /whole number/],
  ])('%s', (_, call, message) => {
    expect(call).toThrow(OptionError);
    expect(call).toThrow(message);
  });

  test('images for layers over time, and features for layers of images', () => {
    expect(() => sequential([layers.maxPool1d({ poolSize: 2 })], { input: [8, 8, 1] })).toThrow(ShapeError);
    expect(() => sequential([layers.upsample2d()], { input: [8] })).toThrow(/height, width, channels/);
  });
});
