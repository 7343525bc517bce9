/** What is damaged, and who reads it: for the tests, and for the longer run. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { inflateSync, zipSync } from 'fflate';
import { GGUF_TYPES, READ_TYPES } from '../../src/formats/gguf-types.ts';
import { decodeModel, encodeModel, readBnnPynq } from '../../src/formats/index.ts';
import { exportOnnx, importOnnx } from '../../src/formats/onnx.ts';
import { decodeSafetensorsHeader, encodeSafetensors } from '../../src/formats/safetensors.ts';
import { exportTflite, importTflite } from '../../src/formats/tflite/index.ts';
import { readZipWith } from '../../src/formats/zip.ts';
import { initialValues, sequential } from '../../src/graph/index.ts';
import { batchNormalization, flatten, maxPool2d, quantConv2d, quantDense } from '../../src/layers/index.ts';
import { indexParts, keyWords } from '../../src/node/vector-files.ts';
import { parseStory } from '../../src/reports/story.ts';
import { searchWords } from '../../src/vectors/words.ts';
import { damage, randomOf } from './attack.ts';
import { HELD, readGguf } from './costly.ts';
import { ggufFile } from './gguf.ts';

export interface Attack {
  readonly name: string;
  /** Of the tests. */
  readonly rounds: number;
  readonly make: (round: number) => unknown;
  readonly read: (damaged: never) => unknown;
  /** Bytes of the largest array that the reader may make. */
  readonly allocation: number;
  /** Bytes of all arrays that it may make for one file: what SECURITY.md says. */
  readonly held: number;
}

const BINARY = { kernelQuantizer: 'steSign', inputQuantizer: 'steSign' } as const;
const model = sequential(
  [
    quantConv2d({ name: 'conv', filters: 4, kernelSize: 2, ...BINARY }),
    batchNormalization({ name: 'norm' }),
    maxPool2d({ name: 'pool', poolSize: 2 }),
    flatten({ name: 'flat' }),
    quantDense({ name: 'dense', units: 3, ...BINARY }),
  ],
  { input: [5, 5, 3], name: 'tiny' },
);
const values = initialValues(model, 1);
const own = encodeModel(model, values, { classes: ['a', 'b', 'c'] });
const lite = exportTflite(model, values, { metadata: { note: 'a text' } });
const onnx = exportOnnx(model, values);
const archive = new Uint8Array(zipSync({ 'notes.txt': new Uint8Array(40), 'deep/model.safetensors': own }));

const CNV = join(import.meta.dirname, '..', 'fixtures', 'bnn-pynq', 'cifar10-cnvW1A1');
const folder = new Map(
  readdirSync(CNV).map((name) => [name, new Uint8Array(readFileSync(join(CNV, name)))] as const),
);
const names = [...folder.keys()];

/** A folder with a file that is missing, cut off, too long, under another name, or (it takes long) changed inside. */
function damagedFolder(round: number): Map<string, Uint8Array> {
  const random = randomOf(round);
  const files = new Map<string, Uint8Array>(folder);
  const name = names[random(names.length)] ?? '';
  const bytes = folder.get(name) ?? new Uint8Array();
  if (round % 500 === 0) return files.set(name, damage(bytes, round));
  switch (random(5)) {
    case 0:
      files.delete(name);
      break;
    case 1:
      files.set(name, bytes.subarray(0, random(bytes.length)));
      break;
    case 2: {
      const longer = new Uint8Array(bytes.length + 1 + random(16));
      longer.set(bytes);
      files.set(name, longer);
      break;
    }
    case 3:
      files.delete(name);
      files.set(names[random(names.length)] ?? '', bytes);
      break;
    default:
      files.set(
        'classes.txt',
        damage(folder.get('classes.txt') ?? new Uint8Array(), round).fill(10, 0, random(3)),
      );
      files.set(name, bytes.subarray(0, bytes.length - 1 - random(2)));
  }
  return files;
}

const story = JSON.stringify({
  run: {
    ...{ dataset: 'mnist', model: 'mlp', epochs: 2, batch: 100, optimizer: 'adam', loss: 'squaredHinge' },
    ...{ lr: { from: 0.02, to: 0.001, decay: 'exponential' }, seed: 1, fanScaled: false, augment: false },
  },
  initial: [{ name: 'dense1/kernel', angleDegrees: 30 }],
  epochs: [],
});
const text = new TextEncoder().encode(story);

const [keyCount, keyBits] = [9, 40];
const vectors = encodeSafetensors(
  {
    mean: { dtype: 'F32', shape: [keyBits], data: new Float32Array(keyBits).fill(0.5) },
    keys: {
      ...{ dtype: 'U32', shape: [keyCount, 2] },
      data: Uint32Array.from({ length: 2 * keyCount }, (_, i) => (i % 2 ? i : Math.imul(i + 1, 0x9e3779b9))),
    },
    int8: { dtype: 'I8', shape: [keyCount, keyBits], data: new Int8Array(keyCount * keyBits).fill(-3) },
  },
  { kind: 'webgpu-bnn vector index', version: '1', bits: `${keyBits}` },
);

/** Reads an index from memory as `VectorIndexFile` does piece by piece, and searches it. */
function searchIndex(bytes: Uint8Array<ArrayBuffer>) {
  const header = decodeSafetensorsHeader(bytes, bytes.length, 'index');
  const { keys, mean } = indexParts(header, 'index');
  const own = bytes.slice(header.start + keys.begin, header.start + keys.end);
  const bits = mean.shape[0] ?? 0;
  const words = keyWords(own, bits, 0, 'index');
  searchWords(words.slice(0, Math.ceil(bits / 32)), words, bits, 1);
}

/** A tensor of every type whose elements are read, and a value of every kind. */
const types = READ_TYPES.map((name) => GGUF_TYPES[name]);
const gguf = ggufFile({
  values: [
    { key: 'text', type: 8, value: [3, 0, 0, 0, 0, 0, 0, 0, 97, 98, 99] },
    { key: 'general.alignment', type: 4, value: [4, 0, 0, 0] },
    {
      key: 'words',
      type: 9,
      value: [8, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 97, ...new Array(8).fill(0)],
    },
    { key: 'truths', type: 9, value: [7, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1, 0] },
    { key: 'number', type: 10, value: [1, 2, 3, 4, 5, 6, 7, 8] },
  ],
  tensors: types.map(({ code, block }, i) => ({
    ...{ name: `tensor ${i}`, extents: [block, 2], type: code },
    offset: types.slice(0, i).reduce((sum, { bytes }) => sum + 4 * Math.ceil(bytes / 2), 0),
  })),
  data: types.reduce((sum, { bytes }) => sum + 4 * Math.ceil(bytes / 2), 0),
});

export const ATTACKS: readonly Attack[] = [
  {
    name: 'record of a run',
    rounds: 30_000,
    make: (round) => new TextDecoder().decode(damage(text, round)),
    read: (damaged: string) => parseStory(damaged, 'story'),
    allocation: 2 * text.length + 64,
    held: 4096,
  },
  {
    name: "this library's own model file",
    rounds: 100_000,
    make: (round) => damage(own, round),
    read: (bytes: Uint8Array<ArrayBuffer>) => decodeModel(bytes),
    // Tensors are views into the file.
    allocation: 2 * own.length,
    held: 4 * own.length,
  },
  {
    name: 'index of vectors',
    rounds: 10_000,
    make: (round) => damage(vectors, round),
    read: searchIndex,
    allocation: 2 * vectors.length,
    held: 4 * vectors.length,
  },
  {
    name: 'zip archive',
    rounds: 100_000,
    make: (round) => damage(archive, round),
    read: (bytes: Uint8Array<ArrayBuffer>) => readZipWith(inflateSync, bytes, 'zip'),
    // What deflate can make of the archive at most.
    allocation: 1032 * 2 * archive.length,
    held: 2 ** 24 + 64 * 2 * archive.length,
  },
  {
    name: 'GGUF',
    rounds: 30_000,
    make: (round) => damage(gguf, round),
    read: readGguf,
    allocation: HELD.gguf(2 * gguf.length),
    held: HELD.gguf(2 * gguf.length),
  },
  {
    name: 'BNN-PYNQ folder',
    rounds: 100_000,
    make: damagedFolder,
    read: (files: Map<string, Uint8Array>) => readBnnPynq(files),
    // Kernels take fewer bytes than the files that they come from, and a file becomes a little longer here.
    allocation: Math.max(...[...folder.values()].map(({ length }) => length)) + 64,
    held: 8 * [...folder.values()].reduce((sum, { length }) => sum + length, 0),
  },
];

/** With those whose tests try 100,000 files of their own. */
export const ALL_ATTACKS: readonly Attack[] = [
  ...ATTACKS,
  {
    name: 'ONNX',
    rounds: 100_000,
    make: (round) => damage(onnx, round),
    read: (bytes: Uint8Array<ArrayBuffer>) => importOnnx(bytes),
    allocation: HELD.onnx(onnx.length),
    held: HELD.onnx(onnx.length),
  },
  {
    name: 'TensorFlow Lite',
    rounds: 100_000,
    make: (round) => damage(lite, round),
    read: (bytes: Uint8Array<ArrayBuffer>) => importTflite(bytes),
    allocation: HELD.tflite(lite.length),
    held: HELD.tflite(lite.length),
  },
];
