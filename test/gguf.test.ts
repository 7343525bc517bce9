/** GGUF files: read piece by piece, listed, measured, and refused where they lie. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FormatError } from '../src/errors.ts';
import { decodeGgufHeader, type GgufHeader } from '../src/formats/gguf.ts';
import { decodeBlocks, encodeQ1, GGUF_TYPES, type GgufType, READ_TYPES } from '../src/formats/gguf-types.ts';
import { encodeSafetensors } from '../src/formats/safetensors.ts';
import { filtersAlong } from '../src/geometry/axis.ts';
import { writeOneBit } from '../src/node/one-bit.ts';
import { MEASURED_TYPES, openModel, storedFilters } from '../src/node/tensors.ts';
import { fromBrain, fromHalf, toHalf, widenBrains, widenHalves } from '../src/numerics/halves.ts';
import { GROUP_SIZES, GroupSums } from '../src/numerics/one-bit.ts';
import { normal } from '../src/numerics/random.ts';
import { decodeBf16, decodeF16, filterGeometry } from '../src/reference/geometry.ts';
import type { GeometryReport } from '../src/reports/geometry.ts';
import { parseSurvey } from '../src/reports/survey.ts';
import { randomOf } from './helpers/attack.ts';
import { buildCli, runCli } from './helpers/cli.ts';
import { ggufFile } from './helpers/gguf.ts';
import { contentOf, expectSelfContained } from './helpers/page.ts';

/** Written by gguf-py: see make.py beside it. */
const FIXTURE = join(import.meta.dirname, 'fixtures', 'gguf', 'types.gguf');
const folder = mkdtempSync(join(tmpdir(), 'webgpu-bnn gguf '));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const headerOf = (bytes: Uint8Array<ArrayBuffer>, size = bytes.length) =>
  decodeGgufHeader(bytes, size, 'file') as GgufHeader;
const fixture = new Uint8Array(readFileSync(FIXTURE));

/** Element `i` of blocks, by the layouts of ggml-common.h, each element on its own, in float64. */
function elementOf(type: GgufType, bytes: Uint8Array, i: number): number {
  const { block, bytes: size } = GGUF_TYPES[type];
  const at = size * Math.floor(i / block);
  const k = i % block;
  const u8 = (place: number) => bytes[at + place] ?? 0;
  const half = (place: number) => decodeF16(u8(place) + 256 * u8(place + 1));
  /** Digit n of a byte that is ceil(256·t / 243), t < 243. */
  const trit = (byte: number, n: number) => Math.floor((((byte * 3 ** n) % 256) * 3) / 256);
  switch (type) {
    case 'F16':
      return half(0);
    case 'BF16':
      return decodeBf16(u8(0) + 256 * u8(1));
    case 'Q8_0':
      return half(0) * (u8(2 + k) - (u8(2 + k) > 127 ? 256 : 0));
    case 'Q1_0':
      return Math.floor(u8(2 + Math.floor(k / 8)) / 2 ** (k % 8)) % 2 === 1 ? half(0) : -half(0);
    case 'TQ1_0': {
      const digit =
        k < 160
          ? trit(u8(k % 32), Math.floor(k / 32))
          : k < 240
            ? trit(u8(32 + (k % 16)), Math.floor((k - 160) / 16))
            : trit(u8(48 + (k % 4)), Math.floor((k - 240) / 4));
      return half(52) * (digit - 1);
    }
    case 'TQ2_0': {
      const byte = u8(32 * Math.floor(k / 128) + (k % 32));
      return half(64) * ((Math.floor(byte / 4 ** (Math.floor(k / 32) % 4)) % 4) - 1);
    }
    default:
      return new DataView(bytes.buffer, bytes.byteOffset).getFloat32(at, true);
  }
}

describe('elements', () => {
  test('of every type are what gguf-py made of its file, to the bit', () => {
    const { entries, start } = headerOf(fixture);
    const numbers = (name: string) => {
      const { dtype, begin, end } = entries.get(name) as { dtype: GgufType; begin: number; end: number };
      return decodeBlocks(dtype, fixture.subarray(start + begin, start + end));
    };
    for (const type of READ_TYPES) {
      const expected = numbers(type === 'F32' ? 'F32' : `${type}.expected`);
      expect(numbers(type), type).toEqual(expected);
      expect(expected.length).toBe(512);
    }
  });

  test.each(READ_TYPES)('%s: random blocks are what their layout says, one element at a time', (type) => {
    const random = randomOf(7);
    const { block, bytes } = GGUF_TYPES[type];
    const blocks = Uint8Array.from({ length: 12 * bytes }, () => random(256));
    const values = decodeBlocks(type, blocks);
    expect(values.length).toBe(12 * block);
    values.forEach((value, i) => {
      const expected = Math.fround(elementOf(type, blocks, i));
      if (value !== expected) expect(value, `${type} ${i}`).toBe(expected);
    });
  });

  test('halves: all of them to and fro, and what lies between two', () => {
    const all = Uint16Array.from({ length: 65_536 }, (_, i) => i);
    const [halves, brains] = [widenHalves(all), widenBrains(all)];
    let wrong = 0;
    for (const bits of all) {
      const number = fromHalf(bits);
      if (!Object.is(number, decodeF16(bits)) || !Object.is(halves[bits], number)) wrong++;
      if (!Object.is(fromBrain(bits), decodeBf16(bits)) || !Object.is(brains[bits], decodeBf16(bits)))
        wrong++;
      if (!Number.isNaN(number) && toHalf(number) !== bits) wrong++;
      // Between a finite one and the next: to the nearer, and in the middle to the even one.
      if ((bits & 0x7fff) < 0x7bff) {
        const next = decodeF16(bits + 1);
        const middle = (number + next) / 2;
        if (toHalf(middle) !== bits + (bits & 1)) wrong++;
        if (toHalf(middle + (number - next) / 1e6) !== bits) wrong++;
        if (toHalf(middle - (number - next) / 1e6) !== bits + 1) wrong++;
      }
    }
    expect(wrong).toBe(0);
    expect([65_519.99, 65_520, -1e9, Number.NaN].map(toHalf)).toEqual([0x7bff, 0x7c00, 0xfc00, 0x7e00]);
  });
});

describe('headers', () => {
  test('say what gguf-py wrote', () => {
    const { version, alignment, metadata, entries } = headerOf(fixture);
    expect([version, alignment]).toEqual([3, 32]);
    const said = [...metadata].map(([key, one]) => [key, 'value' in one ? one.value : one.length]);
    expect(Object.fromEntries(said)).toMatchObject({
      ...{ 'general.architecture': 'llama', 'general.name': 'types', 'test.uint8': 200, 'test.int8': -100 },
      ...{ 'test.uint16': 60_000, 'test.int16': -30_000, 'test.uint32': 4e9, 'test.int32': -2e9 },
      ...{ 'test.float32': 0.5, 'test.float64': 0.1, 'test.uint64': '9223372036854775809' },
      ...{ 'test.int64': -5, 'test.bool': true, 'test.words': 20, 'test.numbers': 3 },
    });
    expect(metadata.get('test.words')).toMatchObject({
      of: 'string',
      first: [{ value: 'word 0' }, {}, {}, {}, {}, {}, {}, {}],
    });
    expect(entries.get('Q4_0')).toMatchObject({ dtype: 'Q4_0', shape: [2, 256] });
    expect(entries.get('one')).toMatchObject({ dtype: 'F32', shape: [5] });
  });

  test('of any length are found: more is asked for as long as it is missing', () => {
    const { start } = headerOf(fixture);
    for (const length of [0, 3, 24, 100, 1000, start - 100]) {
      expect(decodeGgufHeader(fixture.slice(0, length), fixture.length, 'file'), `${length}`).toBeUndefined();
      expect(() => headerOf(fixture.slice(0, length)), `${length}`).toThrow(FormatError);
    }
    expect(headerOf(fixture.slice(0, start), fixture.length)).toEqual(headerOf(fixture));
  });

  const one = { name: 't', extents: [4, 2], type: 0, offset: 0 };
  const key = { key: 'k', type: 4, value: [1, 0, 0, 0] };
  test.each<[string, Parameters<typeof ggufFile>[0], RegExp]>([
    ['another magic', { magic: 'GGML' }, /no GGUF/],
    ['version 1', { version: 1 }, /version/],
    ['the other end first', { version: 3 * 2 ** 24 }, /most significant byte first/],
    ['more tensors than bytes', { tensorCount: 2n ** 40n }, /more tensors than/],
    ['more values than bytes', { valueCount: 2n ** 63n }, /so many values/],
    ['a key twice', { values: [key, key] }, /twice[\s\S]*"k"/],
    ['a key without end', { values: [{ ...key, keyLength: 2n ** 50n }] }, /too long/],
    ['a key that is no text', { values: [{ ...key, key: '\u0000', keyBytes: [0xff] }] }, /no text/],
    ['a type of value that there is not', { values: [{ ...key, type: 13 }] }, /unknown type[\s\S]*13/],
    [
      'a text beyond the file',
      { values: [{ ...key, type: 8, value: [255, 255, 255, 255, 0, 0, 0, 0] }] },
      /ends within/,
    ],
    ['a truth of 2', { values: [{ ...key, type: 7, value: [2] }] }, /truth/],
    [
      'an array beyond the file',
      { values: [{ ...key, type: 9, value: [0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0] }] },
      /more elements/,
    ],
    [
      'arrays in arrays',
      {
        values: [
          {
            ...key,
            type: 9,
            value: Array.from({ length: 12 }, () => [9, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]).flat(),
          },
        ],
      },
      /too deep/,
    ],
    [
      'an alignment of 24',
      { values: [{ ...key, key: 'general.alignment', value: [24, 0, 0, 0] }] },
      /power of two/,
    ],
    [
      'an alignment of 0',
      { values: [{ ...key, key: 'general.alignment', value: [0, 0, 0, 0] }] },
      /power of two/,
    ],
    [
      'an alignment in words',
      { values: [{ ...key, key: 'general.alignment', type: 8, value: [0, 0, 0, 0, 0, 0, 0, 0] }] },
      /power of two/,
    ],
    ['five axes', { tensors: [{ ...one, extents: [1, 1, 1, 1, 1] }] }, /too many axes/],
    ['extents whose product wraps', { tensors: [{ ...one, extents: [2 ** 32, 2 ** 32] }] }, /beyond the end/],
    ['an endless axis', { tensors: [{ ...one, extents: [2n ** 60n] }] }, /so long an axis/],
    ['an element type that is gone', { tensors: [{ ...one, type: 31 }] }, /not known here[\s\S]*31/],
    ['half a block', { tensors: [{ ...one, extents: [64, 2], type: 41 }] }, /whole blocks[\s\S]*128/],
    ['an offset off the alignment', { tensors: [{ ...one, offset: 8 }] }, /not aligned/],
    ['two tensors in one place', { tensors: [one, { ...one, name: 'u' }] }, /overlap/],
    ['a hole', { tensors: [one, { ...one, name: 'u', offset: 96 }] }, /bytes between/],
    ['two of one name', { tensors: [one, { ...one, offset: 32 }] }, /one name/],
    ['a tensor beyond the file', { tensors: [one], data: 16 }, /beyond the end/],
    ['bytes behind the last', { tensors: [one], data: 96 }, /after the last/],
  ])('that lie are refused: %s', (_, parts, message) => {
    const whole = headerOf(ggufFile({ tensors: [one], values: [key] }));
    expect([...whole.entries.keys()]).toEqual(['t']);
    expect(() => headerOf(ggufFile(parts))).toThrow(message);
    expect(() => headerOf(ggufFile(parts))).toThrow(FormatError);
  });

  test('of version 2, with an alignment of its own and a scalar', () => {
    const bytes = ggufFile({
      version: 2,
      values: [{ key: 'general.alignment', type: 4, value: [64, 0, 0, 0] }],
      tensors: [one, { ...one, name: 'scalar', extents: [], offset: 64 }],
    });
    const { version, start, entries } = headerOf(bytes);
    expect([version, start % 64]).toEqual([2, 0]);
    expect([...entries.values()]).toEqual([
      { dtype: 'F32', shape: [2, 4], begin: 0, end: 32 },
      { dtype: 'F32', shape: [], begin: 64, end: 68 },
    ]);
  });
});

describe('files', () => {
  let cli = '';
  beforeAll(async () => {
    cli = await buildCli();
  });
  const bnn = (...args: string[]) => runCli(cli, args, { cwd: folder });

  test('elements are read from any place on, also within blocks', async () => {
    const model = await openModel(FIXTURE);
    expect(MEASURED_TYPES).toEqual(READ_TYPES);
    for (const type of ['Q8_0', 'Q1_0', 'TQ1_0', 'TQ2_0']) {
      const find = (name: string) => {
        const found = model.tensors.find((tensor) => tensor.name === name);
        if (found === undefined) throw new Error(name);
        return storedFilters(found);
      };
      const whole = new Uint8Array(2048);
      await find(`${type}.expected`).read(0, whole);
      for (const [first, count] of [
        [0, 512],
        [100, 200],
        [255, 2],
        [511, 1],
      ] as const) {
        const part = new Uint8Array(4 * count);
        await find(type).read(4 * first, part);
        expect(part, `${type} ${first}`).toEqual(whole.slice(4 * first, 4 * (first + count)));
      }
      const turned = filtersAlong(find(type), -1);
      expect(turned).toMatchObject({ shape: [256, 2], format: 'f32' });
      const filter = new Uint8Array(8);
      await turned.read(8 * 200, filter);
      expect([...filter]).toEqual([...whole.slice(800, 804), ...whole.slice(1824, 1828)]);
    }
    await model.close();
  });

  test('of a folder are one model where they are its parts, and else several', async () => {
    const names = async (inside: string) => {
      const model = await openModel(join(folder, inside));
      await model.close();
      return model.tensors.map(({ name }) => name);
    };
    const put = (path: string, name: string) => {
      mkdirSync(join(folder, dirname(path)), { recursive: true });
      const tensors = [{ name, extents: [4, 2], type: 0, offset: 0 }];
      writeFileSync(join(folder, path), ggufFile({ tensors }));
    };
    put('parts/m-00001-of-00002.gguf', 'a');
    put('parts/m-00002-of-00002.gguf', 'b');
    expect(await names('parts')).toEqual(['a', 'b']);
    put('models/x.gguf', 'a');
    expect(await names('models')).toEqual(['a']);
    put('models/y.gguf', 'a');
    expect(await names('models')).toEqual(['x:a', 'y:a']);
  });

  test('inspect lists what is in them', async () => {
    const { code, stdout, stderr } = await bnn('inspect', FIXTURE);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toContain('format   GGUF, version 3');
    expect(stdout).toMatch(/test\.words +│ 20 string +│ word 0, word 1/);
    expect(stdout).toMatch(/│ Q1_0 +│ Q1_0 +│ 2 x 256 │ +1\.125 │ +72 │/);
    expect(stdout).toMatch(/│ TQ1_0 +│ TQ1_0 +│ 2 x 256 │ +1\.6875 │ +108 │/);
    const json = JSON.parse((await bnn('inspect', FIXTURE, '--json')).stdout);
    expect(json).toMatchObject({ format: 'gguf', version: 3, total: { tensors: 15, weights: 7173 } });
    expect(json.tensors.find(({ name }: { name: string }) => name === 'TQ2_0')).toEqual({
      ...{ name: 'TQ2_0', type: 'TQ2_0', shape: [2, 256], bitsAWeight: 2.0625, bytes: 132 },
    });
  });

  test('geometry measures every tensor whose type is read, and says which are not', async () => {
    const { code, stdout, stderr } = await bnn('geometry', FIXTURE, '--json', 'out.json');
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(
      /left out: Q4_0 \(Q4_0: only F32, F16, BF16, Q8_0, Q1_0, TQ1_0, TQ2_0 are measured/,
    );
    const { layers } = JSON.parse(readFileSync(join(folder, 'out.json'), 'utf8')) as GeometryReport;
    const { entries, start } = headerOf(fixture);
    for (const type of READ_TYPES) {
      const layer = layers.find(({ name }) => name === type);
      const { begin, end } = entries.get(type) as { begin: number; end: number };
      const values = decodeBlocks(type, fixture.subarray(start + begin, start + end));
      const rows = [values.subarray(0, 256), values.subarray(256)].map((row) => filterGeometry(row));
      const mean = (rows[0]?.angleDegrees ?? 0) / 2 + (rows[1]?.angleDegrees ?? 0) / 2;
      expect(layer?.meanAngle, type).toBeCloseTo(mean, 3);
      expect(layer?.format.toUpperCase()).toBe(type);
    }
  });

  test('names and values that steer terminals are printed in words', async () => {
    const evil = 'evil\x1b[2J\u009b31m\u202e';
    const value = [...new TextEncoder().encode(evil)];
    const text = [value.length, 0, 0, 0, 0, 0, 0, 0, ...value];
    const tensors = [{ name: evil, extents: [4, 2], type: 0, offset: 0 }];
    writeFileSync(
      join(folder, 'evil.gguf'),
      ggufFile({ values: [{ key: evil, type: 8, value: text }], tensors }),
    );
    const { code, stdout } = await bnn('inspect', 'evil.gguf');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    expect(stdout).not.toMatch(/[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]/);
    expect(stdout.split('evil\\u001b[2J\\u009b31m\\u202e').length).toBe(4);
    expect(code).toBe(0);
  });

  test('damaged ones are refused by both commands, with a remedy', async () => {
    writeFileSync(join(folder, 'cut off.gguf'), fixture.slice(0, 3000));
    for (const command of ['inspect', 'geometry']) {
      const { code, stderr } = await bnn(command, 'cut off.gguf');
      expect(stderr).toMatch(/FormatError: A tensor reaches beyond[\s\S]*remedy/);
      expect(code).toBe(1);
    }
  });
});

describe('weights of one bit', () => {
  let cli = '';
  beforeAll(async () => {
    cli = await buildCli();
  });
  const bnn = (...args: string[]) => runCli(cli, args, { cwd: folder });
  const gaussian = (seed: number, count: number, scale = 1) =>
    Float32Array.from({ length: count }, (_, i) => scale * normal(seed, 1, i));

  /** w in groups of `size`, ŵ, and what both have in common, as the definitions say it. */
  function twin(w: Float32Array, size: number) {
    const scales = Array.from({ length: w.length / size }, (_, group) => {
      const weights = w.slice(group * size, (group + 1) * size);
      return decodeF16(toHalf(weights.reduce((sum, one) => sum + Math.abs(one), 0) / size));
    });
    const made = Array.from(w, (weight, i) => (scales[Math.floor(i / size)] ?? 0) * (weight < 0 ? -1 : 1));
    const dot = (a: ArrayLike<number>, b: ArrayLike<number>) =>
      Array.from(a).reduce((sum, one, i) => sum + one * (b[i] ?? 0), 0);
    const cosine = dot(w, made) / Math.sqrt(dot(w, w) * dot(made, made));
    const rest = Array.from(w, (weight, i) => weight - (made[i] ?? 0));
    return { angle: (Math.acos(cosine) * 180) / Math.PI, error: Math.sqrt(dot(rest, rest) / dot(w, w)) };
  }

  test.each([192, 96, 27, 4096])(
    'groups of a filter of %i weights are what their definition says',
    (dimension) => {
      const rows = [1, 2, 3].map((seed) => gaussian(seed, dimension, 0.02 * seed));
      const sums = new GroupSums(dimension);
      for (const row of rows) sums.add(row);
      const { norm, groups } = sums.result();
      const w = Float32Array.from(rows.flatMap((row) => [...row]));
      expect(norm).toBeCloseTo(Math.sqrt(w.reduce((sum, one) => sum + one * one, 0)), 6);
      expect(groups.map(({ size }) => size)).toEqual([
        ...GROUP_SIZES.filter((size) => size < dimension && dimension % size === 0),
        dimension,
      ]);
      for (const { size, bits, angle, error } of groups) {
        const expected = twin(w, size);
        expect(bits).toBe(1 + 16 / size);
        expect(angle, `${size}`).toBeCloseTo(expected.angle, 4);
        expect(error, `${size}`).toBeCloseTo(expected.error, 6);
      }
    },
  );

  test('normal weights turn and err as the closed forms say; small and broken ones are no exception', () => {
    const sums = new GroupSums(8192);
    for (let seed = 0; seed < 40; seed++) sums.add(gaussian(seed, 8192));
    for (const { size, angle, error, expectedAngle, expectedError } of sums.result().groups) {
      expect(error, `${size}`).toBeCloseTo(expectedError, 2);
      expect(Math.abs(angle - expectedAngle), `${size}`).toBeLessThan(0.2);
    }
    const { expectedAngle, expectedError } = sums.result().groups.at(-1) ?? {
      expectedAngle: 0,
      expectedError: 0,
    };
    expect(expectedError).toBeCloseTo(Math.sqrt(1 - 2 / Math.PI), 4);
    expect(expectedAngle).toBeCloseTo(37.07, 1);
    const broken = new GroupSums(64);
    broken.add(gaussian(1, 64).fill(Number.NaN, 0, 3).fill(Number.POSITIVE_INFINITY, 3, 5));
    const zeroed = new GroupSums(64);
    zeroed.add(gaussian(1, 64).fill(0, 0, 5));
    expect(broken.result()).toEqual(zeroed.result());
    // Below half of the smallest half float the scale is 0, and nothing is left.
    const tiny = new GroupSums(32);
    tiny.add(gaussian(1, 32, 1e-9));
    expect(tiny.result().groups[0]?.error).toBe(1);
    expect(new GroupSums(32).result().groups[0]?.error).toBeNaN();
  });

  test('blocks of Q1_0 are those of a plain twin, to the bit', () => {
    const w = gaussian(3, 128 * 50);
    w.set([0, -0, -1e-40, 1e-40]);
    const blocks = encodeQ1(w, 'w');
    expect(blocks.length).toBe(18 * 50);
    for (let group = 0; group < 50; group++) {
      const values = [...w.subarray(128 * group, 128 * (group + 1))];
      const mean = values.reduce((sum, one) => Math.fround(sum + Math.abs(one)), 0) / 128;
      const bytes = blocks.subarray(18 * group, 18 * (group + 1));
      expect((bytes[0] ?? 0) + 256 * (bytes[1] ?? 0)).toBe(toHalf(mean));
      const bits = values.map((value) => (value >= 0 ? 1 : 0));
      expect(bits.every((bit, i) => bit === (((bytes[2 + Math.floor(i / 8)] ?? 0) >> (i % 8)) & 1))).toBe(
        true,
      );
    }
    // As gguf-py's file has it.
    const { entries, start } = headerOf(fixture);
    const of = (name: string) => {
      const { begin = 0, end = 0 } = entries.get(name) ?? {};
      return fixture.slice(start + begin, start + end);
    };
    expect(encodeQ1(new Float32Array(of('F32').buffer), 'F32')).toEqual(of('Q1_0'));
    for (const wrong of [Number.NaN, Number.POSITIVE_INFINITY, 1e8]) {
      expect(() => encodeQ1(new Float32Array(128).fill(wrong), 'w')).toThrow(FormatError);
    }
  });

  test('convert writes them, and the file reads as it was to be', async () => {
    const brain = Uint16Array.from(new Uint32Array(gaussian(5, 2 * 384).buffer), (bits) => bits >>> 16);
    const tensors = {
      'big one': { dtype: 'F32', shape: [3, 2, 128 * 1100], data: gaussian(4, 6 * 128 * 1100) },
      brain: { dtype: 'BF16', shape: [2, 384], data: brain },
      conv: { dtype: 'F32', shape: [4, 3, 3, 3], data: gaussian(6, 108) },
      norm: { dtype: 'F32', shape: [256], data: gaussian(7, 256) },
      tokens: { dtype: 'U8', shape: [2, 128], data: new Uint8Array(256) },
      deep: { dtype: 'F32', shape: [1, 1, 1, 1, 128], data: new Float32Array(128) },
    } as const;
    writeFileSync(join(folder, 'some model.safetensors'), encodeSafetensors(tensors));
    const { code, stdout, stderr } = await bnn('convert', 'some model.safetensors', 'small.gguf');
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toContain('one bit   845,568 weights of 2 tensors, 1.125 bits each (Q1_0)');
    expect(stdout).toMatch(/kept +364 weights as they are: (conv|norm) \(F32\), (conv|norm) \(F32\)/);
    expect(stdout).toContain('left out  tokens: GGUF has no U8');
    expect(stdout).toContain('left out  deep: more than 4 axes');
    expect(stdout).toContain('verified');
    const bytes = new Uint8Array(readFileSync(join(folder, 'small.gguf')));
    const { entries, start, metadata, alignment } = headerOf(bytes);
    expect(bytes.length % alignment).toBe(0);
    expect(metadata.get('general.name')).toEqual({ type: 'string', value: 'some model' });
    expect(metadata.get('general.file_type')).toEqual({ type: 'uint32', value: 40 });
    const read = (name: string) => {
      const { dtype, begin, end } = entries.get(name) as { dtype: GgufType; begin: number; end: number };
      return decodeBlocks(dtype, bytes.subarray(start + begin, start + end));
    };
    const dequantized = (w: Float32Array) =>
      Float32Array.from(w, (weight, i) => {
        const first = i - (i % 128);
        let sum = 0;
        for (let k = first; k < first + 128; k++) sum = Math.fround(sum + Math.abs(w[k] ?? 0));
        return decodeF16(toHalf(sum / 128)) * (weight < 0 ? -1 : 1);
      });
    const equal = (a: Float32Array, b: Float32Array) =>
      Buffer.compare(Buffer.from(a.buffer), Buffer.from(b.buffer));
    expect(entries.get('big one')).toMatchObject({ dtype: 'Q1_0', shape: [3, 2, 128 * 1100] });
    expect(equal(read('brain'), dequantized(widenBrains(brain)))).toBe(0);
    expect(read('conv')).toEqual(tensors.conv.data);
    expect(read('norm')).toEqual(tensors.norm.data);
    const part = 128 * 40;
    expect(equal(read('big one').slice(-part), dequantized(tensors['big one'].data.slice(-part)))).toBe(0);

    // Not over another file, and not of a file without such rows; nothing else is left behind.
    const again = await bnn('convert', 'some model.safetensors', 'small.gguf');
    expect([again.code, again.stderr]).toEqual([2, expect.stringContaining('--overwrite')]);
    const odd = { w: { dtype: 'F32', shape: [4, 100], data: gaussian(1, 400) } } as const;
    writeFileSync(join(folder, 'odd.safetensors'), encodeSafetensors(odd));
    const none = await bnn('convert', 'odd.safetensors', 'none.gguf');
    expect([none.code, none.stderr]).toEqual([2, expect.stringContaining('multiples of 128')]);
    const wrong = {
      w: { dtype: 'F32', shape: [1, 128], data: new Float32Array(128).fill(Number.NaN) },
    } as const;
    writeFileSync(join(folder, 'wrong.safetensors'), encodeSafetensors(wrong));
    await expect(writeOneBit(join(folder, 'wrong.safetensors'), join(folder, 'none.gguf'))).rejects.toThrow(
      FormatError,
    );
    expect(readdirSync(folder).filter((name) => name.includes('none'))).toEqual([]);
  });

  test('of a GGUF file keep its values, and tensors of Q1_0 as they are', async () => {
    const out = join(folder, 'again.gguf');
    const { tensors } = await writeOneBit(FIXTURE, out);
    expect(tensors.find(({ name }) => name === 'TQ2_0')?.dtype).toBe('Q1_0');
    expect(tensors.find(({ name }) => name === 'Q4_0')?.dtype).toBe('Q4_0');
    const [bytes, before] = [new Uint8Array(readFileSync(out)), headerOf(fixture)];
    const after = headerOf(bytes);
    for (const [key, value] of before.metadata) expect(after.metadata.get(key), key).toEqual(value);
    const of = (file: Uint8Array, { start, entries }: GgufHeader, name: string) => {
      const { begin = 0, end = 0 } = entries.get(name) ?? {};
      return file.slice(start + begin, start + end);
    };
    for (const name of ['Q1_0', 'Q4_0', 'one']) {
      expect(of(bytes, after, name), name).toEqual(of(fixture, before, name));
    }
    // Q1_0 of what Q1_0 stands for is the same.
    expect(of(bytes, after, 'Q1_0.expected')).toEqual(of(fixture, before, 'Q1_0'));
  });

  test('geometry --groups says what they would be, in a table, as JSON and in a figure', async () => {
    const w = gaussian(8, 16 * 256);
    const tensors = {
      w: { dtype: 'F32', shape: [16, 256], data: w },
      conv: { dtype: 'F32', shape: [4, 3, 3, 3], data: gaussian(6, 108) },
    } as const;
    writeFileSync(join(folder, 'groups.safetensors'), encodeSafetensors(tensors));
    const { code, stdout, stderr } = await bnn(
      ...['geometry', 'groups.safetensors', '--groups', '--json', 'groups.json', '--html', 'groups.html'],
      ...['--resume', 'groups.survey', '--csv', 'groups.csv'],
    );
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/weights to a scale +│ +32 │ +64 │ +128 │ filter/);
    expect(stdout).toMatch(/normal weights +│ 36\.39° │ 36\.73° │ 36\.90° │/);
    const { layers } = JSON.parse(readFileSync(join(folder, 'groups.json'), 'utf8')) as GeometryReport;
    const [head = [], row = []] = readFileSync(join(folder, 'groups.csv'), 'utf8')
      .split('\r\n')
      .filter((line) => /^(name|w),/.test(line))
      .map((line) => line.split(','));
    for (const [place, size] of [32, 64, 128, 'Filter'].entries()) {
      const { angle, error } = layers.find(({ name }) => name === 'w')?.oneBit?.groups[place] ?? {};
      expect(Number(row[head.indexOf(`oneBitAngle${size}`)])).toBe(angle);
      expect(Number(row[head.indexOf(`oneBitError${size}`)])).toBe(error);
    }
    const groups = layers.find(({ name }) => name === 'w')?.oneBit?.groups ?? [];
    expect(groups.map(({ size }) => size)).toEqual([32, 64, 128, 256]);
    for (const { size, angle, error } of groups) {
      const expected = twin(w, size);
      expect(angle).toBeCloseTo(expected.angle, 4);
      expect(error).toBeCloseTo(expected.error, 6);
    }
    expect(layers.find(({ name }) => name === 'conv')?.oneBit?.groups.map(({ size }) => size)).toEqual([27]);
    const page = contentOf(readFileSync(join(folder, 'groups.html'), 'utf8'));
    expect(page).toContain('One bit a weight');
    expectSelfContained(page);
    const saved = parseSurvey(readFileSync(join(folder, 'groups.survey'), 'utf8'), 'groups.survey');
    expect(saved.layers.map(({ layer }) => layer)).toEqual(layers);
  });
});
