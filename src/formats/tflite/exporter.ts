/** What the writers of all layers share: tensors and operators of the file, packed or real, and binary layers in waiting. */
import { OptionError } from '../../errors.ts';
import { describe, type Shape, sizeOf, wordsFor } from '../../gpu/index.ts';
import {
  floatValue,
  type Model,
  type ModelLayer,
  type PackedSigns,
  type ParameterValues,
  packedValue,
} from '../../graph/index.ts';
import type { KernelRotation } from '../../layers/index.ts';
import { rotatedSigns } from '../../numerics/rotation.ts';
import type { ResolvedConv2d } from '../../ops/index.ts';
import { type OperatorToWrite, type OptionField, TfliteWriter } from './container-writer.ts';
import { ACTIVATION, type BuiltinName, LCE, MUL, type OPTIONS, PADDING, POOL_2D, RESHAPE } from './schema.ts';

export type Floats = Float32Array;

/** A tensor of the file. `dims` are its own, without the batch, and with channels where the file counts words. */
export interface Written {
  readonly form: 'real' | 'packed';
  readonly tensor: number;
  readonly dims: Shape;
  /** What the model takes it for: as many values. */
  readonly shape: Shape;
}

/** A binary layer that isn't written yet: what reads it decides on its output. */
export interface Sum {
  readonly form: 'sum';
  readonly name: string;
  readonly input: Written;
  /** OHWI, one bit a weight. */
  readonly kernel: PackedSigns;
  readonly resolved: ResolvedConv2d;
  readonly padding: 'same' | 'valid';
  /** Its number in the schema; before multiplier and bias. */
  readonly activation: number;
  readonly multiplier: Floats | undefined;
  readonly bias: Floats | undefined;
  /** Max pooling that follows. */
  readonly pools: readonly Pool[];
  readonly shape: Shape;
}

export interface Pool {
  readonly filter: readonly [number, number];
  readonly strides: readonly [number, number];
  readonly padding: 'same' | 'valid';
  readonly dims: Shape;
}

export type Value = Written | Sum;

/** Writes a layer; what it gives back is what the layers after it take. */
export type LayerWriter = (
  exporter: Exporter,
  entry: ModelLayer,
  inputs: readonly [Value, ...Value[]],
) => Value;

const INT32_MAX = 2 ** 31 - 1;
const INT32_MIN = -(2 ** 31);

/** What is written so far, and the verbs that layers are written with. */
export class Exporter {
  readonly #model: Model;
  readonly #values: ParameterValues;
  readonly #writer = new TfliteWriter();
  /** The layers that read the result of each. */
  readonly #readers = new Map<ModelLayer | undefined, ModelLayer[]>();
  readonly #packed = new Map<number, Written>();
  readonly #reals = new Map<number, Written>();
  #name = '';
  #parts = 0;

  constructor(model: Model, values: ParameterValues) {
    this.#model = model;
    this.#values = values;
    for (const reader of model.layers) {
      for (const from of reader.inputs) {
        const entry = model.layers[from];
        this.#readers.set(entry, [...(this.#readers.get(entry) ?? []), reader]);
      }
    }
  }

  /**
   * Writes every layer in its order, by its kind.
   * @param metadata texts to keep in the file, by name
   * @returns the file
   */
  run(
    writers: Readonly<Record<string, LayerWriter>>,
    metadata?: Readonly<Record<string, string>>,
  ): Uint8Array<ArrayBuffer> {
    const { layers, name } = this.#model;
    const starts = this.#model.inputs.map(({ name: own, shape }): Written => {
      const tensor = this.#writer.tensor(own, [1, ...shape], 'float32');
      return { form: 'real', tensor, dims: shape, shape };
    });
    const results: Value[] = [];
    const valueAt = (from: number): Value => {
      const value = results[from] ?? starts[-1 - from];
      if (value !== undefined) return value;
      throw new OptionError('A layer reads what there is not.', { given: `${from}`, where: name });
    };
    for (const entry of layers) {
      this.#name = entry.name;
      this.#parts = 0;
      const [first = valueAt(-1), ...more] = entry.inputs.map(valueAt);
      const value = writers[entry.layer.kind]?.(this, entry, [first, ...more]) ?? first;
      // What is read in several places is written once.
      const isShared = (this.#readers.get(entry)?.length ?? 0) + this.#outputsOf(entry) > 1;
      results.push(value.form === 'sum' && isShared ? this.materialized(value) : value);
    }
    const inputs = starts.map(({ tensor }) => tensor);
    const outputs: number[] = [];
    for (const { name: own, shape, from } of this.#model.outputs) {
      const written = this.view(this.real(valueAt(from)), shape);
      const isTaken = inputs.includes(written.tensor) || outputs.includes(written.tensor);
      const { tensor } = isTaken ? this.#reshaped(written, shape) : written;
      this.#writer.rename(tensor, own);
      outputs.push(tensor);
    }
    return this.#writer.finish(inputs, outputs, name, metadata);
  }

  /** How many outputs of the model are a layer's result. */
  #outputsOf(entry: ModelLayer): number {
    return this.#model.outputs.filter(({ from }) => this.#model.layers[from] === entry).length;
  }

  /** Whether all that reads a layer's result, through `flatten` too, takes its signs. */
  isReadAsSigns(entry: ModelLayer): boolean {
    const readers = this.#readers.get(entry) ?? [];
    return (
      readers.length > 0 &&
      this.#outputsOf(entry) === 0 &&
      readers.every((reader) => {
        const { reshapes, readsSigns } = reader.layer.traits ?? {};
        return reshapes === true ? this.isReadAsSigns(reader) : readsSigns === true;
      })
    );
  }

  floats(entry: ModelLayer, parameter: string): Floats {
    const { spec, value, where } = this.#parameter(entry, parameter);
    return floatValue(value, spec.shape, where);
  }

  optionalFloats(entry: ModelLayer, parameter: string): Floats | undefined {
    return entry.parameters.some(({ name }) => name === parameter)
      ? this.floats(entry, parameter)
      : undefined;
  }

  signs(entry: ModelLayer, parameter: string): PackedSigns {
    const { spec, value, where } = this.#parameter(entry, parameter);
    return packedValue(value, spec.shape, where, spec.quantizer);
  }

  /**
   * A kernel as a tensor of reals. Binary ones, which meet reals here, are a bit each in the file, and an operator on the
   * constant makes reals of them.
   */
  weights(entry: ModelLayer, parameter = 'kernel'): number {
    const spec = entry.parameters.find(({ name }) => name === parameter);
    if (spec?.role !== 'binary') {
      return this.constant(parameter, spec?.shape ?? [], this.#used(entry, parameter));
    }
    return this.#unpacked(parameter, this.signs(entry, parameter));
  }

  /** The weights of a depthwise convolution, OHW1 here: 1HWO there. */
  depthwiseWeights(entry: ModelLayer, parameter = 'kernel'): number {
    const spec = entry.parameters.find(({ name }) => name === parameter);
    const [filters = 1, height = 1, width = 1] = spec?.shape ?? [];
    const turned = [1, height, width, filters];
    const taps = height * width;
    const turn = (kernel: Floats) =>
      kernel.map((_, i) => kernel[(i % filters) * taps + Math.floor(i / filters)] ?? 0);
    if (spec?.role !== 'binary') {
      return this.constant(parameter, turned, turn(this.#used(entry, parameter)));
    }
    const signs = turn(floatValue(this.signs(entry, parameter), spec.shape, entry.name));
    return this.#unpacked(parameter, packedValue(signs, turned, entry.name));
  }

  /** Weights as the layer multiplies with them: those that are rotated before their signs are taken, rotated back. */
  #used(entry: ModelLayer, parameter: string): Floats {
    const weights = this.floats(entry, parameter);
    const rotation = entry.layer.config.kernelRotation as KernelRotation | undefined;
    if (rotation === undefined) return weights;
    const { seed = 0, rounds = 3 } = rotation;
    const filters = entry.parameters.find(({ name }) => name === parameter)?.shape[0] ?? 1;
    const size = weights.length / filters;
    const used = new Float32Array(weights.length);
    for (let first = 0; first < weights.length; first += size) {
      used.set(rotatedSigns(weights.subarray(first, first + size), { seed, rounds }), first);
    }
    return used;
  }

  /** Signs that are stored as one bit each, as reals. */
  #unpacked(what: string, { words, shape }: PackedSigns): number {
    const packed = this.constant(what, [...shape.slice(0, -1), wordsFor(shape.at(-1) ?? 1)], words);
    const unpacked = this.#writer.tensor(`${this.#name}/signs of ${what}`, shape, 'float32');
    this.#writer.operator({ kind: { custom: LCE.dequantize }, inputs: [packed], outputs: [unpacked] });
    return unpacked;
  }

  #parameter(entry: ModelLayer, parameter: string) {
    const where = `${entry.name}/${parameter}`;
    const spec = entry.parameters.find(({ name }) => name === parameter);
    const value = this.#values.get(where);
    if (spec === undefined || value === undefined) {
      throw new OptionError('A parameter is missing.', { given: where, where: this.#model.name });
    }
    return { spec, value, where };
  }

  constant(what: string, shape: Shape, values: Float32Array | Int32Array | Uint32Array): number {
    return this.#writer.constant(`${this.#name}/${what}`, shape, values);
  }

  /** An operator with one result, which is a tensor of its own. */
  emit(
    operator: Omit<OperatorToWrite, 'outputs'>,
    form: Written['form'],
    dims: Shape,
    shape: Shape = dims,
  ): Written {
    const name = this.#parts === 0 ? this.#name : `${this.#name}/${this.#parts}`;
    this.#parts += 1;
    const own = form === 'real' ? dims : [...dims.slice(0, -1), wordsFor(dims.at(-1) ?? 1)];
    const tensor = this.#writer.tensor(name, [1, ...own], form === 'real' ? 'float32' : 'int32');
    this.#writer.operator({ ...operator, outputs: [tensor] });
    return { form, tensor, dims, shape };
  }

  /** A built-in operator on reals. */
  builtin(
    kind: BuiltinName,
    inputs: readonly number[],
    dims: Shape,
    type: keyof typeof OPTIONS = 'none',
    fields: readonly OptionField[] = [],
  ): Written {
    const options = type === 'none' ? {} : { options: { type, fields } };
    return this.emit({ kind, inputs, ...options }, 'real', dims);
  }

  /** Written to the file, as whatever it is. */
  materialized(value: Value): Written {
    return value.form === 'sum' ? this.#sumAsReals(value) : value;
  }

  real(value: Value): Written {
    const written = this.materialized(value);
    if (written.form === 'real') return written;
    const known = this.#reals.get(written.tensor);
    if (known !== undefined) return { ...known, shape: written.shape };
    const { tensor, dims, shape } = written;
    const made = this.emit({ kind: { custom: LCE.dequantize }, inputs: [tensor] }, 'real', dims, shape);
    this.#reals.set(tensor, made);
    return made;
  }

  packed(value: Value): Written {
    const written = this.materialized(value);
    if (written.form === 'packed') return written;
    const known = this.#packed.get(written.tensor);
    if (known !== undefined) return { ...known, shape: written.shape };
    const { tensor, dims, shape } = written;
    const made = this.emit({ kind: { custom: LCE.quantize }, inputs: [tensor] }, 'packed', dims, shape);
    this.#packed.set(tensor, made);
    return made;
  }

  /** The same values in a tensor of these dims. Packed rows stay whole if they fill their words. */
  view(value: Written, dims: Shape): Written {
    if (describe(dims) === describe(value.dims)) return { ...value, shape: dims };
    const [from = 1, to = 1] = [value.dims.at(-1), dims.at(-1)];
    if (value.form === 'packed' && from !== to && (from % 32 !== 0 || to % 32 !== 0)) {
      return this.packed(this.view(this.real(value), dims));
    }
    return this.#reshaped(value, dims);
  }

  #reshaped(value: Written, dims: Shape): Written {
    const own = value.form === 'real' ? dims : [...dims.slice(0, -1), wordsFor(dims.at(-1) ?? 1)];
    const newShape = [1, ...own];
    const inputs = [
      value.tensor,
      this.constant(`shape of ${describe(dims)}`, [newShape.length], Int32Array.from(newShape)),
    ];
    const fields = [{ slot: RESHAPE.newShape, int32s: newShape }];
    return this.emit({ kind: 'RESHAPE', inputs, options: { type: 'Reshape', fields } }, value.form, dims);
  }

  /** x·scale + shift by channel. */
  scaled(value: Written, scale: Floats | undefined, shift: Floats | undefined): Written {
    const dims = value.dims;
    let { tensor } = value;
    const activation = [{ slot: MUL.activation, int8: ACTIVATION.none }];
    if (scale?.some((factor) => factor !== 1)) {
      const factors = this.constant('scale', [scale.length], scale);
      tensor = this.builtin('MUL', [tensor, factors], dims, 'Mul', activation).tensor;
    }
    if (shift?.some((term) => term !== 0)) {
      const terms = this.constant('shift', [shift.length], shift);
      tensor = this.builtin('ADD', [tensor, terms], dims, 'Add', activation).tensor;
    }
    return { ...value, tensor };
  }

  /** A binary layer's operator. */
  #bconv(sum: Sum, flipped: PackedSigns, form: Written['form'], inputs: readonly number[]): Written {
    const { resolved } = sum;
    const { outHeight, outWidth, outChannels, kernelHeight, kernelWidth } = resolved;
    const words = wordsFor(flipped.shape.at(-1) ?? 1);
    const filters = this.constant('kernel', [outChannels, kernelHeight, kernelWidth, words], flipped.words);
    const customOptions = {
      channels_in: resolved.channels,
      dilation_height_factor: resolved.dilationY,
      dilation_width_factor: resolved.dilationX,
      fused_activation_function: sum.activation,
      pad_values: sum.padding === 'same' ? resolved.padValue : 0,
      padding: PADDING[sum.padding],
      stride_height: resolved.strideY,
      stride_width: resolved.strideX,
    };
    const kind = { custom: LCE.bconv2d };
    const all = [sum.input.tensor, filters, ...inputs];
    return this.emit({ kind, inputs: all, customOptions }, form, [outHeight, outWidth, outChannels]);
  }

  #sumAsReals(sum: Sum): Written {
    const channels = sum.resolved.outChannels;
    const multiplier = this.constant(
      'multiplier',
      [channels],
      sum.multiplier ?? new Float32Array(channels).fill(1),
    );
    const bias = this.constant('bias', [channels], sum.bias ?? new Float32Array(channels));
    let written = this.#bconv(sum, sum.kernel, 'real', [multiplier, bias, -1]);
    for (const pool of sum.pools) written = this.pooled('MAX_POOL_2D', written, pool);
    return { ...written, shape: sum.shape };
  }

  /** +1 where direction·sum ≥ limit, by channel. */
  sumAsSigns(sum: Sum, direction: Floats, limit: Floats): Written {
    const isBare =
      sum.multiplier === undefined && sum.bias === undefined && sum.activation === ACTIVATION.none;
    const isExactZero = sum.padding === 'same' && sum.resolved.padValue === 0;
    const keepsOrder = sum.pools.length === 0 || direction.every((side) => side >= 0);
    if (!isBare || isExactZero || !keepsOrder) {
      const negated = limit.map((value) => -value);
      if (isBare && sum.pools.length === 0) {
        return this.packed(this.#sumAsReals({ ...sum, multiplier: direction, bias: negated }));
      }
      return this.packed(this.scaled(this.#sumAsReals(sum), direction, negated));
    }
    const depth = sizeOf(sum.kernel.shape.slice(1));
    const thresholds = Int32Array.from(direction, (side, channel) => {
      const least = limit[channel] ?? 0;
      const most = side === 0 ? (least <= 0 ? depth : -1) : Math.floor((depth - least) / 2);
      return most >= depth ? INT32_MAX : most < 0 ? INT32_MIN : most;
    });
    const kernel = negatedWhere(sum.kernel, direction);
    const limits = this.constant('threshold', [thresholds.length], thresholds);
    let written = this.#bconv(sum, kernel, 'packed', [-1, -1, limits]);
    for (const pool of sum.pools) written = this.packedPool(written, pool);
    return { ...written, shape: sum.shape };
  }

  pooled(
    kind: 'MAX_POOL_2D' | 'AVERAGE_POOL_2D',
    value: Written,
    { filter, strides, padding, dims }: Pool,
  ): Written {
    return this.builtin(kind, [value.tensor], dims, 'Pool2D', [
      { slot: POOL_2D.strideWidth, int32: strides[1] },
      { slot: POOL_2D.strideHeight, int32: strides[0] },
      { slot: POOL_2D.filterWidth, int32: filter[1] },
      { slot: POOL_2D.filterHeight, int32: filter[0] },
      { slot: POOL_2D.padding, int8: PADDING[padding] },
      { slot: POOL_2D.activation, int8: ACTIVATION.none },
    ]);
  }

  packedPool(value: Written, { filter, strides, padding, dims }: Pool): Written {
    const customOptions = {
      padding: PADDING[padding],
      stride_width: strides[1],
      stride_height: strides[0],
      filter_width: filter[1],
      filter_height: filter[0],
    };
    return this.emit(
      { kind: { custom: LCE.bmaxPool2d }, inputs: [value.tensor], customOptions },
      'packed',
      dims,
    );
  }

  /** An image with a frame of one value around it, [top, bottom] and [left, right]. */
  framed(value: Written, amounts: readonly (readonly [number, number])[], filler: number): Written {
    const [[top, bottom] = [0, 0], [left, right] = [0, 0]] = amounts;
    const [height = 1, width = 1, channels = 1] = value.dims;
    const table = Int32Array.of(0, 0, top, bottom, left, right, 0, 0);
    const inputs = [value.tensor, this.constant('paddings', [4, 2], table)];
    const dims = [height + top + bottom, width + left + right, channels];
    if (filler === 0) return this.builtin('PAD', inputs, dims, 'Pad');
    inputs.push(this.constant('filler', [], Float32Array.of(filler)));
    return this.builtin('PADV2', inputs, dims, 'PadV2');
  }
}

/** Filters of channels with direction −1 negated. */
function negatedWhere(kernel: PackedSigns, direction: Floats): PackedSigns {
  if (direction.every((side) => side >= 0)) return kernel;
  const channels = kernel.shape.at(-1) ?? 1;
  const perRow = wordsFor(channels);
  const perFilter = kernel.words.length / direction.length;
  const tail = channels % 32 === 0 ? -1 : (1 << (channels % 32)) - 1;
  const words = kernel.words.map((word, index) => {
    if ((direction[Math.floor(index / perFilter)] ?? 0) >= 0) return word;
    return (~word & (index % perRow === perRow - 1 ? tail : -1)) >>> 0;
  });
  return { words, shape: kernel.shape };
}
