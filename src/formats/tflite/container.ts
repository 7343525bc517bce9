/** The container of TensorFlow Lite: its first subgraph as plain data, with constants as views of the file's bytes. */
import { toReference } from 'flatbuffers/js/flexbuffers.js';
import { ownBytes } from '../../bytes.ts';
import { FormatError, listed } from '../../errors.ts';
import { damaged, FlatFile, type FlatTable } from './flat-table.ts';
import {
  BUFFER,
  BUILTIN,
  builtinName,
  FILE_IDENTIFIER,
  METADATA,
  MODEL,
  OPERATOR,
  OPERATOR_CODE,
  OPTIONS,
  QUANTIZATION,
  SUBGRAPH,
  TENSOR,
} from './schema.ts';

/** real = scale·(integer − zero point), for the whole tensor or for each index of one axis. */
export interface TfliteQuantization {
  readonly scales: readonly number[];
  readonly zeroPoints: readonly number[];
  readonly axis: number;
}

export interface TfliteTensor {
  readonly name: string;
  /** As in the file, the batch included; packed tensors count words on their last axis. */
  readonly shape: readonly number[];
  readonly type: number;
  /** A constant's bytes; undefined for what is computed. */
  readonly data: Uint8Array | undefined;
  /** Neither a state that lasts from run to run nor stored sparsely. */
  readonly isPlain: boolean;
  readonly quantization: TfliteQuantization | undefined;
}

export interface TfliteOperator {
  /** `CONV_2D 3`: its kind and its place in the file. */
  readonly where: string;
  /** `CONV_2D`, or the name of a custom operator. */
  readonly kind: string;
  /** Indices of tensors; −1 for an input that is left away. */
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  readonly optionsType: number;
  readonly options: FlatTable | undefined;
  readonly customOptions: Uint8Array;
}

export interface TfliteFile {
  readonly tensors: readonly TfliteTensor[];
  readonly operators: readonly TfliteOperator[];
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  /** Texts that the file carries, by name. */
  readonly metadata: ReadonlyMap<string, string>;
}

const VERSION = 3;
const FILE = 'TensorFlow Lite';

/**
 * Parses a `.tflite` file.
 * @throws FormatError when it isn't one, or is damaged
 */
export function parseTflite(bytes: Uint8Array): TfliteFile {
  const identifier = String.fromCharCode(...bytes.subarray(4, 8));
  if (bytes.length < 12 || identifier !== FILE_IDENTIFIER) {
    throw new FormatError('This is no TensorFlow Lite file.', {
      given: `${bytes.length} bytes`,
      expected: `${FILE_IDENTIFIER} at byte 4`,
      where: FILE,
    });
  }
  const file = new FlatFile(bytes);
  const model = file.tableAt(0, FILE);
  const version = model.uint32(MODEL.version);
  if (version !== VERSION) {
    throw new FormatError('This version of TensorFlow Lite is not supported.', {
      given: `${version}`,
      expected: `${VERSION}`,
      where: FILE,
    });
  }
  const [main] = model.tables(MODEL.subgraphs, 'subgraph');
  if (main === undefined) throw damaged('no subgraph', FILE);
  const buffers = model.tables(MODEL.buffers, 'buffer').map((buffer) => dataOf(buffer, bytes));
  const kinds = model.tables(MODEL.operatorCodes, 'operator code').map(kindOf);
  const tensors = main.tables(SUBGRAPH.tensors, 'tensor').map((table) => tensorOf(table, buffers));

  const indicesIn = (table: FlatTable, slot: number, isOptional: boolean) => {
    const indices = table.int32s(slot);
    for (const index of indices) {
      if (!(index < tensors.length && index >= (isOptional ? -1 : 0))) {
        throw damaged(`tensor ${index} of ${tensors.length}`, table.where);
      }
    }
    return indices;
  };
  const operators = main.tables(SUBGRAPH.operators, 'operator').map((table, index): TfliteOperator => {
    const code = table.uint32(OPERATOR.opcodeIndex);
    const kind = kinds[code];
    if (kind === undefined) throw damaged(`operator code ${code} of ${kinds.length}`, table.where);
    return {
      where: `${kind} ${index}`,
      kind,
      inputs: indicesIn(table, OPERATOR.inputs, true),
      outputs: indicesIn(table, OPERATOR.outputs, false),
      optionsType: table.uint8(OPERATOR.optionsType, OPTIONS.none),
      options: table.table(OPERATOR.options, `${kind} ${index}`),
      customOptions: table.bytes(OPERATOR.customOptions) ?? new Uint8Array(),
    };
  });
  return {
    tensors,
    operators,
    inputs: indicesIn(main, SUBGRAPH.inputs, false),
    outputs: indicesIn(main, SUBGRAPH.outputs, false),
    metadata: metadataOf(model.tables(MODEL.metadata, 'metadata'), buffers),
  };
}

/** Bytes of a text that is read. */
const MOST_TEXT = 2 ** 20;

/** Those that are texts, without the zeros that fill them up; the bytes of each buffer are read once. */
function metadataOf(
  tables: readonly FlatTable[],
  buffers: readonly (Uint8Array | undefined)[],
): Map<string, string> {
  const texts = new Map<string, string>();
  const seen = new Set<number>();
  for (const table of tables) {
    const [name, at] = [table.string(METADATA.name), table.uint32(METADATA.buffer)];
    const data = buffers[at];
    if (data === undefined || data.length > MOST_TEXT || seen.has(at) || texts.has(name)) continue;
    seen.add(at);
    let end = data.length;
    while (end > 0 && data[end - 1] === 0) end -= 1;
    try {
      texts.set(name, new TextDecoder('utf-8', { fatal: true }).decode(data.subarray(0, end)));
    } catch {
      // Not a text: TensorFlow keeps tables of its own here.
    }
  }
  return texts;
}

/** Bytes of a buffer: in the table, or, in files beyond 2 GB, anywhere after it. */
function dataOf(buffer: FlatTable, file: Uint8Array): Uint8Array | undefined {
  const data = buffer.bytes(BUFFER.data);
  if (data !== undefined && data.length > 0) return data;
  const [offset, size] = [buffer.uint64(BUFFER.offset), buffer.uint64(BUFFER.size)];
  if (offset <= 1 || size === 0) return undefined;
  if (offset + size > file.length) throw damaged(`bytes ${offset} to ${offset + size}`, buffer.where);
  return file.subarray(offset, offset + size);
}

function kindOf(code: FlatTable): string {
  // The first field is a byte; the newer one came when a byte had no room left.
  const builtin = Math.max(
    code.int8(OPERATOR_CODE.deprecatedBuiltinCode),
    code.int32(OPERATOR_CODE.builtinCode),
  );
  return builtin === BUILTIN.CUSTOM ? code.string(OPERATOR_CODE.customCode) : builtinName(builtin);
}

function tensorOf(table: FlatTable, buffers: readonly (Uint8Array | undefined)[]): TfliteTensor {
  const shape = table.int32s(TENSOR.shape);
  const name = table.string(TENSOR.name) || table.where;
  const buffer = table.uint32(TENSOR.buffer);
  if (shape.some((extent) => extent < 0)) throw damaged(`shape [${listed(shape)}]`, name);
  if (buffer >= buffers.length && buffer !== 0) throw damaged(`buffer ${buffer} of ${buffers.length}`, name);
  return {
    name,
    shape,
    type: table.int8(TENSOR.type),
    data: buffers[buffer],
    isPlain: !table.bool(TENSOR.isVariable) && !table.has(TENSOR.sparsity),
    quantization: quantizationOf(table.table(TENSOR.quantization, name), name),
  };
}

function quantizationOf(table: FlatTable | undefined, where: string): TfliteQuantization | undefined {
  const scales = table?.float32s(QUANTIZATION.scale) ?? [];
  if (table === undefined || scales.length === 0) return undefined;
  const given = table.int64s(QUANTIZATION.zeroPoint);
  const zeroPoints = given.length === 0 ? scales.map(() => 0) : given;
  if (zeroPoints.length !== scales.length) {
    throw damaged(`${scales.length} scales and ${zeroPoints.length} zero points`, where);
  }
  if (table.uint8(QUANTIZATION.detailsType) !== 0) {
    throw new FormatError('Custom quantization is not supported.', { where });
  }
  return { scales, zeroPoints, axis: table.int32(QUANTIZATION.quantizedDimension) };
}

/**
 * Integers from a FlexBuffer map, which custom operators keep their options in.
 * @throws FormatError when it is no map, or lacks one of them
 */
export function customIntegers<const Names extends readonly string[]>(
  operator: TfliteOperator,
  names: Names,
): Record<Names[number], number> {
  const { customOptions, where } = operator;
  const read = (): [string, number][] => {
    const map = toReference(ownBytes(customOptions).buffer);
    // A length beyond this makes the runtime's search of keys run in circles.
    if (!map.isMap() || map.length() > customOptions.length) throw new Error('no map');
    return names.map((name) => {
      // The declared type knows only vectors; maps take the name of a key.
      const value = Number(map.get(name as unknown as number).intValue() ?? Number.NaN);
      if (!Number.isSafeInteger(value)) throw new Error(`${name} is no integer`);
      return [name, value];
    });
  };
  try {
    return Object.fromEntries(read()) as Record<Names[number], number>;
  } catch (cause) {
    // The runtime throws strings, and what DataView throws.
    throw new FormatError("A custom operator's options can't be read.", {
      given: cause instanceof Error ? cause.message : String(cause),
      expected: names.join(', '),
      where,
      cause,
    });
  }
}
