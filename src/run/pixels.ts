/** How a network takes the bytes of an image; plain JSON, so that a model file can say it. */
import { FormatError, OptionError, ShapeError } from '../errors.ts';
import { describe, type Shape, sizeOf } from '../gpu/index.ts';

/** A byte becomes byte·scale[c] + shift[c], rounded and limited where that is asked for. */
export interface PixelEncoding {
  /** One number for each channel, or one for all. */
  readonly scale: readonly number[];
  /** One number for each channel, or one for all. */
  readonly shift: readonly number[];
  /** To the nearest integer, halves upwards. */
  readonly round?: boolean;
  /** What lies below becomes it. Default: nothing is limited. */
  readonly minimum?: number;
  /** What lies above becomes it. Default: nothing is limited. */
  readonly maximum?: number;
}

/** The usual encodings by name. */
export const PIXEL_RANGES = {
  '0:1': { scale: [1 / 255], shift: [0] },
  '0:255': { scale: [1], shift: [0] },
  '-1:1': { scale: [2 / 255], shift: [-1] },
} as const satisfies Readonly<Record<string, PixelEncoding>>;

/** What the bytes 0 to 255 become, by name. */
export type PixelRange = keyof typeof PIXEL_RANGES;

/** The name of an encoding that has one. */
export function rangeName({ scale, shift, round, minimum, maximum }: PixelEncoding): PixelRange | undefined {
  if (round === true || minimum !== undefined || maximum !== undefined) return undefined;
  const names = Object.keys(PIXEL_RANGES) as PixelRange[];
  return names.find((name) => {
    const range = PIXEL_RANGES[name];
    return scale.every((s) => s === range.scale[0]) && shift.every((s) => s === range.shift[0]);
  });
}

/** An encoding as people call it: by its name, or in numbers. */
export function describePixels(encoding: PixelEncoding): string {
  return rangeName(encoding) ?? JSON.stringify(encoding);
}

/** 8-bit integers for reals, as networks of TensorFlow Lite have them: real = scale·(integer − zeroPoint). */
export interface IntegerGrid {
  /** A real for one step of the integers. */
  readonly scale: number;
  /** The integer that stands for 0. */
  readonly zeroPoint: number;
}

/** Bytes to the integers of a network that stand for what an encoding gives. */
export function onGrid(encoding: PixelEncoding, { scale, zeroPoint }: IntegerGrid): PixelEncoding {
  return {
    scale: encoding.scale.map((s) => s / scale),
    shift: encoding.shift.map((s) => s / scale + zeroPoint),
    ...{ round: true, minimum: -128, maximum: 127 },
  };
}

/** The range that a grid was made for: the one whose ends are its own, to one step. */
export function rangeOfGrid({ scale, zeroPoint }: IntegerGrid): PixelRange | undefined {
  const [lowest, highest] = [scale * (-128 - zeroPoint), scale * (127 - zeroPoint)];
  const names = Object.keys(PIXEL_RANGES) as PixelRange[];
  return names.find((name) => {
    const { scale: slope, shift } = PIXEL_RANGES[name];
    const [low, high] = [shift[0], 255 * slope[0] + shift[0]];
    return Math.abs(lowest - low) <= scale && Math.abs(highest - high) <= scale;
  });
}

/** @throws OptionError for an unknown name, listing the known ones */
export function resolvePixels(given: PixelRange | PixelEncoding): PixelEncoding {
  if (typeof given !== 'string') return given;
  if (Object.hasOwn(PIXEL_RANGES, given)) return PIXEL_RANGES[given];
  throw new OptionError('There is no range of pixels of this name.', {
    given: String(given),
    expected: Object.keys(PIXEL_RANGES).join(', '),
  });
}

/** What a file says of its input. */
export interface PixelNotes {
  /** How the network takes bytes. */
  readonly pixels: PixelEncoding | undefined;
  /** Of a network that takes integers for reals: a range by name is one of the reals. */
  readonly grid?: IntegerGrid | undefined;
}

/** What the caller says, or else the file. @throws OptionError where neither does */
export function chosenPixels(
  { pixels, grid }: PixelNotes,
  given: PixelRange | PixelEncoding | undefined,
): PixelEncoding {
  const encoding = given ?? pixels;
  if (encoding === undefined) {
    throw new OptionError('The file does not say how its network takes the bytes of an image.', {
      given: 'bytes',
      expected: 'a range of pixels, or floats as the network takes them',
      remedy:
        "say { pixels: '0:1' } for bytes over 255, { pixels: '-1:1' } for −1 to 1, or what it was trained with",
    });
  }
  const resolved = resolvePixels(encoding);
  return typeof encoding === 'string' && grid !== undefined ? onGrid(resolved, grid) : resolved;
}

/**
 * Bytes of images to what a network takes.
 * @param pixels u8 [count, ...shape], the channels last
 * @param shape of an image, without the count
 * @returns f32 of the same shape
 * @throws ShapeError unless the images are whole, and the encoding fits their channels
 */
export function encodePixels(
  pixels: Uint8Array,
  shape: Shape,
  encoding: PixelEncoding,
): Float32Array<ArrayBuffer> {
  const size = sizeOf(shape);
  if (pixels.length === 0 || pixels.length % size !== 0) {
    throw new ShapeError('The images are not whole.', {
      given: `${pixels.length} bytes`,
      expected: `a multiple of ${size}, ${describe(shape)} an image`,
    });
  }
  const { scale, shift, round = false } = encoding;
  const [minimum, maximum] = [encoding.minimum ?? -Infinity, encoding.maximum ?? Infinity];
  const channels = shape.at(-1) ?? 1;
  if (![1, channels].includes(scale.length) || ![1, channels].includes(shift.length)) {
    throw new ShapeError("The encoding doesn't fit the channels of the images.", {
      given: `${scale.length} scales, ${shift.length} shifts`,
      expected: `1 or ${channels} of each`,
    });
  }
  // 256 values a channel, so that an image costs one look-up a byte.
  const planes = Math.max(scale.length, shift.length);
  const table = Float32Array.from({ length: 256 * planes }, (_, at) => {
    const plane = at >> 8;
    const value = (at & 255) * (scale[plane % scale.length] ?? 1) + (shift[plane % shift.length] ?? 0);
    return Math.max(minimum, Math.min(maximum, round ? Math.floor(value + 0.5) : value));
  });
  const values = new Float32Array(pixels.length);
  if (planes === 1) for (let i = 0; i < pixels.length; i++) values[i] = table[pixels[i] ?? 0] ?? 0;
  else for (let i = 0; i < pixels.length; i++) values[i] = table[((i % planes) << 8) | (pixels[i] ?? 0)] ?? 0;
  return values;
}

/** An encoding from a file's JSON. @throws FormatError unless it is one */
export function parsePixels(value: unknown, where: string): PixelEncoding {
  const given = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>;
  const isList = (list: unknown): list is number[] =>
    Array.isArray(list) && list.length > 0 && list.length <= 4096 && list.every(Number.isFinite);
  const isOptional = (limit: unknown) => limit === undefined || Number.isFinite(limit);
  const { scale, shift, round, minimum, maximum } = given;
  if (
    !isList(scale) ||
    !isList(shift) ||
    scale.length !== shift.length ||
    !(round === undefined || typeof round === 'boolean') ||
    !isOptional(minimum) ||
    !isOptional(maximum)
  ) {
    throw new FormatError('The encoding of pixels is malformed.', {
      given: JSON.stringify(value)?.slice(0, 80),
      expected: '{scale, shift, round?, minimum?, maximum?}',
      where,
    });
  }
  return {
    scale,
    shift,
    ...(round === undefined ? {} : { round }),
    ...(typeof minimum === 'number' ? { minimum } : {}),
    ...(typeof maximum === 'number' ? { maximum } : {}),
  };
}
