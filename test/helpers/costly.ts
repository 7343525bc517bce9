/** Files of about a megabyte that take as long to read, and as much memory, as files of their format may. */
import { plainBytes } from '../../src/bytes.ts';
import { decodeGgufHeader } from '../../src/formats/gguf.ts';
import { decodeBlocks, READ_TYPES } from '../../src/formats/gguf-types.ts';
import { importOnnx } from '../../src/formats/onnx.ts';
import { importTflite } from '../../src/formats/tflite/index.ts';
import { ggufFile } from './gguf.ts';
import { fileOf, type HandMadeNode } from './onnx-file.ts';
import { assemble, TfliteSketch } from './tflite.ts';

export interface Costly {
  readonly name: string;
  readonly make: () => Uint8Array;
  readonly read: (bytes: Uint8Array) => unknown;
  /** Bytes of all arrays together: what SECURITY.md says. */
  readonly held: (bytes: number) => number;
}

/** Bytes that a reader of each format may hold for a file of so many: what SECURITY.md says. */
export const HELD = {
  onnx: (bytes: number) => 256e6 + 80 * bytes,
  tflite: (bytes: number) => 16e6 + 256 * bytes,
  gguf: (bytes: number) => 2 ** 19 + 32 * bytes,
} as const;

const numbers = (count: number) => Array.from({ length: count }, (_, i) => (i % 255) - 127);
const chain = (count: number, operator: string): [string, string[], Record<string, never>, HandMadeNode][] =>
  Array.from({ length: count }, (_, i) => [
    operator,
    [i === 0 ? 'x' : `n${i - 1}`],
    {},
    { name: 'one name' },
  ]);

/** Everything that a GGUF file holds. */
export function readGguf(bytes: Uint8Array<ArrayBuffer>): void {
  const header = decodeGgufHeader(bytes, bytes.length, 'file');
  for (const { dtype, begin, end } of header?.entries.values() ?? []) {
    if (!READ_TYPES.includes(dtype)) continue;
    decodeBlocks(dtype, bytes.subarray(header?.start ?? 0).subarray(begin, end));
  }
}

const gguf = { read: (bytes: Uint8Array) => readGguf(plainBytes(bytes)), held: HELD.gguf };
/** An array of arrays of arrays. */
const nested = Array.from({ length: 5 }, () => [9, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]).flat();
const onnx = { read: importOnnx, held: HELD.onnx };
const tflite = { read: importTflite, held: HELD.tflite };

export const COSTLY: readonly Costly[] = [
  {
    name: 'ONNX: as many nodes as there may be',
    make: () => fileOf({ input: [1, 4], constants: {}, nodes: chain(32_000, 'Identity') }),
    ...onnx,
  },
  {
    name: 'ONNX: as many layers as there may be',
    make: () => fileOf({ input: [1, 4], constants: {}, nodes: chain(4000, 'Relu') }),
    ...onnx,
  },
  {
    name: 'ONNX: constants',
    make: () =>
      fileOf({
        input: [1, 4],
        constants: Object.fromEntries(Array.from({ length: 40_000 }, (_, i) => [`c${i}`, [[1], [i]]])),
        nodes: [['Relu', ['x']]],
      }),
    ...onnx,
  },
  {
    name: 'ONNX: weights of 8 bits, transposed and scaled again and again',
    make: () =>
      fileOf({
        input: [1, 1000],
        constants: { w: [[1000, 1000], numbers(1e6), 'int8'], s: [[], [0.5]], z: [[], [0], 'int8'] },
        nodes: [
          ['DequantizeLinear', ['w', 's', 'z']],
          ['Transpose', ['n0'], { perm: [1, 0] }],
          ['Mul', ['n1', 's']],
          ['Transpose', ['n2'], { perm: [1, 0] }],
          ['Mul', ['n3', 's']],
          ['Sign', ['n4']],
          ['MatMul', ['x', 'n5']],
        ],
      }),
    ...onnx,
  },
  {
    name: 'TensorFlow Lite: operators',
    make: () => {
      const file = new TfliteSketch();
      let x = file.input([1, 4]);
      for (let i = 0; i < 8000; i++) x = file.op('RELU', [x], { type: 'float32', shape: [1, 4] });
      return assemble(file.build(x));
    },
    ...tflite,
  },
  {
    name: 'TensorFlow Lite: constants by channel, made of one',
    make: () => {
      const file = new TfliteSketch();
      const shape = [1, 2 ** 18];
      let x = file.input(shape);
      for (let i = 0; i < 20; i++)
        x = file.op('ADD', [x, file.constant('float32', [], [1])], { type: 'float32', shape });
      return assemble(file.build(x));
    },
    ...tflite,
  },
  {
    name: 'GGUF: tensors',
    make: () =>
      ggufFile({
        tensors: Array.from({ length: 10_000 }, (_, i) => ({
          name: `tensor ${i}`,
          extents: [1],
          type: 0,
          offset: 32 * i,
        })),
        data: 320_000,
      }),
    ...gguf,
  },
  {
    name: 'GGUF: values, and arrays in arrays',
    make: () =>
      ggufFile({
        values: Array.from({ length: 10_000 }, (_, i) => ({
          ...{
            key: `key ${i}`,
            type: 9,
            value: [...nested, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8],
          },
        })),
      }),
    ...gguf,
  },
  {
    name: 'GGUF: words without letters',
    make: () =>
      ggufFile({
        values: [
          {
            key: 'words',
            type: 9,
            value: [8, 0, 0, 0, 0x48, 0xe8, 1, 0, 0, 0, 0, 0, ...new Uint8Array(1e6)],
          },
        ],
      }),
    ...gguf,
  },
];
