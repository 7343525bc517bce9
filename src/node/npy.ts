/**
 * NumPy's files of one array (`.npy`, numpy.org/doc/stable/reference/generated/numpy.lib.format.html), and how the samples
 * of an array lie, told by its shape.
 */
import { plainBytes } from '../bytes.ts';
import { FormatError } from '../errors.ts';
import { type Shape, sizeOf } from '../gpu/index.ts';
import { fromHalf } from '../numerics/halves.ts';

export interface NpyArray {
  readonly shape: Shape;
  /** As the file says it, e.g. `<f4`. */
  readonly dtype: string;
  /** In C order. Bytes (`|u1`) as they are, everything else as f32. */
  readonly data: Uint8Array<ArrayBuffer> | Float32Array<ArrayBuffer>;
}

/** Reads one element. */
type Read = (view: DataView, at: number, little: boolean) => number;

/** By kind and bytes of an element. */
const READERS: Readonly<Record<string, Read>> = {
  b1: (view, at) => (view.getUint8(at) === 0 ? 0 : 1),
  u1: (view, at) => view.getUint8(at),
  i1: (view, at) => view.getInt8(at),
  u2: (view, at, little) => view.getUint16(at, little),
  i2: (view, at, little) => view.getInt16(at, little),
  u4: (view, at, little) => view.getUint32(at, little),
  i4: (view, at, little) => view.getInt32(at, little),
  u8: (view, at, little) => Number(view.getBigUint64(at, little)),
  i8: (view, at, little) => Number(view.getBigInt64(at, little)),
  f2: (view, at, little) => fromHalf(view.getUint16(at, little)),
  f4: (view, at, little) => view.getFloat32(at, little),
  f8: (view, at, little) => view.getFloat64(at, little),
};

/** What an `.npy` file says before its numbers. */
export interface NpyHeader {
  readonly shape: Shape;
  /** Kind and bytes of an element, as `f4`. */
  readonly type: string;
  /** What stands before it: `<`, `>`, `|`, `=` or nothing. */
  readonly order: string;
  readonly fortran: boolean;
  /** Bytes before the numbers. */
  readonly start: number;
  /** How many numbers. */
  readonly count: number;
}

/** Bytes that are enough for the header of an array of a few axes. */
export const NPY_PREFIX = 4096;

/**
 * Reads the header of a file of versions 1 to 3.
 * @param bytes the file, or its beginning
 * @param size bytes of the whole file
 * @throws FormatError for another type, and for a file that is cut off or no `.npy`
 */
export function readNpyHeader(bytes: Uint8Array, size: number, where: string): NpyHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const magic = new TextDecoder('latin1').decode(bytes.subarray(1, 6));
  const version = bytes[6] ?? 0;
  if (bytes.length < 12 || bytes[0] !== 0x93 || magic !== 'NUMPY' || version < 1 || version > 3) {
    throw unreadable(where, 'no NumPy header of version 1, 2 or 3');
  }
  const start = version === 1 ? 10 + view.getUint16(8, true) : 12 + view.getUint32(8, true);
  const header = new TextDecoder().decode(bytes.subarray(version === 1 ? 10 : 12, start)).trim();
  const [, order = '', type] = /'descr'\s*:\s*'([<>|=]?)([a-zA-Z]\d+)'/.exec(header) ?? [];
  const [, fortran] = /'fortran_order'\s*:\s*(True|False)/.exec(header) ?? [];
  const [, extents] = /'shape'\s*:\s*\(([\d,\sL]*)\)/.exec(header) ?? [];
  const isKnown = Object.hasOwn(READERS, type ?? '');
  if (
    start > bytes.length ||
    type === undefined ||
    fortran === undefined ||
    extents === undefined ||
    !isKnown
  ) {
    throw unreadable(where, header.slice(0, 120) || 'an empty header');
  }
  const shape = [...extents.matchAll(/\d+/g)].map(([extent]) => Number(extent));
  const width = Number(type.slice(1));
  const count = shape.reduce((product, extent) => product * extent, 1);
  if (!Number.isSafeInteger(count) || start + count * width !== size) {
    throw unreadable(
      where,
      `${size - start} bytes of numbers for shape [${shape.join(', ')}]`,
      `${count * width} bytes`,
    );
  }
  return { shape, type, order, fortran: fortran === 'True', start, count };
}

/** Numbers of an array, as they lie in the file, as f32. */
export function npyNumbers(bytes: Uint8Array, { type, order }: NpyHeader): Float32Array<ArrayBuffer> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const width = Number(type.slice(1));
  const read = READERS[type] as Read;
  return Float32Array.from({ length: bytes.length / width }, (_, i) => read(view, i * width, order !== '>'));
}

/**
 * Reads a file of versions 1 to 3: booleans, integers and floats of any width and byte order, in C or Fortran order.
 * @throws FormatError for another type, and for a file that is cut off or no `.npy`
 */
export function readNpy(given: Uint8Array, where: string): NpyArray {
  const bytes = plainBytes(given, where);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const { shape, type, order, fortran, start, count } = readNpyHeader(bytes, bytes.length, where);
  const read = READERS[type] as Read;
  const dtype = `${order}${type}`;
  const places = fortran ? fromFortran(shape) : undefined;
  if (type === 'u1' && places === undefined)
    return { shape, dtype, data: new Uint8Array(bytes.subarray(start)) };
  const little = order !== '>';
  const width = Number(type.slice(1));
  const data = type === 'u1' ? new Uint8Array(count) : new Float32Array(count);
  for (let i = 0; i < count; i++) data[i] = read(view, start + width * (places?.[i] ?? i), little);
  return { shape, dtype, data };
}

export interface Samples {
  /** [count, ...shape], channels last. */
  readonly data: NpyArray['data'];
  readonly count: number;
  /** How the array was read, in words. */
  readonly reading: string;
}

/**
 * The samples of an array for a network, by the array's shape: one sample or a batch; channels last, or first, which are
 * then moved to the end; a single channel may be missing; rows of numbers are taken in the network's order. Where a shape
 * could be both, channels are last.
 * @param shape that the network takes, channels last
 * @throws FormatError for a shape that is none of these
 */
export function samplesOf(array: NpyArray, shape: Shape, where: string): Samples {
  const { shape: given, dtype, data } = array;
  const size = sizeOf(shape);
  const channels = shape.at(-1) ?? 1;
  const spatial = shape.slice(0, -1);
  const is = (wanted: Shape) => [given, given.slice(1)].some((one) => one.join() === wanted.join());
  const of = `[${given.join(', ')}] ${dtype}`;
  const found = (reading: string, moved?: NpyArray['data']): Samples => ({
    data: moved ?? data,
    count: data.length / size,
    reading: `${of} read as ${reading}`,
  });
  const isFlat = shape.length === 1;
  if (data.length > 0) {
    if (is(shape)) return found(isFlat ? 'rows of numbers' : 'channels last');
    if (!isFlat && is([channels, ...spatial])) {
      if (channels === 1) return found('one channel');
      return found('channels first, moved to the end', channelsLast(data, size, channels));
    }
    if (!isFlat && channels === 1 && is(spatial)) return found('one channel');
    if (!isFlat && is([size])) return found(`rows of ${shape.join(' x ')} numbers, channels last`);
    if (isFlat && [sizeOf(given), sizeOf(given.slice(1))].includes(size)) {
      return found(`rows of ${size} numbers, as they lie`);
    }
  }
  const batch = (axes: Shape) => `[N, ${axes.join(', ')}]`;
  throw new FormatError("These numbers don't fit the network.", {
    given: of,
    expected: isFlat || channels === 1 ? batch(shape) : `${batch(shape)} or ${batch([channels, ...spatial])}`,
    where,
    remedy: 'bring them into this shape first: that is part of how the network was trained',
  });
}

/** [..., channels, places] to [..., places, channels]. */
function channelsLast<T extends NpyArray['data']>(data: T, size: number, channels: number): NpyArray['data'] {
  const moved = data.slice();
  const places = size / channels;
  for (let sample = 0; sample < data.length; sample += size) {
    for (let c = 0; c < channels; c++) {
      for (let place = 0; place < places; place++) {
        moved[sample + place * channels + c] = data[sample + c * places + place] ?? 0;
      }
    }
  }
  return moved;
}

/** Where each element in C order lies in Fortran order: the first axis counts fastest. */
function fromFortran(shape: Shape): Uint32Array {
  const places = new Uint32Array(sizeOf(shape));
  const index = shape.map(() => 0);
  for (let i = 0; i < places.length; i++) {
    let place = 0;
    for (let axis = shape.length - 1; axis >= 0; axis--)
      place = place * (shape[axis] ?? 1) + (index[axis] ?? 0);
    places[i] = place;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index[axis] = (index[axis] ?? 0) + 1;
      if ((index[axis] ?? 0) < (shape[axis] ?? 1)) break;
      index[axis] = 0;
    }
  }
  return places;
}

function unreadable(where: string, given: string, expected?: string): FormatError {
  return new FormatError("This .npy file can't be read.", {
    given,
    expected: expected ?? 'booleans, integers or floats of 1 to 8 bytes',
    where,
    remedy: "save it anew: numpy.save('x.npy', array.astype('float32'))",
  });
}
