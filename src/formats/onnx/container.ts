/**
 * The part of the ONNX container (onnx.proto3, a protocol buffer) that describes a graph: nodes with their attributes,
 * constant tensors, inputs and outputs. What isn't needed is skipped.
 */
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { FormatError } from '../../errors.ts';

/** A constant; numbers of every type as float64. */
export interface OnnxTensor {
  readonly dims: readonly number[];
  readonly data: Float64Array<ArrayBuffer>;
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
}

export interface OnnxGraph {
  readonly nodes: readonly OnnxNode[];
  readonly initializers: ReadonlyMap<string, OnnxTensor>;
  readonly inputs: readonly OnnxValueInfo[];
  readonly outputs: readonly OnnxValueInfo[];
  /** Version of the standard operators; 13 where the file doesn't say it. */
  readonly opset: number;
}

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

/**
 * Parses an ONNX file.
 * @throws FormatError when it isn't one, or is damaged
 */
export function parseOnnx(bytes: Uint8Array): OnnxGraph {
  return readable(bytes, () => {
    let graph: Omit<OnnxGraph, 'opset'> | undefined;
    let opset = 13;
    readMessage(bytes, {
      7: (reader) => {
        graph = readGraph(reader.bytes());
      },
      8: (reader) => {
        const { domain, version } = readOpset(reader.bytes());
        if (domain === '' || domain === 'ai.onnx') opset = version;
      },
    });
    if (graph === undefined) throw new FormatError('There is no graph in this file.', { where: 'ONNX' });
    return { ...(graph as Omit<OnnxGraph, 'opset'>), opset };
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

function readGraph(bytes: Uint8Array): Omit<OnnxGraph, 'opset'> {
  const nodes: OnnxNode[] = [];
  const initializers = new Map<string, OnnxTensor>();
  const inputs: OnnxValueInfo[] = [];
  const outputs: OnnxValueInfo[] = [];
  readMessage(bytes, {
    1: (reader) => void nodes.push(readNode(reader.bytes(), nodes.length)),
    5: (reader) => {
      const { name, tensor } = readTensor(reader.bytes());
      initializers.set(name, tensor);
    },
    11: (reader) => void inputs.push(readValueInfo(reader.bytes())),
    12: (reader) => void outputs.push(readValueInfo(reader.bytes())),
  });
  return { nodes, initializers, inputs, outputs };
}

function readNode(bytes: Uint8Array, place: number): OnnxNode {
  const inputs: string[] = [];
  const outputs: string[] = [];
  const numbers = new Map<string, readonly number[]>();
  const texts = new Map<string, string>();
  const tensors = new Map<string, OnnxTensor>();
  let [name, operator, domain] = ['', '', ''];
  readMessage(bytes, {
    1: (reader) => void inputs.push(reader.string()),
    2: (reader) => void outputs.push(reader.string()),
    3: (reader) => {
      name = reader.string();
    },
    4: (reader) => {
      operator = reader.string();
    },
    5: (reader) => {
      const values: number[] = [];
      let [key, text]: [string, string | undefined] = ['', undefined];
      let tensor: OnnxTensor | undefined;
      readMessage(reader.bytes(), {
        1: (r) => {
          key = r.string();
        },
        2: (r) => void values.push(r.float()),
        3: (r) => void values.push(int64(r)),
        4: (r) => {
          text = new TextDecoder().decode(r.bytes());
        },
        5: (r) => {
          tensor = readTensor(r.bytes()).tensor;
        },
        7: repeated(values, (r) => r.float()),
        8: repeated(values, int64),
      });
      numbers.set(key, values);
      if (text !== undefined) texts.set(key, text);
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
  let name = '';
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
          readMessage(tensor.bytes(), { 2: (shape) => readMessage(shape.bytes(), { 1: dimension }) }),
      }),
  });
  return { name, dims };
}

/** Element types by their number in onnx.proto3, with how `raw_data` is read. */
const RAW: Readonly<Record<number, readonly [bytes: number, read: (view: DataView, at: number) => number]>> =
  {
    1: [4, (view, at) => view.getFloat32(at, true)],
    2: [1, (view, at) => view.getUint8(at)],
    3: [1, (view, at) => view.getInt8(at)],
    6: [4, (view, at) => view.getInt32(at, true)],
    7: [8, (view, at) => Number(view.getBigInt64(at, true))],
    9: [1, (view, at) => view.getUint8(at)],
    11: [8, (view, at) => view.getFloat64(at, true)],
  };

function readTensor(bytes: Uint8Array): { name: string; tensor: OnnxTensor } {
  const dims: number[] = [];
  const values: number[] = [];
  let [name, type, isExternal] = ['', 0, false];
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
    13: (reader, wire) => {
      reader.skip(wire);
      isExternal = true;
    },
  });
  const kind = RAW[type];
  if (kind === undefined || isExternal) {
    throw new FormatError("This tensor's data can't be read.", {
      given: isExternal ? 'data in another file' : `element type ${type}`,
      expected: 'float, double, int8, uint8, int32, int64 or bool, in the file',
      where: name,
    });
  }
  const count = dims.reduce((product, extent) => product * extent, 1);
  const [size, read] = kind;
  const given = raw === undefined ? values.length : raw.length / size;
  if (dims.some((extent) => !(extent >= 0)) || given !== count) {
    throw new FormatError('A tensor has more or fewer elements than its shape.', {
      given: `${given} elements`,
      expected: `[${dims.join(', ')}]`,
      where: name,
    });
  }
  if (raw === undefined) return { name, tensor: { dims, data: Float64Array.from(values) } };
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  return {
    name,
    tensor: { dims, data: Float64Array.from({ length: count }, (_, i) => read(view, i * size)) },
  };
}
