/**
 * The part of the ONNX container (onnx.proto3, a protocol buffer) that describes a graph: nodes with their attributes,
 * constant tensors, inputs and outputs. What isn't needed is skipped.
 */
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { FormatError, listed } from '../../errors.ts';

/** A constant; numbers of every type as float64. */
export interface OnnxTensor {
  readonly dims: readonly number[];
  readonly data: Float64Array<ArrayBuffer>;
  /** Element type by its number in onnx.proto3, where that is still what the file says. */
  readonly type?: number | undefined;
}

export interface OnnxNode {
  /** As in the file, or made from the operator and its place. */
  readonly name: string;
  readonly operator: string;
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly numbers: ReadonlyMap<string, readonly number[]>;
  readonly texts: ReadonlyMap<string, string>;
  readonly tensors: ReadonlyMap<string, OnnxTensor>;
}

export interface OnnxValueInfo {
  readonly name: string;
  /** 0 for an extent that the file leaves open. */
  readonly dims: readonly number[];
  /** Element type by its number in onnx.proto3; 0 where the file doesn't say it. */
  readonly type: number;
}

export interface OnnxGraph {
  readonly nodes: readonly OnnxNode[];
  readonly initializers: ReadonlyMap<string, OnnxTensor>;
  readonly inputs: readonly OnnxValueInfo[];
  readonly outputs: readonly OnnxValueInfo[];
  /** What quantization tools say of values, by the value's name: FINN's `finn_datatype`, `tensor_layout`. */
  readonly annotations: ReadonlyMap<string, ReadonlyMap<string, string>>;
  /** Version of the standard operators; 13 where the file doesn't say it. */
  readonly opset: number;
  /** `metadata_props`. */
  readonly metadata: ReadonlyMap<string, string>;
  /** What wrote the file, and its version. */
  readonly producer: string | undefined;
}

/** The graph's own part of that. */
type GraphContent = Omit<OnnxGraph, 'opset' | 'metadata' | 'producer'>;

/** Nodes that a file may have: some ten times those of the largest published networks. */
export const MOST_NODES = 2 ** 15;
/** Inputs, and attributes, of one node. */
const MOST_NODE_INPUTS = 2 ** 12;
const MOST_ATTRIBUTES = 2 ** 8;
/** Constants, inputs, outputs and annotations that a file may have, of each kind. */
const MOST_OTHERS = 2 ** 17;

/** A field of a message as it stands in the file. */
export interface RawField {
  readonly number: number;
  /** Tag, length and content: what a copy of the message takes over. */
  readonly whole: Uint8Array;
  /** The content of a message or a string; empty for a number. */
  readonly content: Uint8Array;
}

/** The fields of a message, none read: for who takes a file apart and must lose nothing. @throws FormatError */
export function rawFields(bytes: Uint8Array): RawField[] {
  return readable(bytes, () => {
    const reader = new BinaryReader(bytes);
    const fields: RawField[] = [];
    while (reader.pos < reader.len) {
      const start = reader.pos;
      const [number, wire] = reader.tag();
      const content = wire === WireType.LengthDelimited ? reader.bytes() : new Uint8Array();
      if (wire !== WireType.LengthDelimited) reader.skip(wire, number);
      fields.push({ number, whole: bytes.subarray(start, reader.pos), content });
    }
    return fields;
  });
}

type Field = (reader: BinaryReader, wire: WireType) => void;

/** Calls `fields[number]` for every field of a message and skips the others. */
function readMessage(bytes: Uint8Array, fields: Readonly<Record<number, Field>>): void {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [number, wire] = reader.tag();
    const field = fields[number];
    if (field === undefined) reader.skip(wire, number);
    else field(reader, wire);
  }
}

/** A repeated number, packed or not. */
function repeated(into: number[], read: (reader: BinaryReader) => number): Field {
  return (reader, wire) => {
    if (wire !== WireType.LengthDelimited) {
      into.push(read(reader));
      return;
    }
    const packed = new BinaryReader(reader.bytes());
    while (packed.pos < packed.len) into.push(read(packed));
  };
}

const int64 = (reader: BinaryReader) => Number(reader.int64());

/** The files beside a model that its weights may be in, by name. */
export type OnnxFiles = ReadonlyMap<string, Uint8Array>;

/**
 * Parses an ONNX file.
 * @param files that its weights may be in
 * @throws FormatError when it isn't one, or is damaged, or names a file that wasn't given
 */
export function parseOnnx(bytes: Uint8Array, files: OnnxFiles = new Map()): OnnxGraph {
  return readable(bytes, () => {
    let graph: GraphContent | undefined;
    let opset = 13;
    let [producer, version] = ['', ''];
    const metadata = new Map<string, string>();
    const store = new ExternalData(files);
    readMessage(bytes, {
      2: (reader) => {
        producer = text(reader);
      },
      3: (reader) => {
        version = text(reader);
      },
      7: (reader) => {
        graph = readGraph(reader.bytes(), store);
      },
      8: (reader) => {
        const { domain, version: own } = readOpset(reader.bytes());
        if (domain === '' || domain === 'ai.onnx') opset = own;
      },
      14: (reader) => {
        const { key, value } = readPair(reader.bytes());
        metadata.set(key, value);
        assertFew(metadata.size, MOST_OTHERS, 'notes');
      },
    });
    if (graph === undefined) throw new FormatError('There is no graph in this file.', { where: 'ONNX' });
    const made = [producer, version].filter((part) => part !== '').join(' ');
    return { ...(graph as GraphContent), opset, metadata, producer: made === '' ? undefined : made };
  });
}

/**
 * Names of the files beside a model that its weights are in, as the model has them: paths of whoever wrote it, to be trusted
 * by nobody.
 * @throws FormatError for a damaged file
 */
export function externalFiles(bytes: Uint8Array): readonly string[] {
  const names = new Set<string>();
  const tensor: Field = (reader) =>
    readMessage(reader.bytes(), {
      13: (own) => {
        const { key, value } = readPair(own.bytes());
        if (key === 'location') names.add(value);
        assertFew(names.size, MOST_OTHERS, 'files');
      },
    });
  const node: Field = (reader) =>
    readMessage(reader.bytes(), { 5: (own) => readMessage(own.bytes(), { 5: tensor }) });
  return readable(bytes, () => {
    readMessage(bytes, { 7: (reader) => readMessage(reader.bytes(), { 1: node, 5: tensor }) });
    return [...names];
  });
}

/** Text that may be anything: what isn't UTF-8 in it is replaced. */
function text(reader: BinaryReader): string {
  lenient ??= new TextDecoder();
  return lenient.decode(reader.bytes());
}
/** Made when it is needed: JavaScriptCore's shell has none, and loads this module. */
let lenient: TextDecoder | undefined;

/** StringStringEntryProto. */
function readPair(bytes: Uint8Array): { key: string; value: string } {
  let [key, value] = ['', ''];
  readMessage(bytes, {
    1: (reader) => {
      key = text(reader);
    },
    2: (reader) => {
      value = text(reader);
    },
  });
  return { key, value };
}

function assertFew(count: number, most: number, what: string): void {
  if (count <= most) return;
  throw new FormatError(`This ONNX file has more ${what} than networks have.`, {
    given: `more than ${most}`,
    expected: `${most} at most`,
    where: 'ONNX',
  });
}

/** What `read` makes of bytes. @throws FormatError where they are damaged */
function readable<T>(bytes: Uint8Array, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof FormatError) throw cause;
    throw new FormatError('This is no ONNX file, or a damaged one.', {
      given: `${bytes.length} bytes: ${cause instanceof Error ? cause.message : String(cause)}`,
      where: 'ONNX',
      cause,
    });
  }
}

function readOpset(bytes: Uint8Array): { domain: string; version: number } {
  let [domain, version] = ['', 13];
  readMessage(bytes, {
    1: (reader) => {
      domain = reader.string();
    },
    2: (reader) => {
      version = int64(reader);
    },
  });
  return { domain, version };
}

function readGraph(bytes: Uint8Array, store: ExternalData): GraphContent {
  const nodes: OnnxNode[] = [];
  const initializers = new Map<string, OnnxTensor>();
  const inputs: OnnxValueInfo[] = [];
  const outputs: OnnxValueInfo[] = [];
  const annotations = new Map<string, ReadonlyMap<string, string>>();
  let constants = 0;
  const valueInfo = (into: OnnxValueInfo[], what: string) => (reader: BinaryReader) => {
    into.push(readValueInfo(reader.bytes()));
    assertFew(into.length, MOST_OTHERS, what);
  };
  readMessage(bytes, {
    1: (reader) => {
      assertFew(nodes.length + 1, MOST_NODES, 'nodes');
      nodes.push(readNode(reader.bytes(), nodes.length, store));
    },
    5: (reader) => {
      assertFew(++constants, MOST_OTHERS, 'constants');
      const { name, tensor } = readTensor(reader.bytes(), store);
      initializers.set(name, tensor);
    },
    11: valueInfo(inputs, 'inputs'),
    12: valueInfo(outputs, 'outputs'),
    14: (reader) => {
      const { name, notes } = readAnnotation(reader.bytes());
      annotations.set(name, notes);
      assertFew(annotations.size, MOST_OTHERS, 'annotations');
    },
  });
  return { nodes, initializers, inputs, outputs, annotations };
}

/** TensorAnnotation: what a tool says of a value. */
function readAnnotation(bytes: Uint8Array): { name: string; notes: ReadonlyMap<string, string> } {
  let name = '';
  const notes = new Map<string, string>();
  readMessage(bytes, {
    1: (reader) => {
      name = text(reader);
    },
    2: (reader) => {
      const { key, value } = readPair(reader.bytes());
      notes.set(key, value);
    },
  });
  return { name, notes };
}

function readNode(bytes: Uint8Array, place: number, store: ExternalData): OnnxNode {
  const inputs: string[] = [];
  const outputs: string[] = [];
  const numbers = new Map<string, readonly number[]>();
  const texts = new Map<string, string>();
  const tensors = new Map<string, OnnxTensor>();
  let [name, operator, domain] = ['', '', ''];
  let attributes = 0;
  readMessage(bytes, {
    1: (reader) => {
      inputs.push(reader.string());
      assertFew(inputs.length, MOST_NODE_INPUTS, 'inputs of one node');
    },
    2: (reader) => void outputs.push(reader.string()),
    3: (reader) => {
      name = reader.string();
    },
    4: (reader) => {
      operator = reader.string();
    },
    5: (reader) => {
      attributes += 1;
      assertFew(attributes, MOST_ATTRIBUTES, 'attributes of one node');
      const values: number[] = [];
      let [key, own]: [string, string | undefined] = ['', undefined];
      let tensor: OnnxTensor | undefined;
      readMessage(reader.bytes(), {
        1: (r) => {
          key = r.string();
        },
        2: (r) => void values.push(r.float()),
        3: (r) => void values.push(int64(r)),
        4: (r) => {
          own = text(r);
        },
        5: (r) => {
          tensor = readTensor(r.bytes(), store).tensor;
        },
        7: repeated(values, (r) => r.float()),
        8: repeated(values, int64),
      });
      numbers.set(key, values);
      if (own !== undefined) texts.set(key, own);
      if (tensor !== undefined) tensors.set(key, tensor);
    },
    7: (reader) => {
      domain = reader.string();
    },
  });
  return { name: name || `${operator}_${place}`, operator, domain, inputs, outputs, numbers, texts, tensors };
}

/** Name and shape of a value. @throws FormatError */
export function parseValueInfo(bytes: Uint8Array): OnnxValueInfo {
  return readable(bytes, () => readValueInfo(bytes));
}

function readValueInfo(bytes: Uint8Array): OnnxValueInfo {
  let [name, elementType] = ['', 0];
  const dims: number[] = [];
  const dimension: Field = (reader) => {
    let extent = 0;
    readMessage(reader.bytes(), {
      1: (r) => {
        extent = int64(r);
      },
    });
    dims.push(extent);
  };
  readMessage(bytes, {
    1: (reader) => {
      name = reader.string();
    },
    // TypeProto > tensor_type > shape > dim
    2: (type) =>
      readMessage(type.bytes(), {
        1: (tensor) =>
          readMessage(tensor.bytes(), {
            1: (own) => {
              elementType = own.int32();
            },
            2: (shape) => readMessage(shape.bytes(), { 1: dimension }),
          }),
      }),
  });
  return { name, dims, type: elementType };
}

/** Element types by their number in onnx.proto3: those that are read. */
export const ELEMENT = {
  float: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  double: 11,
  uint32: 12,
  uint64: 13,
  bfloat16: 16,
} as const;

type ElementRead = readonly [bytes: number, read: (view: DataView, at: number) => number];

/** How `raw_data` is read. */
const RAW: Readonly<Record<number, ElementRead>> = {
  [ELEMENT.float]: [4, (view, at) => view.getFloat32(at, true)],
  [ELEMENT.uint8]: [1, (view, at) => view.getUint8(at)],
  [ELEMENT.int8]: [1, (view, at) => view.getInt8(at)],
  [ELEMENT.uint16]: [2, (view, at) => view.getUint16(at, true)],
  [ELEMENT.int16]: [2, (view, at) => view.getInt16(at, true)],
  [ELEMENT.int32]: [4, (view, at) => view.getInt32(at, true)],
  [ELEMENT.int64]: [8, (view, at) => Number(view.getBigInt64(at, true))],
  [ELEMENT.bool]: [1, (view, at) => view.getUint8(at)],
  [ELEMENT.float16]: [2, (view, at) => halfOf(view.getUint16(at, true))],
  [ELEMENT.double]: [8, (view, at) => view.getFloat64(at, true)],
  [ELEMENT.uint32]: [4, (view, at) => view.getUint32(at, true)],
  [ELEMENT.uint64]: [8, (view, at) => Number(view.getBigUint64(at, true))],
  [ELEMENT.bfloat16]: [2, (view, at) => brainOf(view.getUint16(at, true))],
};

/** A half float from its bits (IEEE 754). */
function halfOf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}

/** A brain float from its bits: the upper half of a float's. */
function brainOf(bits: number): number {
  const word = new DataView(new ArrayBuffer(4));
  word.setUint16(0, bits);
  return word.getFloat32(0);
}

function readTensor(bytes: Uint8Array, store: ExternalData): { name: string; tensor: OnnxTensor } {
  const dims: number[] = [];
  const values: number[] = [];
  const external = new Map<string, string>();
  let [name, type, location] = ['', 0, 0];
  let raw: Uint8Array | undefined;
  readMessage(bytes, {
    1: repeated(dims, int64),
    2: (reader) => {
      type = reader.int32();
    },
    4: repeated(values, (reader) => reader.float()),
    5: repeated(values, (reader) => reader.int32()),
    7: repeated(values, int64),
    8: (reader) => {
      name = reader.string();
    },
    9: (reader) => {
      raw = reader.bytes();
    },
    10: repeated(values, (reader) => reader.double()),
    11: repeated(values, (reader) => Number(reader.uint64())),
    13: (reader) => {
      const { key, value } = readPair(reader.bytes());
      external.set(key, value);
    },
    14: (reader) => {
      location = reader.int32();
    },
  });
  const kind = RAW[type];
  if (kind === undefined) {
    throw new FormatError("This tensor's data can't be read.", {
      given: `element type ${type}`,
      expected: Object.keys(ELEMENT).join(', '),
      where: name,
    });
  }
  const count = dims.reduce((product, extent) => product * extent, 1);
  const [size, read] = kind;
  const isExternal = location === 1 || external.size > 0;
  if (isExternal && dims.every((extent) => extent >= 0)) raw = store.bytes(name, external, count * size);
  const given = raw === undefined ? values.length : raw.length / size;
  if (dims.some((extent) => !(extent >= 0)) || given !== count) {
    throw new FormatError('A tensor has more or fewer elements than its shape.', {
      given: `${given} elements`,
      expected: `[${listed(dims)}]`,
      where: name,
    });
  }
  if (raw === undefined) {
    const isHalf = type === ELEMENT.float16 || type === ELEMENT.bfloat16;
    // Sixteen bits that stand as integers.
    const half = type === ELEMENT.float16 ? halfOf : brainOf;
    const data = isHalf
      ? Float64Array.from(values, (bits) => half(bits & 0xffff))
      : Float64Array.from(values);
    return { name, tensor: { dims, data, type } };
  }
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  const data = new Float64Array(count);
  for (let i = 0; i < count; i++) data[i] = read(view, i * size);
  return { name, tensor: { dims, data, type } };
}

/** Weights in files beside the model: only those that were given are ever looked at. */
class ExternalData {
  readonly #files: OnnxFiles;
  /** Bytes that tensors may still take: those of all files, since each part belongs to one tensor. */
  #left: number;

  /** By the last part of the name; undefined where several have the same. */
  readonly #byLast = new Map<string, Uint8Array | undefined>();

  constructor(files: OnnxFiles) {
    this.#files = files;
    for (const [name, bytes] of files) {
      const last = lastPart(name);
      this.#byLast.set(last, this.#byLast.has(last) ? undefined : bytes);
    }
    this.#left = [...files.values()].reduce((sum, { length }) => sum + length, 0);
  }

  /** @param size bytes of the tensor */
  bytes(tensor: string, entry: ReadonlyMap<string, string>, size: number): Uint8Array {
    const location = entry.get('location') ?? '';
    const file = this.#named(tensor, location);
    const offset = Number(entry.get('offset') ?? 0);
    const length = Number(entry.get('length') ?? size);
    const isInside = [offset, length].every((own) => Number.isSafeInteger(own) && own >= 0);
    if (!isInside || length !== size || offset + length > file.length) {
      throw new FormatError("A tensor's data isn't in the file that it names.", {
        given: `${entry.get('length') ?? size} bytes from ${entry.get('offset') ?? 0} of ${location}`,
        expected: `${size} bytes of the file's ${file.length}`,
        where: tensor,
      });
    }
    this.#left -= length;
    if (this.#left < 0) {
      throw new FormatError('The tensors take more bytes than the files beside the model have.', {
        where: tensor,
      });
    }
    return file.subarray(offset, offset + length);
  }

  /** The file of this name, or the only one whose last part of the name is the same. */
  #named(tensor: string, location: string): Uint8Array {
    const exact = this.#files.get(location) ?? this.#byLast.get(lastPart(location));
    if (exact !== undefined) return exact;
    throw new FormatError("A tensor's data is in another file.", {
      given: JSON.stringify(location),
      expected: this.#files.size === 0 ? 'all data in one file' : `one of ${listed([...this.#files.keys()])}`,
      where: tensor,
      remedy:
        'give the files beside the model too: importOnnx(bytes, { files }), loadModel([model, data]); or save it as one file: onnx.save(onnx.load(path), path)',
    });
  }
}

const lastPart = (name: string) => name.slice(name.lastIndexOf('/') + 1);
