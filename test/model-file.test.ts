/** The library's own model file: a bit a weight on disk, every layer back as it was, and damage that is noticed. */
import { describe, expect, test } from 'vitest';
import { FormatError, OptionError } from '../src/errors.ts';
import {
  checkpointValues,
  decodeModel,
  decodeSafetensors,
  encodeModel,
  encodeSafetensors,
  loadModel,
} from '../src/formats/index.ts';
import {
  apply,
  initialValues,
  input,
  isPacked,
  type Model,
  model,
  Network,
  type ParameterValue,
  sequential,
  summarize,
} from '../src/graph/index.ts';
import * as layers from '../src/layers/index.ts';
import { LAYER_KINDS, type LayerKind, makeLayer } from '../src/layers/index.ts';
import { uniform01 } from '../src/numerics/random.ts';
import { PIXEL_RANGES } from '../src/run/index.ts';
import type { Checkpoint } from '../src/train/index.ts';
import { binarynet, cnn, mlp } from '../src/zoo/index.ts';
import { expectSame, useGpu } from './helpers/gpu.ts';
import { EXAMPLES } from './helpers/layer-examples.ts';

/** A model of this layer; what it takes beside the model's input comes from a layer of its own. */
function around(kind: LayerKind): Model {
  const [layer, first = [1], second] = EXAMPLES[kind];
  const start = input(first);
  return model({
    input: start,
    output: second === undefined ? apply(layer, start) : apply(layer, start, apply(layers.affine(), start)),
  });
}

function plain({ name, inputShape, outputShape, layers: entries }: Model): unknown {
  // Methods are compared as files have them.
  const described = {
    ...{ name, inputShape, outputShape },
    layers: entries.map(({ name: own, layer, inputs, parameters, outputShape: shape }) => {
      const { name: _, ...config } = layer.config;
      return { name: own, kind: layer.kind, config, inputs, parameters, shape };
    }),
  };
  return JSON.parse(JSON.stringify(described)) as unknown;
}

const words = (value: ParameterValue | undefined) => (value && isPacked(value) ? value.words : (value ?? []));

describe('the registry of layers', () => {
  test('every factory of src/layers is in it', () => {
    const helpers = ['asReal', 'asSigns', 'declareParameter', 'defineLayer', 'makeLayer', 'rowTensors'];
    const functions = Object.entries(layers).filter(([, value]) => typeof value === 'function');
    const factories = functions.map(([name]) => name).filter((name) => !helpers.includes(name));
    expect(factories.sort()).toEqual([...LAYER_KINDS].sort());
  });

  test.each([...LAYER_KINDS])('%s comes back from a file as it was', (kind) => {
    const source = around(kind);
    expect(EXAMPLES[kind][0].kind).toBe(kind);
    const values = initialValues(source, 3);
    const decoded = decodeModel(encodeModel(source, values));
    expect(plain(decoded.model)).toEqual(plain(source));
    expect([...decoded.values.keys()]).toEqual([...values.keys()]);
  });

  test('a kind that is not known lists the known ones', () => {
    expect(() => makeLayer('softmin', {}, 'here')).toThrow(FormatError);
    expect(() => makeLayer('softmin', {}, 'here')).toThrow(/softmin[\s\S]*batchNormalization, /);
    expect(() => makeLayer('toString', {}, 'here')).toThrow(FormatError);
  });
});

describe('a model file', () => {
  const gpu = useGpu();
  const models = [mlp, cnn, binarynet].map((build) =>
    build({ input: build === binarynet ? [32, 32, 3] : [28, 28, 1], classes: 10 }),
  );

  test.each(models.map((source) => [source.name, source] as const))(
    '%s: as many bytes as the summary says, and a header',
    (_, source) => {
      const bytes = encodeModel(source, initialValues(source, 1));
      const header = 8 + Number(new DataView(bytes.buffer).getBigUint64(0, true));
      expect(bytes.length - header).toBe(summarize(source).total.bytes);
      expect(header).toBeLessThan(8192);
    },
  );

  test('runs to the same scores, and is written again to the same bytes', async () => {
    const source = cnn({ input: [28, 28, 1], classes: 10 });
    const values = initialValues(source, 2);
    const notes = { classes: ['zero', 'one'], pixels: PIXEL_RANGES['-1:1'] };
    const bytes = encodeModel(source, values, notes);
    const decoded = decodeModel(bytes);
    expect(decoded.classes).toEqual(notes.classes);
    expect(decoded.pixels).toEqual(notes.pixels);
    expectSame(encodeModel(decoded.model, decoded.values, decoded), bytes);
    using before = await Network.create(gpu(), source, { values });
    using after = await Network.create(gpu(), decoded.model, { values: decoded.values, forInference: true });
    const samples = Float32Array.from({ length: 3 * 784 }, (_, i) => 2 * uniform01(4, 1, i) - 1);
    expectSame(await after.predict(samples), await before.predict(samples));
    for (const [name, value] of await before.packedValues()) {
      expectSame(words(decoded.values.get(name)), words(value), name);
    }
  });

  test('refuses an option that JSON would change, and values that are not of the model', () => {
    const odd = { ...layers.affine(), config: { limit: Number.POSITIVE_INFINITY } };
    const strange = sequential([odd], { input: [3] });
    expect(() => encodeModel(strange, initialValues(strange, 1))).toThrow(OptionError);
    const small = sequential([layers.dense({ name: 'd', units: 2 })], { input: [3] });
    expect(() => encodeModel(small, new Map())).toThrow(/d\/kernel/);
    expect(() => encodeModel(small, new Map([['d/kernel', new Float32Array(5)]]))).toThrow(/another size/);
  });
});

describe('a checkpoint', () => {
  const source = sequential([layers.dense({ name: 'd', units: 2 })], { input: [3], name: 'small' });
  const progress = { step: 1, epoch: 0, batch: 1, lossSum: 0, correct: 0, count: 0, seconds: 0 };
  const checkpoint = (shape: number[]): Checkpoint => ({
    tensors: new Map([
      ['d/kernel', { dtype: 'F32', shape, data: new Float32Array(6).fill(0.5) }],
      ['d/kernel.m', { dtype: 'F32', shape, data: new Float32Array(6) }],
    ]),
    progress: { ...progress, history: [], fixed: {} },
  });

  test('gives the values of its model, and of no other one', () => {
    const values = checkpointValues(checkpoint([2, 3]), source);
    expect([...values.keys()]).toEqual(['d/kernel']);
    expect(decodeModel(encodeModel(source, values)).values.get('d/kernel')).toEqual(
      new Float32Array(6).fill(0.5),
    );
    expect(() => checkpointValues(checkpoint([3, 2]), source)).toThrow(FormatError);
    const other = sequential([layers.dense({ name: 'e', units: 2 })], { input: [3] });
    expect(() => checkpointValues(checkpoint([2, 3]), other)).toThrow(/no such tensor/);
  });
});

describe('a very deep model', () => {
  const deep = (flats: number) => {
    const between = Array.from({ length: flats }, () => layers.flatten());
    const source = sequential([layers.sign(), ...between, layers.batchNormalization(), layers.sign()], {
      input: [4],
    });
    return encodeModel(source, initialValues(source, 1));
  };

  test('is read and folded up to 4,096 layers, and refused beyond', async () => {
    const loaded = await loadModel(deep(4093));
    expect(loaded.model.layers).toHaveLength(4096);
    await expect(loadModel(deep(4094))).rejects.toThrow(/4097 layers/);
  });
});

describe('a file that is not right', () => {
  const source = sequential(
    [
      layers.quantDense({ name: 'a', units: 3, kernelQuantizer: 'steSign' }),
      layers.batchNormalization({ name: 'b' }),
    ],
    { input: [40], name: 'tiny' },
  );
  const good = encodeModel(source, initialValues(source, 1), { classes: ['x', 'y'] });
  interface Parts {
    tensors: Record<string, { dtype: 'U32' | 'F32'; shape: number[]; data: Uint32Array<ArrayBuffer> }>;
    metadata: Record<string, string>;
    description: {
      name: unknown;
      input: unknown;
      layers: Record<string, unknown>[];
    };
  }
  const spoilt = (change: (parts: Parts) => void): Uint8Array<ArrayBuffer> => {
    const { tensors, metadata } = decodeSafetensors(good.slice(), 'good');
    const parts = {
      tensors: Object.fromEntries(tensors),
      metadata: { ...metadata },
      description: JSON.parse(metadata.model ?? ''),
    } as unknown as Parts;
    change(parts);
    if (parts.metadata.model === metadata.model) parts.metadata.model = JSON.stringify(parts.description);
    return encodeSafetensors(parts.tensors, parts.metadata);
  };
  const layer = (parts: Parts, index: number) => parts.description.layers[index] ?? {};

  test.each<[string, (parts: Parts) => void, RegExp]>([
    ['another kind of file', ({ metadata }) => Object.assign(metadata, { kind: 'lora' }), /no model of/],
    [
      'a checkpoint says how it becomes a model',
      ({ metadata }) => Object.assign(metadata, { kind: 'webgpu-bnn checkpoint' }),
      /webgpu-bnn convert/,
    ],
    ['a later version', ({ metadata }) => Object.assign(metadata, { version: '9' }), /version 9/],
    ['no JSON', ({ metadata }) => Object.assign(metadata, { model: '{' }), /expected: JSON/],
    ['no layers', ({ description }) => description.layers.splice(0), /no layers/],
    [
      'a layer that is none',
      (parts) => Object.assign(layer(parts, 0), { config: null }),
      /layer \{"name":"a"/,
    ],
    [
      'a kind that is not known',
      (parts) => Object.assign(layer(parts, 0), { kind: 'rnn' }),
      /rnn[\s\S]*quantDense/,
    ],
    ['a circle', (parts) => Object.assign(layer(parts, 0), { inputs: [1] }), /a circle/],
    [
      'a layer that leads nowhere',
      (parts) => Object.assign(layer(parts, 1), { inputs: [-1] }),
      /lead nowhere/,
    ],
    [
      'an option of the wrong type',
      (parts) => Object.assign(layer(parts, 0), { config: { units: 'many' } }),
      /units = many/,
    ],
    [
      'a quantizer that is an odd thing',
      (parts) => Object.assign(layer(parts, 0), { config: { units: 3, kernelQuantizer: [null] } }),
      /quantizer/,
    ],
    [
      'an input without extents',
      ({ description }) => Object.assign(description, { input: [0] }),
      /input \[0\]/,
    ],
    [
      'a model too large for its tensors',
      (parts) => Object.assign(layer(parts, 0), { config: { units: 2 ** 40, kernelQuantizer: 'steSign' } }),
      /doesn't fit the model/,
    ],
    ['a tensor that is missing', ({ tensors }) => delete tensors['b/gamma'], /no such tensor/],
    [
      'a tensor of another type',
      ({ tensors }) => Object.assign(tensors['a/kernel'] ?? {}, { shape: [6], data: new Uint32Array(6) }),
      /U32 \[3, 2\]/,
    ],
    [
      'a tensor too many',
      ({ tensors }) => Object.assign(tensors, { 'c/kernel': tensors['a/kernel'] }),
      /no layer[\s\S]*c\/kernel/,
    ],
    [
      'bits past the end of a row',
      ({ tensors }) => tensors['a/kernel']?.data.fill(256, 1, 2),
      /damaged[\s\S]*end of a row/,
    ],
    [
      'more classes than outputs',
      ({ metadata }) => Object.assign(metadata, { 'webgpu_bnn.classes': '["a","b","c","d"]' }),
      /at most 3/,
    ],
    [
      'an encoding of pixels that is none',
      ({ metadata }) => Object.assign(metadata, { pixels: '{"scale":[]}' }),
      /pixels/,
    ],
  ])('%s', (_, change, message) => {
    const bytes = spoilt(change);
    expect(() => decodeModel(bytes, 'file')).toThrow(FormatError);
    expect(() => decodeModel(bytes, 'file')).toThrow(message);
  });
});
