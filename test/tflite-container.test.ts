/** The container of `.tflite` files: what is written by hand is read as it is, and damage is found. */
import { describe, expect, test } from 'vitest';
import { FormatError } from '../src/errors.ts';
import { customIntegers, parseTflite } from '../src/formats/tflite/container.ts';
import { CONV_2D } from '../src/formats/tflite/schema.ts';
import { assemble, TfliteSketch } from './helpers/tflite.ts';

function example(): Uint8Array<ArrayBuffer> {
  const file = new TfliteSketch();
  const x = file.input([1, 4, 4, 3], 'int8', { scale: [0.5], zeroPoint: [-3] });
  const w = file.constant('int8', [2, 1, 1, 3], [1, -2, 3, -4, 5, -128], {
    scale: [0.25, 2],
    zeroPoint: [0, 0],
    axis: 0,
  });
  const bias = file.constant('int32', [2], [-70_000, 2 ** 31 - 1]);
  const y = file.op(
    'CONV_2D',
    [x, w, bias],
    { shape: [1, 4, 2, 2], type: 'int8', scale: [1], zeroPoint: [7] },
    { padding: 1, strideH: 1, strideW: 2, dilationH: 1, dilationW: 3, activation: 3 },
  );
  const z = file.op('LceQuantize', [y], { shape: [1, 4, 2, 1], type: 'int32' });
  const p = file.op(
    'LceBMaxPool2d',
    [z],
    { shape: [1, 2, 2, 1], type: 'int32' },
    { padding: 0, stride_width: 1, stride_height: 2, filter_width: 3, filter_height: 100_000 },
  );
  const g = file.op('GELU', [p, -1], { shape: [1, 2, 2, 1], type: 'int32' });
  return assemble(file.build(g));
}

describe('parseTflite', () => {
  const file = parseTflite(example());

  test('tensors with their constants and scales', () => {
    expect(file.inputs).toEqual([0]);
    expect(file.outputs).toEqual([6]);
    expect(file.tensors[0]).toEqual({
      name: 'tensor0',
      shape: [1, 4, 4, 3],
      type: 9,
      data: undefined,
      isPlain: true,
      quantization: { scales: [0.5], zeroPoints: [-3], axis: 0 },
    });
    expect(file.tensors[1]?.quantization?.scales).toEqual([0.25, 2]);
    expect([...new Int8Array(file.tensors[1]?.data?.slice().buffer ?? new ArrayBuffer())]).toEqual([
      1, -2, 3, -4, 5, -128,
    ]);
    expect([...new Int32Array(file.tensors[2]?.data?.slice().buffer ?? new ArrayBuffer())]).toEqual([
      -70_000,
      2 ** 31 - 1,
    ]);
  });

  test('operators of both kinds, of newer numbers too, with their options and absent inputs', () => {
    expect(file.operators.map(({ where }) => where)).toEqual([
      'CONV_2D 0',
      'LceQuantize 1',
      'LceBMaxPool2d 2',
      'GELU 3',
    ]);
    const [convolution, , pool, gelu] = file.operators;
    const { strideWidth, strideHeight, dilationWidth, dilationHeight } = CONV_2D;
    const slots = [strideWidth, strideHeight, dilationWidth, dilationHeight];
    expect(slots.map((slot) => convolution?.options?.int32(slot, 1))).toEqual([2, 1, 3, 1]);
    expect(convolution?.options?.int8(CONV_2D.padding)).toBe(1);
    expect(convolution?.options?.int8(CONV_2D.activation)).toBe(3);
    expect(gelu?.inputs).toEqual([5, -1]);
    expect(pool && customIntegers(pool, ['filter_height', 'stride_height', 'padding'])).toEqual({
      filter_height: 100_000,
      stride_height: 2,
      padding: 0,
    });
    expect(() => pool && customIntegers(pool, ['channels_in'])).toThrow(/LceBMaxPool2d 2[\s\S]*channels_in/);
  });

  test.each<[string, (bytes: Uint8Array<ArrayBuffer>) => Uint8Array, RegExp]>([
    ['nothing', () => new Uint8Array(), /TFL3/],
    ['text', () => new TextEncoder().encode('{"not": "a flatbuffer"}'), /TFL3/],
    ['half a file', (bytes) => bytes.subarray(0, bytes.length / 2), /of a file of/],
    ['the end alone is missing', (bytes) => bytes.subarray(0, bytes.length - 24), /of a file of/],
    ['the root points outside', (bytes) => patched(bytes, 0, 2 ** 32 - 4), /of a file of/],
    ['the root points at itself', (bytes) => patched(bytes, 0, 0), /TensorFlow Lite/],
  ])('refused: %s', (_, damage, message) => {
    const bytes = damage(example());
    expect(() => parseTflite(bytes)).toThrow(FormatError);
    expect(() => parseTflite(bytes)).toThrow(message);
  });

  test('a large table that many offsets share is not read over and over', () => {
    const file = new TfliteSketch();
    let y = file.input([1, 4]);
    for (let i = 0; i < 500; i++) {
      const inputs = [y, ...new Array<number>(i === 0 ? 20_000 : 0).fill(-1)];
      y = file.op('RELU', inputs, { shape: [1, 4], type: 'float32' });
    }
    const bytes = assemble(file.build(y));
    expect(parseTflite(bytes).operators).toHaveLength(500);
    expect(() => parseTflite(withSharedOffsets(bytes, 500))).toThrow(/many things at once/);
  });
});

function patched(bytes: Uint8Array<ArrayBuffer>, at: number, word: number): Uint8Array {
  new DataView(bytes.buffer).setUint32(at, word, true);
  return bytes;
}

/** Makes all elements of the first vector of `count` offsets lead to where the first one does. */
function withSharedOffsets(bytes: Uint8Array<ArrayBuffer>, count: number): Uint8Array {
  const view = new DataView(bytes.buffer);
  const words = Array.from({ length: bytes.length / 4 }, (_, i) => view.getUint32(4 * i, true));
  const first = 4 * (words.indexOf(count) + 1);
  const target = first + view.getUint32(first, true);
  for (let at = first; at < first + 4 * count; at += 4) view.setUint32(at, target - at, true);
  return bytes;
}
