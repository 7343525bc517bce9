/**
 * What a network needs to be used besides its layers: how it takes the bytes of an image, the names of its classes, how its
 * input lies in the file, who made it. Every format that is written keeps these as a map of strings (ONNX `metadata_props`, TensorFlow Lite `metadata`,
 * safetensors `__metadata__`), by the same keys, and they are read back.
 */
import { parseTable, type TableEncoding } from '../data/index.ts';
import { FormatError } from '../errors.ts';
import { parseJson } from '../json.ts';
import { type PixelEncoding, type PixelRange, parsePixels, resolvePixels } from '../run/pixels.ts';

/** What is given when a model is saved. */
export interface ModelNotes {
  /** Names of the outputs. */
  readonly classes?: readonly string[] | undefined;
  /** How the network takes the bytes of an image: a range by name, or the numbers. */
  readonly pixels?: PixelRange | PixelEncoding | undefined;
  /** What made the network: a library, a person, a paper. Default: this library. */
  readonly producer?: string | undefined;
  /** How the network takes the rows of a table. */
  readonly table?: TableEncoding | undefined;
}

/** What a file said; nothing for what it didn't. */
export interface ReadNotes {
  /** Names of the classes, in the order of the outputs. */
  readonly classes: readonly string[] | undefined;
  /** How bytes of a picture become what the network takes. */
  readonly pixels: PixelEncoding | undefined;
  /** What wrote the file, with its version. */
  readonly producer: string | undefined;
  /** The axes of the input in the file itself: `NHWC`, `NCHW`; models of this library take NHWC in any case. */
  readonly layout: string | undefined;
  /** How the network takes the rows of a table. */
  readonly table: TableEncoding | undefined;
}

const PREFIX = 'webgpu_bnn.';
const PRODUCER = 'webgpu-bnn';
/** More classes than any data set has. */
const MOST_CLASSES = 2 ** 20;

/** Texts of others, which are printed, are taken up to this length. */
const MOST_TEXT = 4096;

/**
 * Notes as strings by key, for a format's metadata.
 * @param layout the axes of the input in the format
 * @throws OptionError for an unknown range of pixels
 */
export function encodeNotes(
  { classes, pixels, producer = PRODUCER, table }: ModelNotes,
  layout?: string,
): Record<string, string> {
  return {
    [`${PREFIX}producer`]: producer,
    ...(classes === undefined ? {} : { [`${PREFIX}classes`]: JSON.stringify(classes) }),
    ...(pixels === undefined ? {} : { [`${PREFIX}pixels`]: JSON.stringify(resolvePixels(pixels)) }),
    ...(table === undefined ? {} : { [`${PREFIX}table`]: JSON.stringify(table) }),
    ...(layout === undefined ? {} : { [`${PREFIX}layout`]: layout }),
  };
}

/** The axes of an input of this shape (without the batch) in a format; undefined where its axes have no names. */
export function layoutOf(shape: readonly number[], order: 'NHWC' | 'NCHW'): string | undefined {
  if (shape.length === 1) return 'NC';
  return shape.length === 3 ? order : undefined;
}

/**
 * Notes from a format's metadata; keys of others are left alone.
 * @param outputs of the network: it has no more classes than these, or two where it has one output
 * @throws FormatError for a note of ours that is malformed
 */
export function decodeNotes(
  metadata: ReadonlyMap<string, string>,
  where: string,
  outputs = MOST_CLASSES,
): ReadNotes {
  const [classes, pixels] = [parsed(metadata, 'classes', where), parsed(metadata, 'pixels', where)];
  const most = Math.max(2, outputs);
  const areNames =
    Array.isArray(classes) && classes.length <= most && classes.every((name) => typeof name === 'string');
  if (classes !== undefined && !areNames) {
    throw new FormatError('The names of the classes are malformed.', {
      given: JSON.stringify(classes).slice(0, 80),
      expected: `a list of at most ${most} texts`,
      where,
    });
  }
  const text = (name: string) => metadata.get(`${PREFIX}${name}`)?.slice(0, MOST_TEXT);
  return {
    classes: areNames ? (classes as string[]) : undefined,
    pixels: pixels === undefined ? undefined : parsePixels(pixels, where),
    producer: text('producer'),
    layout: text('layout'),
    table: parseTable(parsed(metadata, 'table', where), where),
  };
}

/** Metadata with the keys of now: safetensors files of version 0.1 said `classes` and `pixels` without a prefix. */
export function renamedNotes(metadata: Readonly<Record<string, string>>): ReadonlyMap<string, string> {
  const old = ['classes', 'pixels'].flatMap((name) => {
    const text = metadata[name];
    return text === undefined ? [] : [[`${PREFIX}${name}`, text] as const];
  });
  return new Map([...old, ...Object.entries(metadata)]);
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
