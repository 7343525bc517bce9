/** Pictures and arrays as networks take them: from files on disk, of every kind, through the command line and the API. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';
import { encode as encodePng } from 'fast-png';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Images, readImages } from '../src/cli/images.ts';
import { FormatError, StorageError } from '../src/errors.ts';
import { loadDataset, readImage } from '../src/node/index.ts';
import { type NpyArray, readNpy, samplesOf } from '../src/node/npy.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'webgpu-bnn-images-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Writes a file of this test's folder. @returns its path */
function file(name: string, bytes: Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

const { resolve } = createRequire(import.meta.url);

/** Encodes RGBA with the packages' own encoders, which the library doesn't use. */
async function encodeWith(name: 'jpeg' | 'webp', width: number, height: number, rgba: Uint8Array) {
  const wasm = name === 'jpeg' ? 'jpeg/codec/enc/mozjpeg_enc' : 'webp/codec/enc/webp_enc_simd';
  const module = await WebAssembly.compile(readFileSync(resolve(`@jsquash/${wasm}.wasm`)));
  const picture = { width, height, data: new Uint8ClampedArray(rgba) } as unknown as ImageData;
  const encoder =
    name === 'jpeg' ? await import('@jsquash/jpeg/encode.js') : await import('@jsquash/webp/encode.js');
  await (encoder.init as unknown as (module: WebAssembly.Module) => Promise<void>)(module);
  const options = name === 'jpeg' ? { quality: 100 } : { lossless: 1 };
  return new Uint8Array(await encoder.default(picture, options as object));
}

const rgbaOf = (pixels: readonly (readonly [number, number, number])[]) =>
  Uint8Array.from(pixels.flatMap((pixel) => [...pixel, 255]));

describe('readImage', () => {
  const GREY = { height: 28, width: 28, channels: 1 };

  test('a digit as PNG, WebP and JPEG is the digit', async () => {
    const { test: split } = await loadDataset('mnist');
    const digit = split.images.slice(0, 784);
    const rgba = rgbaOf([...digit].map((value) => [value, value, value]));
    const paths = {
      png: file('d.png', encodePng({ width: 28, height: 28, channels: 1, data: digit })),
      webp: file('d.webp', await encodeWith('webp', 28, 28, rgba)),
      jpeg: file('d.jpg', await encodeWith('jpeg', 28, 28, rgba)),
    };
    for (const [kind, path] of Object.entries(paths)) {
      const { pixels, changes } = await readImage(path, GREY);
      expect(changes).toEqual([]);
      const worst = Math.max(...pixels.map((value, i) => Math.abs(value - (digit[i] ?? 0))));
      expect(worst, kind).toBeLessThanOrEqual(kind === 'jpeg' ? 12 : 0);
    }
  });

  test.each([1, 2, 4, 8, 16] as const)('grey of %d bits', async (depth) => {
    // Rows of 5 values don't end at bytes.
    const most = 2 ** depth - 1;
    const values = Array.from({ length: 10 }, (_, i) => (i * 7) % (most + 1));
    const perRow = Math.ceil((5 * depth) / 8);
    const data = depth === 16 ? Uint16Array.from(values) : new Uint8Array(2 * perRow);
    if (depth < 16) {
      for (const [i, value] of values.entries()) {
        const bit = (i % 5) * depth;
        const at = Math.floor(i / 5) * perRow + (bit >> 3);
        data[at] = (data[at] ?? 0) | (value << (8 - depth - (bit & 7)));
      }
    }
    const path = file(`grey${depth}.png`, pngOf(5, 2, depth, 0, data));
    const { pixels } = await readImage(path, { height: 2, width: 5, channels: 1 });
    expect([...pixels]).toEqual(values.map((value) => Math.round((255 * value) / most)));
  });

  test('colours from a palette, colours made grey, grey repeated, alpha left out', async () => {
    const palette = new Uint8Array([255, 0, 0, 0, 255, 0, 0, 0, 255]);
    const indexed = file('indexed.png', pngOf(3, 1, 2, 3, new Uint8Array([0b00011000]), palette));
    const colour = { height: 1, width: 3, channels: 3 };
    expect([...(await readImage(indexed, colour)).pixels]).toEqual([255, 0, 0, 0, 255, 0, 0, 0, 255]);
    const grey = await readImage(indexed, { ...colour, channels: 1 });
    expect([...grey.pixels]).toEqual([76, 150, 29]);
    expect(grey.changes).toEqual(['colours made grey']);
    const withAlpha = encodePng({ width: 2, height: 1, channels: 2, data: new Uint8Array([9, 255, 7, 0]) });
    const repeated = await readImage(file('alpha.png', withAlpha), { height: 1, width: 2, channels: 3 });
    expect([...repeated.pixels]).toEqual([9, 9, 9, 7, 7, 7]);
    expect(repeated.changes).toEqual(['grey repeated for red, green and blue']);
  });

  test('sizes change by the mean over areas, and linearly where they grow', async () => {
    const ramp = Uint8Array.from({ length: 24 }, (_, i) => 10 * i);
    const path = file('ramp.png', encodePng({ width: 6, height: 4, channels: 1, data: ramp }));
    const small = await readImage(path, { height: 2, width: 2, channels: 1 });
    // Means of blocks of 2 rows and 3 columns.
    expect([...small.pixels]).toEqual([40, 70, 160, 190]);
    expect(small.changes).toEqual(['resized from 6 x 4 to 2 x 2 (area)']);
    const third = await readImage(path, { height: 4, width: 4, channels: 1 });
    // A place covers 1½ old ones: (0 + ½·10) / 1½, (½·10 + 20) / 1½ ...
    expect([...third.pixels.subarray(0, 4)]).toEqual([3, 17, 33, 47]);
    const two = file(
      'two.png',
      encodePng({ width: 2, height: 1, channels: 1, data: new Uint8Array([0, 200]) }),
    );
    const wide = await readImage(two, { height: 2, width: 4, channels: 1 });
    expect([...wide.pixels]).toEqual([0, 50, 150, 200, 0, 50, 150, 200]);
    expect(wide.changes).toEqual(['resized from 2 x 1 to 4 x 2 (bilinear)']);
    // Against the definition, on odd sizes: the area that each old pixel shares with a new one.
    const noise = Uint8Array.from({ length: 17 * 11 }, (_, i) => (i * i * 31) % 251);
    const odd = file('odd.png', encodePng({ width: 17, height: 11, channels: 1, data: noise }));
    const { pixels } = await readImage(odd, { height: 7, width: 5, channels: 1 });
    for (let y = 0; y < 7; y++) {
      for (let x = 0; x < 5; x++) {
        let sum = 0;
        for (let v = 0; v < 11; v++) {
          for (let u = 0; u < 17; u++) {
            const [top, left] = [Math.max(v, (y * 11) / 7), Math.max(u, (x * 17) / 5)];
            const [bottom, right] = [
              Math.min(v + 1, ((y + 1) * 11) / 7),
              Math.min(u + 1, ((x + 1) * 17) / 5),
            ];
            sum += Math.max(0, bottom - top) * Math.max(0, right - left) * (noise[v * 17 + u] ?? 0);
          }
        }
        expect(Math.abs((pixels[y * 5 + x] ?? 0) - (sum * 35) / 187)).toBeLessThanOrEqual(0.51);
      }
    }
  });

  test('damaged files are refused, and the next one is read', async () => {
    const rgba = rgbaOf(Array.from({ length: 64 }, (_, i) => [i, 2 * i, 255 - i]));
    const whole = {
      png: encodePng({ width: 8, height: 8, channels: 4, data: rgba }),
      jpg: await encodeWith('jpeg', 8, 8, rgba),
      webp: await encodeWith('webp', 8, 8, rgba),
    };
    const size = { height: 8, width: 8, channels: 3 };
    for (const [kind, bytes] of Object.entries(whole)) {
      await expect(readImage(file(`cut.${kind}`, bytes.slice(0, 40)), size)).rejects.toThrow(FormatError);
      expect((await readImage(file(`whole.${kind}`, bytes), size)).pixels.length).toBe(192);
    }
    await expect(readImage(file('text.png', Buffer.from('no picture')), size)).rejects.toThrow(
      /PNG, JPEG or WebP/,
    );
    await expect(readImage(join(folder, 'nowhere.png'), size)).rejects.toThrow(StorageError);
    // A header that claims more pixels than any picture has.
    const bomb = Buffer.from(whole.png);
    bomb.writeUInt32BE(2 ** 30, 16);
    await expect(readImage(file('bomb.png', bomb), size)).rejects.toThrow(/too large/);
  });
});

/** A PNG of a kind that `fast-png` doesn't write, its data stored. */
function pngOf(
  width: number,
  height: number,
  depth: number,
  type: number,
  values: Uint8Array | Uint16Array,
  palette?: Uint8Array,
): Uint8Array {
  const bytes =
    values instanceof Uint16Array
      ? Uint8Array.from([...values].flatMap((value) => [value >> 8, value & 255]))
      : values;
  const perRow = bytes.length / height;
  const raw = Uint8Array.from(
    Array.from({ length: height }, (_, row) => [
      0,
      ...bytes.subarray(row * perRow, (row + 1) * perRow),
    ]).flat(),
  );
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([depth, type, 0, 0, 0], 8);
  const chunk = (name: string, content: Uint8Array) => {
    const body = Buffer.concat([Buffer.from(name, 'latin1'), content]);
    const frame = Buffer.alloc(8);
    frame.writeUInt32BE(content.length, 0);
    frame.writeUInt32BE(crc32(body), 4);
    return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)]);
  };
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10]),
    chunk('IHDR', header),
    ...(palette === undefined ? [] : [chunk('PLTE', palette)]),
    chunk('IDAT', deflateSync(raw)),
    chunk('IEND', new Uint8Array()),
  ]);
}

function crc32(bytes: Uint8Array): number {
  let crc = 0xffff_ffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb8_8320 : crc >>> 1;
  }
  return ~crc >>> 0;
}

/** A `.npy` file, written as NumPy's documentation says. */
function npyOf(
  descr: string,
  shape: readonly number[],
  body: Uint8Array,
  { fortran = false, version = 1 }: { readonly fortran?: boolean; readonly version?: number } = {},
): Uint8Array {
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`;
  const text = `{'descr': '${descr}', 'fortran_order': ${fortran ? 'True' : 'False'}, 'shape': ${tuple}, }`;
  const start = version === 1 ? 10 : 12;
  const length = Math.ceil((start + text.length + 1) / 64) * 64 - start;
  const head = Buffer.alloc(start);
  head.set([0x93, ...Buffer.from('NUMPY'), version, 0]);
  if (version === 1) head.writeUInt16LE(length, 8);
  else head.writeUInt32LE(length, 8);
  return Buffer.concat([head, Buffer.from(text.padEnd(length - 1)), Buffer.from('\n'), body]);
}

describe('.npy', () => {
  const numbers = [0, 1, 2, 3, 4, 200];
  type Put = (view: DataView, at: number, value: number) => void;
  const kinds: readonly (readonly [string, number, Put])[] = [
    ['<f4', 4, (view, at, value) => view.setFloat32(at, value, true)],
    ['>f4', 4, (view, at, value) => view.setFloat32(at, value)],
    ['<f8', 8, (view, at, value) => view.setFloat64(at, value, true)],
    ['>f8', 8, (view, at, value) => view.setFloat64(at, value)],
    ['|u1', 1, (view, at, value) => view.setUint8(at, value)],
    ['<i2', 2, (view, at, value) => view.setInt16(at, value, true)],
    ['>u4', 4, (view, at, value) => view.setUint32(at, value)],
    ['<i8', 8, (view, at, value) => view.setBigInt64(at, BigInt(value), true)],
    ['>i8', 8, (view, at, value) => view.setBigInt64(at, BigInt(value))],
  ];
  test.each(kinds)('%s, in C and Fortran order, versions 1 to 3', (descr, width, put) => {
    const bodyOf = (values: readonly number[]) => {
      const body = new Uint8Array(values.length * width);
      for (const [i, value] of values.entries()) put(new DataView(body.buffer), i * width, value);
      return body;
    };
    for (const version of [1, 2, 3]) {
      const plain = readNpy(npyOf(descr, [2, 3], bodyOf(numbers), { version }), 'plain');
      expect(plain).toMatchObject({ shape: [2, 3], dtype: descr });
      expect([...plain.data]).toEqual(numbers);
      expect(plain.data instanceof Uint8Array).toBe(descr === '|u1');
      // The same array, column by column.
      const columns = bodyOf([0, 3, 1, 4, 2, 200]);
      expect([...readNpy(npyOf(descr, [2, 3], columns, { version, fortran: true }), 'columns').data]).toEqual(
        numbers,
      );
    }
  });

  test('halves', () => {
    const body = new Uint8Array(new Uint16Array([0x3c00, 0xc000, 0x0001, 0x7c00, 0x3555]).buffer);
    const values = [1, -2, 2 ** -24, Number.POSITIVE_INFINITY, Math.fround(0.333251953125)];
    expect([...readNpy(npyOf('<f2', [5], body), 'halves').data]).toEqual(values);
  });

  const array = (...shape: readonly number[]): NpyArray => ({
    shape,
    dtype: '<f4',
    data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => i),
  });
  test.each<[readonly number[], readonly number[], number, RegExp]>([
    [[2, 4, 5, 3], [4, 5, 3], 2, /channels last/],
    [[4, 5, 3], [4, 5, 3], 1, /channels last/],
    [[2, 3, 4, 5], [4, 5, 3], 2, /\[2, 3, 4, 5\] <f4 read as channels first, moved to the end/],
    [[3, 4, 5], [4, 5, 3], 1, /channels first/],
    [[3, 3, 3], [3, 3, 3], 1, /channels last/],
    [[2, 4, 5], [4, 5, 1], 2, /one channel/],
    [[4, 5], [4, 5, 1], 1, /one channel/],
    [[2, 1, 4, 5], [4, 5, 1], 2, /one channel/],
    [[2, 60], [4, 5, 3], 2, /rows of 4 x 5 x 3 numbers, channels last/],
    [[2, 20], [20], 2, /rows of numbers/],
    [[2, 4, 5], [20], 2, /rows of 20 numbers, as they lie/],
    [[4, 5], [20], 1, /rows of 20 numbers, as they lie/],
  ])('%j for a network of %j', (given, shape, count, reading) => {
    const source = array(...given);
    const samples = samplesOf(source, shape, 'x.npy');
    expect(samples.count).toBe(count);
    expect(samples.reading).toMatch(reading);
    if (!/first/.test(samples.reading)) expect(samples.data).toEqual(source.data);
    else {
      // Pixel (2, 1), channel 1 of the last sample.
      const [last, perImage] = [count - 1, 60];
      expect(samples.data[last * perImage + (2 * 5 + 1) * 3 + 1]).toBe(last * perImage + 20 + 2 * 5 + 1);
    }
  });

  test.each<[string, Uint8Array, RegExp]>([
    ['cut off', npyOf('<f4', [2, 3], new Uint8Array(20)), /24 bytes/],
    ['complex numbers', npyOf('<c8', [1], new Uint8Array(8)), /c8/],
    ['another version', Buffer.from(npyOf('<f4', [1], new Uint8Array(4))).fill(9, 6, 7), /version 1, 2 or 3/],
    ['a header that is cut off', npyOf('<f4', [1], new Uint8Array(4)).subarray(0, 30), /'descr'/],
    ['an axis too large', npyOf('<f4', [2 ** 52, 8], new Uint8Array(4)), /bytes/],
    ['no NumPy', new Uint8Array([0x93, 0x4e, 0x55]), /NumPy/],
  ])('%s is refused', (_, bytes, message) => {
    expect(() => readNpy(bytes, 'x.npy')).toThrow(FormatError);
    expect(() => readNpy(bytes, 'x.npy')).toThrow(message);
  });

  test('another shape is refused, and says both that would do', () => {
    const misfit = () => samplesOf(array(2, 5, 4, 3), [4, 5, 3], 'x.npy');
    expect(misfit).toThrow(FormatError);
    expect(misfit).toThrow(/\[2, 5, 4, 3\][\s\S]*\[N, 4, 5, 3\] or \[N, 3, 4, 5\]/);
    expect(() => samplesOf(array(0, 4, 5, 3), [4, 5, 3], 'x.npy')).toThrow(FormatError);
  });
});

describe('what run takes', () => {
  const all = async (inputs: readonly string[], shape: readonly number[]) => {
    const parts: Images[] = [];
    for await (const part of readImages(inputs, shape)) parts.push(part);
    return parts;
  };

  test('folders, patterns and lists of pictures, in order, saying what was done', async () => {
    const pictures = join(folder, 'my pictures');
    mkdirSync(join(pictures, 'deep'), { recursive: true });
    const grey = (value: number, width: number) =>
      encodePng({ width, height: 4, channels: 1, data: new Uint8Array(4 * width).fill(value) });
    writeFileSync(join(pictures, 'b.png'), grey(20, 4));
    writeFileSync(join(pictures, 'a.PNG'), grey(10, 8));
    writeFileSync(join(pictures, 'deep', 'c.png'), grey(30, 4));
    writeFileSync(join(pictures, 'readme.txt'), 'x');
    const [whole] = await all([pictures], [4, 4, 1]);
    expect(whole?.names).toEqual(['a.PNG', 'b.png', 'deep/c.png'].map((name) => join(pictures, name)));
    expect([0, 16, 32].map((at) => whole?.images[at])).toEqual([10, 20, 30]);
    expect(whole?.notes).toEqual([`${join(pictures, 'a.PNG')}: resized from 8 x 4 to 4 x 4 (area)`]);
    const [some] = await all([`${pictures}/*.png`], [4, 4, 1]);
    expect(some?.names).toEqual([join(pictures, 'b.png')]);
    const [two] = await all([join(pictures, 'b.png'), join(pictures, 'deep/c.png')], [4, 4, 1]);
    expect(two?.images.length).toBe(32);
    await expect(all([join(pictures, 'b.png')], [16])).rejects.toThrow(/takes no pictures[\s\S]*\[N, 16\]/);
    await expect(all([join(folder, 'nothing*.png')], [4, 4, 1])).rejects.toThrow(StorageError);
  });
});
