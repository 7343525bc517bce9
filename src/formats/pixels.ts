/** How a network takes the bytes of an image; plain JSON, so that a model file can say it. */
import { FormatError, OptionError, ShapeError } from '../errors.ts';
import { describe, type Shape, sizeOf } from '../gpu/index.ts';

/** A byte becomes byte·scale[c] + shift[c], rounded and limited where that is asked for. */
export interface PixelEncoding {
  /** One number for each channel, or one for all. */
  readonly scale: readonly number[];
  readonly shift: readonly number[];
  /** To the nearest integer, halves upwards. */
  readonly round?: boolean;
  readonly minimum?: number;
  readonly maximum?: number;
}

/** The usual encodings by name. */
export const PIXEL_RANGES = {
  '0:1': { scale: [1 / 255], shift: [0] },
  '0:255': { scale: [1], shift: [0] },
  '-1:1': { scale: [2 / 255], shift: [-1] },
} as const satisfies Readonly<Record<string, PixelEncoding>>;

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

/** @throws OptionError for an unknown name, listing the known ones */
export function resolvePixels(given: PixelRange | PixelEncoding): PixelEncoding {
  if (typeof given !== 'string') return given;
  if (Object.hasOwn(PIXEL_RANGES, given)) return PIXEL_RANGES[given];
  throw new OptionError('There is no range of pixels of this name.', {
    given: String(given),
    expected: Object.keys(PIXEL_RANGES).join(', '),
  });
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
  if (![1, channels].includes(scale.length) || shift.length !== scale.length) {
    throw new ShapeError("The encoding doesn't fit the channels of the images.", {
      given: `${scale.length} scales, ${shift.length} shifts`,
      expected: `1 or ${channels} of each`,
    });
  }
  // 256 values a channel, so that an image costs one look-up a byte.
  const planes = scale.length;
  const table = Float32Array.from({ length: 256 * planes }, (_, at) => {
    const plane = at >> 8;
    const value = (at & 255) * (scale[plane] ?? 1) + (shift[plane] ?? 0);
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
