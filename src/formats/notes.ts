/**
 * What a network needs to be used besides its layers: how it takes the bytes of an image, the names of its classes, who made
 * it. Every format that is written keeps these as a map of strings (ONNX `metadata_props`, TensorFlow Lite `metadata`,
 * safetensors `__metadata__`), by the same keys, and they are read back.
 */
import { FormatError } from '../errors.ts';
import { parseJson } from '../json.ts';
import { type PixelEncoding, type PixelRange, parsePixels, resolvePixels } from './pixels.ts';

/** What is given when a model is saved. */
export interface ModelNotes {
  /** Names of the outputs. */
  readonly classes?: readonly string[] | undefined;
  /** How the network takes the bytes of an image: a range by name, or the numbers. */
  readonly pixels?: PixelRange | PixelEncoding | undefined;
  /** What made the file. Default: this library. */
  readonly producer?: string | undefined;
}

/** What a file said; nothing for what it didn't. */
export interface ReadNotes {
  readonly classes: readonly string[] | undefined;
  readonly pixels: PixelEncoding | undefined;
  readonly producer: string | undefined;
}

const PREFIX = 'webgpu_bnn.';
const PRODUCER = 'webgpu-bnn';
/** More classes than any data set has. */
const MOST_CLASSES = 2 ** 20;

/** Notes as strings by key, for a format's metadata. @throws OptionError for an unknown range of pixels */
export function encodeNotes({ classes, pixels, producer = PRODUCER }: ModelNotes): Record<string, string> {
  return {
    [`${PREFIX}producer`]: producer,
    ...(classes === undefined ? {} : { [`${PREFIX}classes`]: JSON.stringify(classes) }),
    ...(pixels === undefined ? {} : { [`${PREFIX}pixels`]: JSON.stringify(resolvePixels(pixels)) }),
  };
}

/**
 * Notes from a format's metadata; keys of others are left alone.
 * @throws FormatError for a note of ours that is malformed
 */
export function decodeNotes(metadata: ReadonlyMap<string, string>, where: string): ReadNotes {
  const [classes, pixels] = [parsed(metadata, 'classes', where), parsed(metadata, 'pixels', where)];
  const areNames =
    Array.isArray(classes) &&
    classes.length <= MOST_CLASSES &&
    classes.every((name) => typeof name === 'string');
  if (classes !== undefined && !areNames) {
    throw new FormatError('The names of the classes are malformed.', {
      given: JSON.stringify(classes).slice(0, 80),
      expected: 'a list of texts',
      where,
    });
  }
  return {
    classes: areNames ? (classes as string[]) : undefined,
    pixels: pixels === undefined ? undefined : parsePixels(pixels, where),
    producer: metadata.get(`${PREFIX}producer`),
  };
}

function parsed(metadata: ReadonlyMap<string, string>, name: string, where: string): unknown {
  const text = metadata.get(`${PREFIX}${name}`);
  if (text === undefined) return undefined;
  try {
    return parseJson(text);
  } catch (cause) {
    throw new FormatError('A note in the metadata is no JSON.', {
      given: text.slice(0, 80),
      where: `${where}: ${name}`,
      cause,
    });
  }
}
