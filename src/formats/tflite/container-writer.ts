/** Writes the container of TensorFlow Lite: tensors, operators and constants into one FlatBuffer. */
import { Builder } from 'flatbuffers';
import { encode } from 'flatbuffers/js/flexbuffers.js';
import type { Shape } from '../../gpu/index.ts';
import {
  BUFFER,
  BUILTIN,
  type BuiltinName,
  FILE_IDENTIFIER,
  METADATA,
  MODEL,
  OPERATOR,
  OPERATOR_CODE,
  OPTIONS,
  SUBGRAPH,
  TENSOR,
  TENSOR_TYPE,
} from './schema.ts';

/** One scalar field of a table of options, or a vector of integers. */
export type OptionField =
  | { readonly slot: number; readonly int8: number }
  | { readonly slot: number; readonly int32: number }
  | { readonly slot: number; readonly float32: number }
  | { readonly slot: number; readonly int32s: readonly number[] };

export interface OperatorToWrite {
  readonly kind: BuiltinName | { readonly custom: string };
  readonly version?: number;
  /** −1 for an input that is left away. */
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  /** Built-in operators. */
  readonly options?: { readonly type: keyof typeof OPTIONS; readonly fields: readonly OptionField[] };
  /** Custom operators: a FlexBuffer map. */
  readonly customOptions?: Readonly<Record<string, number>>;
}

interface TensorToWrite {
  readonly name: string;
  readonly shape: Shape;
  readonly type: keyof typeof TENSOR_TYPE;
  readonly data: Uint8Array | undefined;
}

/** TensorFlow Lite maps buffers into memory; vectors of floats must lie on 16 bytes. */
const BUFFER_ALIGNMENT = 16;
const VERSION = 3;

export class TfliteWriter {
  readonly #tensors: TensorToWrite[] = [];
  readonly #operators: OperatorToWrite[] = [];

  /** @returns the tensor's index */
  tensor(name: string, shape: Shape, type: keyof typeof TENSOR_TYPE): number {
    return this.#tensors.push({ name, shape, type, data: undefined }) - 1;
  }

  /** @returns the index of a constant, whose bytes are these */
  constant(name: string, shape: Shape, values: Float32Array | Int32Array | Uint32Array): number {
    const type = values instanceof Float32Array ? 'float32' : 'int32';
    const data = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    return this.#tensors.push({ name, shape, type, data }) - 1;
  }

  rename(tensor: number, name: string): void {
    const known = this.#tensors[tensor];
    if (known !== undefined) this.#tensors[tensor] = { ...known, name };
  }

  operator(operator: OperatorToWrite): void {
    this.#operators.push(operator);
  }

  /**
   * The file.
   * @param metadata texts that are kept in buffers of their own, by name
   */
  finish(
    inputs: readonly number[],
    outputs: readonly number[],
    description: string,
    metadata: Readonly<Record<string, string>> = {},
  ): Uint8Array<ArrayBuffer> {
    const constants = this.#tensors.reduce((sum, { data }) => sum + (data?.length ?? 0), 0);
    const builder = new Builder(constants + 1024 * (this.#tensors.length + this.#operators.length + 4));
    const table = new TableWriter(builder);

    // The first buffer is empty: tensors without data refer to it.
    const buffers = [table.write(1 + BUFFER.data, [])];
    const bufferFor = (data: Uint8Array | undefined) => {
      if (data === undefined || data.length === 0) return 0;
      builder.prep(BUFFER_ALIGNMENT, data.length);
      const vector = builder.createByteVector(data);
      return buffers.push(table.write(1 + BUFFER.data, [{ slot: BUFFER.data, offset: vector }])) - 1;
    };
    const bufferOf = this.#tensors.map(({ data }) => bufferFor(data));
    const notes = Object.entries(metadata).map(([name, text]) => {
      const buffer = bufferFor(new TextEncoder().encode(text));
      return table.write(1 + METADATA.buffer, [
        { slot: METADATA.name, offset: builder.createString(name) },
        { slot: METADATA.buffer, int32: buffer },
      ]);
    });
    const tensors = this.#tensors.map(({ name, shape, type }, index) =>
      table.write(1 + TENSOR.name, [
        { slot: TENSOR.shape, offset: table.int32s(shape) },
        { slot: TENSOR.name, offset: builder.createString(name) },
        { slot: TENSOR.buffer, int32: bufferOf[index] ?? 0 },
        { slot: TENSOR.type, int8: TENSOR_TYPE[type] },
      ]),
    );

    const codes = new Map<string, { offset: number; index: number }>();
    const codeOf = ({ kind, version = 1 }: OperatorToWrite) => {
      const custom = typeof kind === 'string' ? undefined : kind.custom;
      const code = typeof kind === 'string' ? BUILTIN[kind] : BUILTIN.CUSTOM;
      const key = `${custom ?? code} ${version}`;
      const known = codes.get(key);
      if (known !== undefined) return known.index;
      const name = custom === undefined ? 0 : builder.createString(custom);
      const offset = table.write(1 + OPERATOR_CODE.builtinCode, [
        ...(name === 0 ? [] : [{ slot: OPERATOR_CODE.customCode, offset: name }]),
        { slot: OPERATOR_CODE.version, int32: version },
        { slot: OPERATOR_CODE.builtinCode, int32: code },
        {
          slot: OPERATOR_CODE.deprecatedBuiltinCode,
          int8: Math.min(code, BUILTIN.PLACEHOLDER_FOR_GREATER_OP_CODES),
        },
      ]);
      const index = codes.size;
      codes.set(key, { offset, index });
      return index;
    };
    const operators = this.#operators.map((operator) => {
      const { options, customOptions } = operator;
      const code = codeOf(operator);
      const flex = customOptions === undefined ? 0 : builder.createByteVector(encode(customOptions));
      const ready = options?.fields.map((field) =>
        'int32s' in field ? { slot: field.slot, offset: table.int32s(field.int32s) } : field,
      );
      const written = ready && table.write(1 + Math.max(-1, ...ready.map(({ slot }) => slot)), ready);
      return table.write(1 + OPERATOR.customOptions, [
        { slot: OPERATOR.opcodeIndex, int32: code },
        { slot: OPERATOR.inputs, offset: table.int32s(operator.inputs) },
        { slot: OPERATOR.outputs, offset: table.int32s(operator.outputs) },
        ...(written === undefined || options === undefined
          ? []
          : [
              { slot: OPERATOR.options, offset: written },
              { slot: OPERATOR.optionsType, int8: OPTIONS[options.type] },
            ]),
        ...(flex === 0 ? [] : [{ slot: OPERATOR.customOptions, offset: flex }]),
      ]);
    });

    const graph = table.write(1 + SUBGRAPH.name, [
      { slot: SUBGRAPH.tensors, offset: table.offsets(tensors) },
      { slot: SUBGRAPH.inputs, offset: table.int32s(inputs) },
      { slot: SUBGRAPH.outputs, offset: table.int32s(outputs) },
      { slot: SUBGRAPH.operators, offset: table.offsets(operators) },
      { slot: SUBGRAPH.name, offset: builder.createString('main') },
    ]);
    const model = table.write(1 + MODEL.metadata, [
      { slot: MODEL.version, int32: VERSION },
      { slot: MODEL.operatorCodes, offset: table.offsets([...codes.values()].map(({ offset }) => offset)) },
      { slot: MODEL.subgraphs, offset: table.offsets([graph]) },
      { slot: MODEL.description, offset: builder.createString(description) },
      { slot: MODEL.buffers, offset: table.offsets(buffers) },
      ...(notes.length === 0 ? [] : [{ slot: MODEL.metadata, offset: table.offsets(notes) }]),
    ]);
    builder.finish(model, FILE_IDENTIFIER);
    return builder.asUint8Array().slice();
  }
}

type ReadyField =
  | Exclude<OptionField, { readonly int32s: readonly number[] }>
  | { readonly slot: number; readonly offset: number };

class TableWriter {
  readonly #builder: Builder;

  constructor(builder: Builder) {
    this.#builder = builder;
  }

  int32s(values: readonly number[]): number {
    this.#builder.startVector(4, values.length, 4);
    for (const value of values.toReversed()) this.#builder.addInt32(value);
    return this.#builder.endVector();
  }

  offsets(values: readonly number[]): number {
    this.#builder.startVector(4, values.length, 4);
    for (const value of values.toReversed()) this.#builder.addOffset(value);
    return this.#builder.endVector();
  }

  /** A table; what its fields lead to has been written. All fields are, even where they are the schema's default. */
  write(slots: number, fields: readonly ReadyField[]): number {
    const builder = this.#builder;
    builder.startObject(slots);
    for (const field of fields) {
      if ('offset' in field) builder.addOffset(field.offset);
      else if ('int8' in field) builder.addInt8(field.int8);
      else if ('int32' in field) builder.addInt32(field.int32);
      else builder.addFloat32(field.float32);
      builder.slot(field.slot);
    }
    return builder.endObject();
  }
}
