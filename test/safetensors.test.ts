import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BnnError, FormatError, OptionError, ShapeError } from '../src/errors.ts';
import {
  decodeSafetensors,
  encodeSafetensors,
  type SafetensorsFile,
  type SafetensorsInput,
} from '../src/formats/safetensors.ts';

/** A file with this header and so many bytes of data; `length` replaces the header's length. */
function fileOf(header: unknown, dataBytes = 0, length?: bigint): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + text.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, length ?? BigInt(text.length), true);
  bytes.set(text, 8);
  for (let i = 0; i < dataBytes; i++) bytes[8 + text.length + i] = i;
  return bytes;
}

function failureOf(bytes: Uint8Array<ArrayBuffer>): FormatError {
  try {
    decodeSafetensors(bytes, 'net.safetensors');
  } catch (error) {
    expect(error).toBeInstanceOf(FormatError);
    return error as FormatError;
  }
  throw new Error('the file was accepted');
}

const f32 = (shape: number[], begin: number, end: number) => ({
  dtype: 'F32',
  shape,
  data_offsets: [begin, end],
});

const shapes = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 });
const dtypes = fc.constantFrom(
  ...(['BOOL', 'U8', 'I8', 'F8_E4M3', 'U16', 'I16', 'F16', 'BF16', 'U32', 'I32', 'F32'] as const),
  ...(['U64', 'I64', 'F64'] as const),
);
const WIDE = { U64: BigUint64Array, I64: BigInt64Array, F64: Float64Array };
const NARROW = {
  ...{ BOOL: Uint8Array, U8: Uint8Array, I8: Int8Array, F8_E4M3: Uint8Array },
  ...{ U16: Uint16Array, I16: Int16Array, F16: Uint16Array, BF16: Uint16Array },
  ...{ U32: Uint32Array, I32: Int32Array, F32: Float32Array },
};

/** Any tensor of up to 256 elements, of random bits. */
const tensors: fc.Arbitrary<SafetensorsInput> = fc
  .tuple(dtypes, shapes, fc.integer())
  .map(([dtype, shape, seed]): SafetensorsInput => {
    const size = shape.reduce((product, axis) => product * axis, 1);
    const TypedArray = { ...WIDE, ...NARROW }[dtype];
    const bytes = new Uint8Array(size * TypedArray.BYTES_PER_ELEMENT);
    for (let i = 0; i < bytes.length; i++) bytes[i] = Math.imul(i + 1, seed | 1) >>> 13;
    return { dtype, shape, data: new TypedArray(bytes.buffer) };
  });
const names = fc.oneof(
  fc.string(),
  fc.constantFrom('__proto__', 'constructor', '0', '10', '2', 'dense/kernel', '"', '名'),
);
const contents = fc.record({
  tensors: fc.array(fc.tuple(names, tensors), { maxLength: 6 }),
  metadata: fc.dictionary(names, fc.string(), { maxKeys: 4 }),
});

const bitsOf = (data: SafetensorsInput['data']) => [
  ...new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
];

function expectTensors(file: SafetensorsFile, expected: Readonly<Record<string, SafetensorsInput>>): void {
  expect([...file.tensors.keys()].sort()).toEqual(Object.keys(expected).sort());
  for (const [name, tensor] of Object.entries(expected)) {
    const found = file.tensors.get(name);
    expect(found?.dtype).toBe(tensor.dtype);
    expect(found?.shape).toEqual(tensor.shape);
    expect(found?.data.constructor).toBe(tensor.data.constructor);
    expect(found && bitsOf(found.data)).toEqual(bitsOf(tensor.data));
  }
}

describe('safetensors: writing and reading', () => {
  test('500 random files come back bit by bit, at any alignment', () => {
    fc.assert(
      fc.property(contents, fc.integer({ min: 0, max: 9 }), (content, shift) => {
        const given = Object.fromEntries(content.tensors);
        const written = encodeSafetensors(given, content.metadata);
        const moved = new Uint8Array(written.length + shift).subarray(shift);
        moved.set(written);
        const file = decodeSafetensors(moved, 'random');
        expectTensors(file, given);
        expect(Object.entries(file.metadata).sort()).toEqual(Object.entries(content.metadata).sort());
      }),
      { seed: 1, numRuns: 500 },
    );
  });

  test('the bytes of a known file', () => {
    const bytes = encodeSafetensors(
      {
        a: { dtype: 'U8', shape: [2], data: new Uint8Array([7, 8]) },
        b: { dtype: 'F32', shape: [], data: new Float32Array([1]) },
      },
      { kind: 'x' },
    );
    const header =
      '{"__metadata__":{"kind":"x"},"b":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"a":{"dtype":"U8","shape":[2],"data_offsets":[4,6]}}';
    const padded = header.padEnd(Math.ceil(header.length / 8) * 8);
    expect(Number(new DataView(bytes.buffer).getBigUint64(0, true))).toBe(padded.length);
    expect(new TextDecoder().decode(bytes.subarray(8, 8 + padded.length))).toBe(padded);
    expect([...bytes.subarray(8 + padded.length)]).toEqual([0, 0, 0x80, 0x3f, 7, 8]);
  });

  test('aligned tensors are views, the others copies', () => {
    const bytes = fileOf({ b: { dtype: 'U8', shape: [1], data_offsets: [0, 1] }, a: f32([1], 1, 5) }, 5);
    const { tensors } = decodeSafetensors(bytes, 'f');
    expect(tensors.get('b')?.data.buffer).toBe(bytes.buffer);
    expect(tensors.get('a')?.data.buffer).not.toBe(bytes.buffer);
    expect(bitsOf(tensors.get('a')?.data ?? new Uint8Array())).toEqual([1, 2, 3, 4]);
  });

  test('a copy out of a Node Buffer has a buffer of its own', () => {
    const bytes = fileOf({ b: { dtype: 'U8', shape: [1], data_offsets: [0, 1] }, a: f32([1], 1, 5) }, 5);
    const { tensors } = decodeSafetensors(Buffer.from(bytes.buffer), 'f');
    expect(bitsOf(tensors.get('a')?.data ?? new Uint8Array())).toEqual([1, 2, 3, 4]);
  });

  test('no tensors at all, and offsets given out of order', () => {
    expect(decodeSafetensors(encodeSafetensors({}), 'f').tensors.size).toBe(0);
    const file = decodeSafetensors(fileOf({ b: f32([1], 4, 8), a: f32([1], 0, 4) }, 8), 'f');
    expect([...file.tensors.keys()]).toEqual(['a', 'b']);
  });

  test('an array of another type, a wrong length and the reserved name are refused', () => {
    const data = new Float32Array(3);
    expect(() => encodeSafetensors({ a: { dtype: 'U32', shape: [3], data } })).toThrow(OptionError);
    expect(() => encodeSafetensors({ a: { dtype: 'F32', shape: [2], data } })).toThrow(ShapeError);
    expect(() => encodeSafetensors({ __metadata__: { dtype: 'F32', shape: [3], data } })).toThrow(
      OptionError,
    );
  });
});

describe('safetensors: what a file can have wrong', () => {
  const cases: [string, Uint8Array<ArrayBuffer>, RegExp][] = [
    ['empty', new Uint8Array(), /too short/],
    ['seven bytes', new Uint8Array(7), /too short/],
    ['a header longer than the file', fileOf({}, 0, 3n), /length doesn't fit/],
    ['a header of 2^63 bytes', fileOf({}, 0, 2n ** 63n), /length doesn't fit/],
    ['a header cut short', fileOf({ a: f32([1], 0, 4) }, 4, 20n), /no JSON/],
    ['no JSON', fileOf('{"a":'), /no JSON/],
    ['a list', fileOf('[]'), /no JSON object/],
    ['an empty header', fileOf(''), /no JSON/],
    ['a byte order mark', fileOf('\ufeff{}'), /no JSON/],
    ['a hundred thousand brackets', fileOf('['.repeat(100_000)), /no JSON/],
    [
      'a name twice',
      fileOf(
        '{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"a" :{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}',
      ),
      /twice/,
    ],
    ['a name twice, once escaped', fileOf('{"__metadata__":{"k":"1","\\u006b":"2"}}'), /twice/],
    ['metadata that is a list', fileOf({ __metadata__: ['x'] }), /no map of strings/],
    ['metadata that is a number', fileOf({ __metadata__: { k: 1 } }), /no map of strings/],
    ['a tensor that is null', fileOf({ a: null }), /description/],
    ['an unknown type', fileOf({ a: { ...f32([1], 0, 4), dtype: 'F4' } }, 4), /element type/],
    [
      'a type named after a method',
      fileOf({ a: { ...f32([1], 0, 4), dtype: 'toString' } }, 4),
      /element type/,
    ],
    ['no shape', fileOf({ a: { dtype: 'F32', data_offsets: [0, 4] } }, 4), /shape/],
    ['a negative size', fileOf({ a: f32([-1], 0, 4) }, 4), /shape/],
    ['half an element', fileOf({ a: f32([0.5], 0, 4) }, 4), /shape/],
    [
      'sizes that overflow to a small product',
      fileOf({ a: f32([2 ** 32, 2 ** 32], 0, 0) }),
      /don't fit its shape/,
    ],
    ['three offsets', fileOf({ a: { dtype: 'F32', shape: [1], data_offsets: [0, 4, 8] } }, 8), /no range/],
    ['offsets that go backwards', fileOf({ a: f32([1], 4, 0) }, 4), /no range/],
    ['an end beyond the file', fileOf({ a: f32([2], 0, 8) }, 4), /beyond the end/],
    ['fewer bytes than the shape needs', fileOf({ a: f32([2], 0, 4) }, 4), /don't fit its shape/],
    ['two tensors that overlap', fileOf({ a: f32([1], 0, 4), b: f32([1], 2, 6) }, 6), /overlap/],
    ['a hole', fileOf({ a: f32([1], 0, 4), b: f32([1], 6, 10) }, 10), /between/],
    ['bytes left over', fileOf({ a: f32([1], 0, 4) }, 5), /after the last/],
  ];
  for (const [name, bytes, message] of cases) {
    test(name, () => {
      const error = failureOf(bytes);
      expect(error.what).toMatch(message);
      expect(error.where).toContain('net.safetensors');
      expect(error.remedy).toBeDefined();
    });
  }

  test('the tensor and the offset are named', () => {
    const error = failureOf(fileOf({ 'dense/kernel': f32([1], 0, 4), b: f32([1], 2, 6) }, 6));
    expect(error.where).toContain('tensor "b"');
    expect(error.given).toContain('offset 2');
  });

  test('a tensor called __proto__ pollutes nothing', () => {
    const bytes = fileOf(
      `{"__proto__":${JSON.stringify(f32([1], 0, 4))},"__metadata__":{"__proto__":"x"}}`,
      4,
    );
    const { tensors, metadata } = decodeSafetensors(bytes, 'f');
    expect([...tensors.keys()]).toEqual(['__proto__']);
    expect(Object.entries(metadata)).toEqual([['__proto__', 'x']]);
    expect(Object.getPrototypeOf({})).toBe(Object.prototype);
  });
});

describe('safetensors: damage', () => {
  const intact = encodeSafetensors(
    {
      'dense/kernel': {
        dtype: 'F32',
        shape: [3, 5],
        data: Float32Array.from({ length: 15 }, (_, i) => i / 7),
      },
      'dense/flips': { dtype: 'U32', shape: [4], data: new Uint32Array([1, 2, 3, 4]) },
      labels: { dtype: 'U8', shape: [3], data: new Uint8Array([9, 8, 7]) },
    },
    { kind: 'test', version: '1' },
  );

  test('every truncation is refused', () => {
    for (let length = 0; length < intact.length; length++) failureOf(intact.slice(0, length));
  });

  test('20,000 files with mutated, inserted or removed bytes: a typed error, or a file that holds what it says', () => {
    const edits = fc.array(
      fc.record({
        at: fc.nat(intact.length - 1),
        value: fc.oneof(fc.nat(255), fc.constantFrom(...new TextEncoder().encode('{}[]",:0123456789-e. \\'))),
        kind: fc.constantFrom('set', 'set', 'insert', 'remove', 'repeat'),
      }),
      { minLength: 1, maxLength: 4 },
    );
    const outcomes = { refused: 0, read: 0 };
    fc.assert(
      fc.property(edits, (list) => {
        const bytes = [...intact];
        for (const { at, value, kind } of list) {
          if (kind === 'set') bytes[at] = value;
          else if (kind === 'insert') bytes.splice(at, 0, value);
          else if (kind === 'remove') bytes.splice(at, 1);
          else bytes.splice(at, 0, ...bytes.slice(at, at + 40));
        }
        const damaged = Uint8Array.from(bytes);
        let file: SafetensorsFile;
        try {
          file = decodeSafetensors(damaged, 'damaged');
        } catch (error) {
          expect(error).toBeInstanceOf(BnnError);
          outcomes.refused++;
          return;
        }
        outcomes.read++;
        // What was accepted must be consistent: written again, the same tensors come back.
        const given = Object.fromEntries(file.tensors);
        expectTensors(decodeSafetensors(encodeSafetensors(given, file.metadata), 'again'), given);
        const total = [...file.tensors.values()].reduce((sum, { data }) => sum + data.byteLength, 0);
        expect(total).toBeLessThan(damaged.length);
      }),
      { seed: 7, numRuns: 20_000 },
    );
    // Both happen: bytes of the data can change unnoticed, the header's can't.
    expect(outcomes.refused).toBeGreaterThan(5000);
    expect(outcomes.read).toBeGreaterThan(100);
  });
});
