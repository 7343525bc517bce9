/**
 * The exporter to `.tflite` with Larq Compute Engine's operators. Binary layers become `LceBconv2d` with one bit a weight
 * in the file, dense ones too, as 1×1 convolutions of one pixel; a threshold or a scale and shift after them goes into the
 * operator, as Larq's converter does it:
 *
 * - a sign of the sum becomes packed output: bit 1 (−1) where the count of differing bits exceeds ⌊(K − T)/2⌋, which is
 *   Larq's ⌊½(β/|γ| + K)⌋; filters of channels that compare "at most" are negated; constants are the ends of int32;
 * - where reals are read, multiplier and bias; `LceQuantize` stands where reals meet a binary layer.
 *
 * Larq's fast kernels have no packed output with exact zero padding: such a layer writes reals, and `LceQuantize` follows.
 */
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
import {
  type BinaryOutputOptions,
  type Conv2dLayerOptions,
  DEFAULT_EPSILON,
  type Pool2dLayerOptions,
} from '../../layers/index.ts';
import { type Conv2dOptions, type ResolvedConv2d, resolveConv2d, resolvePool2d } from '../../ops/index.ts';
import { type OperatorToWrite, type OptionField, TfliteWriter } from './container-writer.ts';
import {
  ACTIVATION,
  type BuiltinName,
  CONCATENATION,
  CONV_2D,
  DEPTHWISE_CONV_2D,
  LCE,
  MUL,
  type OPTIONS,
  PADDING,
  POOL_2D,
  REDUCER,
  RESHAPE,
  SOFTMAX,
} from './schema.ts';
import { type Comparison, signOfNormalized, signOfScaled } from './thresholds.ts';

type Floats = Float32Array<ArrayBuffer>;

/** A tensor of the file. `dims` are its own, without the batch, and with channels where the file counts words. */
interface Written {
  readonly form: 'real' | 'packed';
  readonly tensor: number;
  readonly dims: Shape;
  /** What the model takes it for: as many values. */
  readonly shape: Shape;
}

/** A binary layer that isn't written yet: what reads it decides on its output. */
interface Sum {
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

interface Pool {
  readonly filter: readonly [number, number];
  readonly strides: readonly [number, number];
  readonly padding: 'same' | 'valid';
  readonly dims: Shape;
}

type Value = Written | Sum;

const INT32_MAX = 2 ** 31 - 1;
const INT32_MIN = -(2 ** 31);

/**
 * Writes a network for inference as a `.tflite` file for Larq Compute Engine. Normalisations and scales of which only
 * signs are read become comparisons.
 * @param values of all parameters
 * @returns the file; read again, it gives the same signs and the same integers to the bit, and reals to the rounding of
 *   f32 where a normalisation became a multiplier and a bias
 * @throws OptionError listing all layers that the format has no operator for; FormatError for values that don't fit
 */
export function exportTflite(model: Model, values: ParameterValues): Uint8Array<ArrayBuffer> {
  const missing = model.layers.filter(({ layer }) => !Object.hasOwn(WRITERS, layer.kind));
  if (missing.length > 0) {
    throw new OptionError('These layers have no operator in TensorFlow Lite that this library writes.', {
      given: missing.map(({ name, layer }) => `${layer.kind} (${name})`).join(', '),
      expected: Object.keys(WRITERS).join(', '),
      where: model.name,
    });
  }
  return new Exporter(model, values).run();
}

type LayerWriter = (exporter: Exporter, entry: ModelLayer, inputs: readonly [Value, ...Value[]]) => Value;

class Exporter {
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

  run(): Uint8Array<ArrayBuffer> {
    const { layers, inputShape, outputShape, name } = this.#model;
    const input = this.#writer.tensor('input', [1, ...inputShape], 'float32');
    const start: Written = { form: 'real', tensor: input, dims: inputShape, shape: inputShape };
    const results: Value[] = [];
    for (const entry of layers) {
      this.#name = entry.name;
      this.#parts = 0;
      const [first = start, ...more] = entry.inputs.map((from) => results[from] ?? start);
      const value = WRITERS[entry.layer.kind]?.(this, entry, [first, ...more]) ?? first;
      // What is read in several places is written once.
      const isShared = (this.#readers.get(entry)?.length ?? 0) > 1;
      results.push(value.form === 'sum' && isShared ? this.materialized(value) : value);
    }
    const result = this.view(this.real(results.at(-1) ?? start), outputShape);
    return this.#writer.finish([input], [result.tensor], name);
  }

  /** Whether all that reads a layer's result, through `flatten` too, takes its signs. */
  isReadAsSigns(entry: ModelLayer): boolean {
    const readers = this.#readers.get(entry) ?? [];
    return (
      readers.length > 0 &&
      readers.every((reader) => {
        const { kind, config } = reader.layer;
        if (kind === 'flatten' || kind === 'reshape') return this.isReadAsSigns(reader);
        const isBinary = kind === 'binaryConv2d' || kind === 'binaryDense' || kind === 'signPool2d';
        return isBinary ? reader.inputs.length === 1 : kind === 'sign' || config.inputQuantizer !== undefined;
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
    return packedValue(value, spec.shape, where);
  }

  /**
   * A kernel as a tensor of reals. Binary ones, which meet reals here, are a bit each in the file, and an operator on the
   * constant makes reals of them.
   */
  weights(entry: ModelLayer): number {
    const spec = entry.parameters.find(({ name }) => name === 'kernel');
    if (spec?.role !== 'binary') {
      return this.constant('kernel', spec?.shape ?? [], this.floats(entry, 'kernel'));
    }
    const { words, shape } = this.signs(entry, 'kernel');
    const rows = shape.slice(0, -1);
    const packed = this.constant('kernel', [...rows, wordsFor(shape.at(-1) ?? 1)], words);
    const unpacked = this.#writer.tensor(`${this.#name}/signs`, shape, 'float32');
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

  constant(
    what: string,
    shape: Shape,
    values: Floats | Int32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>,
  ): number {
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
    const own = value.form === 'real' ? dims : [...dims.slice(0, -1), wordsFor(to)];
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

  /** An image padded with zeros, [top, bottom] and [left, right]. */
  paddedWithZeros(value: Written, amounts: readonly (readonly [number, number])[]): Written {
    const [[top, bottom] = [0, 0], [left, right] = [0, 0]] = amounts;
    const [height = 1, width = 1, channels = 1] = value.dims;
    const table = Int32Array.of(0, 0, top, bottom, left, right, 0, 0);
    const inputs = [value.tensor, this.constant('paddings', [4, 2], table)];
    return this.builtin('PAD', inputs, [height + top + bottom, width + left + right, channels], 'Pad');
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

function refused({ name, layer }: ModelLayer, reason: string, remedy?: string): OptionError {
  return new OptionError('This layer has no counterpart in TensorFlow Lite.', {
    given: `${layer.kind}: ${reason}`,
    where: name,
    remedy,
  });
}

function imageShape(entry: ModelLayer): readonly [number, number, number] {
  const [height = 1, width = 1, channels = 1] = entry.inputShapes[0] ?? [];
  return [height, width, channels];
}

/** Which of the format's two paddings places the windows like this; undefined for neither. */
function paddingOf(
  place: (padding: 'same' | 'valid') => readonly number[],
  wanted: readonly number[],
): 'same' | 'valid' | undefined {
  // Where nothing is added both are the same, and `valid` has packed output.
  return (['valid', 'same'] as const).find((padding) => {
    try {
      return place(padding).join() === wanted.join();
    } catch {
      return false;
    }
  });
}

function convolutionOf(
  entry: ModelLayer,
  filterShape: Shape,
): { resolved: ResolvedConv2d; padding: 'same' | 'valid' | undefined } {
  const options = entry.layer.config as Conv2dOptions;
  const input = [1, ...imageShape(entry)];
  const places = ({ outHeight, outWidth, padTop, padLeft, padBottom, padRight }: ResolvedConv2d) => [
    ...[outHeight, outWidth, padTop, padLeft, padBottom, padRight],
  ];
  const resolved = resolveConv2d(input, filterShape, options, entry.name);
  const padding = paddingOf(
    (rule) => places(resolveConv2d(input, filterShape, { ...options, padding: rule }, entry.name)),
    places(resolved),
  );
  return { resolved, padding };
}

/** A binary convolution or dense layer, with signs packed on both sides. */
function binarySum(
  exporter: Exporter,
  entry: ModelLayer,
  input: Value,
  extra: Partial<Pick<Sum, 'activation' | 'multiplier' | 'bias'>> = {},
): Sum | undefined {
  const stored = exporter.signs(entry, 'kernel');
  const isDense = stored.shape.length === 2;
  const [units = 1, features = 1] = stored.shape;
  const kernel = isDense ? { words: stored.words, shape: [units, 1, 1, features] } : stored;
  const { resolved, padding } = isDense
    ? {
        resolved: resolveConv2d([1, 1, 1, features], kernel.shape, {}, entry.name),
        padding: 'valid' as const,
      }
    : convolutionOf(entry, kernel.shape);
  const { groups, channels, padValue } = resolved;
  if (padding === undefined || (padding === 'same' && padValue === -1)) return undefined;
  if (groups > 1 && channels % (32 * groups) !== 0) return undefined;
  const dims = isDense ? [1, 1, features] : imageShape(entry);
  return {
    form: 'sum',
    name: entry.name,
    input: exporter.view(exporter.packed(input), dims),
    ...{ kernel, resolved, padding },
    ...{ activation: ACTIVATION.none, multiplier: undefined, bias: undefined, ...extra },
    pools: [],
    shape: entry.outputShape,
  };
}

/** A convolution of reals, with whatever weights. */
function realConvolution(exporter: Exporter, entry: ModelLayer, input: Value): Written {
  const { kernelSize, filters } = entry.layer.config as unknown as Conv2dLayerOptions;
  const [kernelHeight, kernelWidth] = typeof kernelSize === 'number' ? [kernelSize, kernelSize] : kernelSize;
  const groups = (entry.layer.config as Conv2dOptions).groups ?? 1;
  const depth = imageShape(entry)[2] / groups;
  const { resolved, padding } = convolutionOf(entry, [filters, kernelHeight, kernelWidth, depth]);
  if (padding !== 'valid' && resolved.padValue !== 0) {
    throw refused(entry, `it pads with ${resolved.padValue}`, 'pad with 0');
  }
  const amounts = [
    [resolved.padTop, resolved.padBottom],
    [resolved.padLeft, resolved.padRight],
  ] as const;
  const image = exporter.view(exporter.real(input), imageShape(entry));
  const x = padding === undefined ? exporter.paddedWithZeros(image, amounts) : image;
  const isDepthwise = depth === 1 && groups > 1;
  const weights = isDepthwise
    ? depthwiseKernel(exporter, entry, [kernelHeight, kernelWidth, filters])
    : exporter.weights(entry);
  const bias = exporter.optionalFloats(entry, 'bias') ?? new Float32Array(filters);
  const inputs = [x.tensor, weights, exporter.constant('bias', [filters], bias)];
  const slots = isDepthwise ? DEPTHWISE_CONV_2D : CONV_2D;
  const fields: OptionField[] = [
    { slot: slots.strideWidth, int32: resolved.strideX },
    { slot: slots.strideHeight, int32: resolved.strideY },
    { slot: slots.dilationWidth, int32: resolved.dilationX },
    { slot: slots.dilationHeight, int32: resolved.dilationY },
    { slot: slots.padding, int8: PADDING[padding ?? 'valid'] },
    { slot: slots.activation, int8: ACTIVATION.none },
    ...(isDepthwise ? [{ slot: DEPTHWISE_CONV_2D.depthMultiplier, int32: filters / groups }] : []),
  ];
  const isDilated = resolved.dilationX > 1 || resolved.dilationY > 1;
  return exporter.emit(
    isDepthwise
      ? {
          kind: 'DEPTHWISE_CONV_2D',
          version: isDilated ? 2 : 1,
          inputs,
          options: { type: 'DepthwiseConv2D', fields },
        }
      : { kind: 'CONV_2D', version: groups > 1 ? 6 : 1, inputs, options: { type: 'Conv2D', fields } },
    'real',
    entry.outputShape,
  );
}

/** Layers that binarize weights, inputs or both. */
const convolution: LayerWriter = (exporter, entry, [input]) => {
  const { inputQuantizer, kernelQuantizer } = entry.layer.config;
  const isBinaryInput =
    inputQuantizer !== undefined || (input.form === 'packed' && kernelQuantizer !== undefined);
  if (isBinaryInput && kernelQuantizer !== undefined) {
    const bias = exporter.optionalFloats(entry, 'bias');
    const sum = binarySum(exporter, entry, input, bias === undefined ? {} : { bias });
    if (sum !== undefined) return sum;
  }
  const x = isBinaryInput ? exporter.packed(input) : input;
  return realConvolution(exporter, entry, x);
};

/** OHW1 here; 1HWO there. */
function depthwiseKernel(
  exporter: Exporter,
  entry: ModelLayer,
  [height, width, filters]: readonly [number, number, number],
): number {
  const spec = entry.parameters.find(({ name }) => name === 'kernel');
  const isBinary = spec?.role === 'binary';
  const kernel = isBinary
    ? floatValue(exporter.signs(entry, 'kernel'), spec.shape, entry.name)
    : exporter.floats(entry, 'kernel');
  const taps = height * width;
  const turned = kernel.map((_, i) => kernel[(i % filters) * taps + Math.floor(i / filters)] ?? 0);
  return exporter.constant('kernel', [1, height, width, filters], turned);
}

const denseWriter: LayerWriter = (exporter, entry, [input]) => {
  const { inputQuantizer, kernelQuantizer } = entry.layer.config;
  const isBinaryInput =
    inputQuantizer !== undefined || (input.form === 'packed' && kernelQuantizer !== undefined);
  if (isBinaryInput && kernelQuantizer !== undefined) {
    const bias = exporter.optionalFloats(entry, 'bias');
    const sum = binarySum(exporter, entry, input, bias === undefined ? {} : { bias });
    if (sum !== undefined) return sum;
  }
  const [features = 1] = entry.inputShapes[0] ?? [];
  const [units = 1] = entry.outputShape;
  const x = exporter.view(exporter.real(isBinaryInput ? exporter.packed(input) : input), [features]);
  const bias = exporter.optionalFloats(entry, 'bias') ?? new Float32Array(units);
  const inputs = [x.tensor, exporter.weights(entry), exporter.constant('bias', [units], bias)];
  return exporter.builtin('FULLY_CONNECTED', inputs, [units], 'FullyConnected');
};

/** Bounds of the activations that a binary layer may have. */
const BOUNDS = {
  none: [-Infinity, Infinity],
  relu: [0, Infinity],
  reluN1To1: [-1, 1],
  relu6: [0, 6],
} as const;

/** `binaryConv2d` and `binaryDense`: folded layers, whose parameters say what follows the sum. */
const foldedBinary: LayerWriter = (exporter, entry, [input, residual]) => {
  const {
    output,
    activation = 'none',
    prelu,
  } = entry.layer.config as unknown as BinaryOutputOptions & {
    activation?: keyof typeof BOUNDS;
  };
  const isSigns = output === 'signs';
  const extra = isSigns
    ? {}
    : {
        multiplier: exporter.floats(entry, 'multiplier'),
        bias: exporter.floats(entry, 'bias'),
        activation: ACTIVATION[activation],
      };
  const sum = binarySum(exporter, entry, input, extra);
  if (sum === undefined) throw refused(entry, 'Larq Compute Engine has neither its padding nor its groups');
  if (isSigns) {
    const comparison = {
      direction: exporter.floats(entry, 'direction'),
      limit: exporter.floats(entry, 'threshold'),
    };
    const { direction, limit } = clampedComparison(comparison, BOUNDS[activation]);
    return exporter.sumAsSigns(sum, direction, limit);
  }
  if (residual === undefined && prelu !== true) return sum;
  let written = exporter.view(exporter.real(sum), entry.outputShape);
  if (residual !== undefined) {
    const added = exporter.view(exporter.real(residual), entry.outputShape);
    const fields = [{ slot: MUL.activation, int8: ACTIVATION.none }];
    written = exporter.builtin('ADD', [written.tensor, added.tensor], entry.outputShape, 'Add', fields);
  }
  if (prelu !== true) return written;
  const slope = exporter.floats(entry, 'slope');
  const slopes = exporter.constant('slope', [slope.length], slope);
  return exporter.builtin('PRELU', [written.tensor, slopes], entry.outputShape);
};

/** The same comparison of what isn't clamped any more. */
function clampedComparison(
  { direction, limit }: Comparison,
  [low, high]: readonly [number, number],
): Comparison {
  const always = direction.map((side, c) => {
    const [least, most] = side < 0 ? [-high, -low] : [low, high];
    const needed = limit[c] ?? 0;
    return side === 0 ? 0 : needed <= least ? 1 : needed > most ? -1 : 0;
  });
  return {
    direction: direction.map((side, c) => (always[c] === 0 ? side : 0)),
    limit: limit.map((needed, c) => (always[c] === 0 ? needed : always[c] === 1 ? 0 : 1)),
  };
}

/** A comparison: in the operator of a sum, or of reals that are shifted by the limit and quantized. */
function compared(
  exporter: Exporter,
  entry: ModelLayer,
  input: Value,
  { direction, limit }: Comparison,
): Value {
  if (input.form === 'sum') return exporter.sumAsSigns(input, direction, limit);
  const negated = limit.map((value) => -value);
  const x = exporter.view(exporter.real(input), entry.outputShape);
  return exporter.packed(exporter.scaled(x, direction, negated));
}

/** A scale and a shift of a sum go into its operator. */
function scaledBy(exporter: Exporter, entry: ModelLayer, input: Value, scale: Floats, shift: Floats): Value {
  if (input.form === 'sum' && input.pools.length === 0 && !input.multiplier && !input.bias) {
    return { ...input, multiplier: scale, bias: shift };
  }
  return exporter.scaled(exporter.view(exporter.real(input), entry.outputShape), scale, shift);
}

const affineWriter: LayerWriter = (exporter, entry, [input]) => {
  const [scale, shift] = [exporter.floats(entry, 'scale'), exporter.floats(entry, 'shift')];
  if (exporter.isReadAsSigns(entry)) return compared(exporter, entry, input, signOfScaled(scale, shift));
  return scaledBy(exporter, entry, input, scale, shift);
};

const normalization: LayerWriter = (exporter, entry, [input]) => {
  const { epsilon = DEFAULT_EPSILON } = entry.layer.config as { epsilon?: number };
  const [mean, variance] = [exporter.floats(entry, 'runningMean'), exporter.floats(entry, 'runningVariance')];
  const [gamma, beta] = [exporter.optionalFloats(entry, 'gamma'), exporter.optionalFloats(entry, 'beta')];
  if (exporter.isReadAsSigns(entry)) {
    const comparison = signOfNormalized(gamma, beta, mean, variance, epsilon);
    return compared(exporter, entry, input, comparison);
  }
  // In float64, rounded once.
  const scales = Array.from(mean, (_, c) => (gamma?.[c] ?? 1) / Math.sqrt((variance[c] ?? 0) + epsilon));
  const shift = mean.map((centre, c) => (beta?.[c] ?? 0) - centre * (scales[c] ?? 1));
  return scaledBy(exporter, entry, input, Float32Array.from(scales), shift);
};

function poolOf(entry: ModelLayer): Pool {
  const options = entry.layer.config as unknown as Pool2dLayerOptions;
  const input = [1, ...imageShape(entry)];
  const resolved = resolvePool2d(input, options, entry.name);
  const places = ({ outHeight, outWidth, padTop, padLeft }: typeof resolved) => [
    ...[outHeight, outWidth, padTop, padLeft],
  ];
  const padding = paddingOf(
    (rule) => places(resolvePool2d(input, { ...options, padding: rule }, entry.name)),
    places(resolved),
  );
  if (padding === undefined) throw refused(entry, 'its padding is neither same nor valid');
  return {
    filter: [resolved.poolHeight, resolved.poolWidth],
    strides: [resolved.strideY, resolved.strideX],
    padding,
    dims: entry.outputShape,
  };
}

const maxPooling: LayerWriter = (exporter, entry, [input]) => {
  const pool = poolOf(entry);
  if (input.form === 'sum' && !input.multiplier && !input.bias) {
    return { ...input, pools: [...input.pools, pool], shape: pool.dims };
  }
  const image = exporter.view(exporter.materialized(input), imageShape(entry));
  if (image.form === 'packed') return exporter.packedPool(image, pool);
  return exporter.pooled('MAX_POOL_2D', image, pool);
};

/** The largest sign of each window in some channels, the smallest in others: Larq's operator has the largest only. */
const signPooling: LayerWriter = (exporter, entry, [input]) => {
  const pool = poolOf(entry);
  const direction = exporter.floats(entry, 'direction');
  const image = exporter.view(exporter.packed(input), imageShape(entry));
  if (direction.every((side) => side >= 0)) return exporter.packedPool(image, pool);
  const sides = direction.map((side) => (side < 0 ? -1 : 1));
  const turned = exporter.scaled(exporter.real(image), sides, undefined);
  return exporter.packed(exporter.scaled(exporter.pooled('MAX_POOL_2D', turned, pool), sides, undefined));
};

const signWriter: LayerWriter = (exporter, entry, [input]) => {
  if (input.form !== 'sum' || input.multiplier || input.bias) return exporter.packed(input);
  const channels = entry.outputShape.at(-1) ?? 1;
  return exporter.sumAsSigns(input, new Float32Array(channels).fill(1), new Float32Array(channels));
};

/** The same values under another shape: what reads them says how they have to lie. */
const reshaping: LayerWriter = (exporter, entry, [input]) => ({
  ...exporter.materialized(input),
  shape: entry.outputShape,
});

function merging(kind: 'ADD' | 'MUL' | 'CONCATENATION'): LayerWriter {
  return (exporter, entry, inputs) => {
    const tensors = inputs.map(
      (input, index) => exporter.view(exporter.real(input), entry.inputShapes[index] ?? []).tensor,
    );
    if (kind === 'CONCATENATION') {
      const fields = [
        { slot: CONCATENATION.axis, int32: entry.outputShape.length },
        { slot: CONCATENATION.activation, int8: ACTIVATION.none },
      ];
      return exporter.builtin(kind, tensors, entry.outputShape, 'Concatenation', fields);
    }
    return exporter.builtin(kind, tensors, entry.outputShape, kind === 'ADD' ? 'Add' : 'Mul', [
      { slot: MUL.activation, int8: ACTIVATION.none },
    ]);
  };
}

const rectifier: LayerWriter = (exporter, entry, [input]) => {
  const { minimum = 0, maximum = Infinity } = entry.layer.config as { minimum?: number; maximum?: number };
  const kinds = { '0 Infinity': 'RELU', '0 6': 'RELU6', '-1 1': 'RELU_N1_TO_1' } as const;
  const kind = kinds[`${minimum} ${maximum}` as keyof typeof kinds];
  if (kind === undefined) {
    throw refused(entry, `from ${minimum} to ${maximum}`, 'bounds 0, 0 to 6, or −1 to 1');
  }
  return exporter.builtin(
    kind,
    [exporter.view(exporter.real(input), entry.outputShape).tensor],
    entry.outputShape,
  );
};

const WRITERS: Readonly<Record<string, LayerWriter>> = {
  add: merging('ADD'),
  affine: affineWriter,
  averagePool2d: (exporter, entry, [input]) =>
    exporter.pooled('AVERAGE_POOL_2D', exporter.view(exporter.real(input), imageShape(entry)), poolOf(entry)),
  batchNormalization: normalization,
  binaryConv2d: foldedBinary,
  binaryDense: foldedBinary,
  concat: merging('CONCATENATION'),
  conv2d: convolution,
  dense: denseWriter,
  dropout: (_, _entry, [input]) => input,
  flatten: reshaping,
  globalAveragePool2d: (exporter, entry, [input]) => {
    const image = exporter.view(exporter.real(input), imageShape(entry));
    const axes = exporter.constant('axes', [2], Int32Array.of(1, 2));
    const fields = [{ slot: REDUCER.keepDims, int8: 0 }];
    return exporter.builtin('MEAN', [image.tensor, axes], entry.outputShape, 'Reducer', fields);
  },
  maxPool2d: maxPooling,
  multiply: merging('MUL'),
  prelu: (exporter, entry, [input]) => {
    const alpha = exporter.floats(entry, 'alpha');
    const inputs = [
      exporter.view(exporter.real(input), entry.outputShape).tensor,
      exporter.constant('alpha', [alpha.length], alpha),
    ];
    return exporter.builtin('PRELU', inputs, entry.outputShape);
  },
  quantConv2d: convolution,
  quantDense: denseWriter,
  relu: rectifier,
  reshape: reshaping,
  sign: signWriter,
  signPool2d: signPooling,
  softmax: (exporter, entry, [input]) => {
    const { tensor } = exporter.view(exporter.real(input), entry.outputShape);
    return exporter.builtin('SOFTMAX', [tensor], entry.outputShape, 'Softmax', [
      { slot: SOFTMAX.beta, float32: 1 },
    ]);
  },
  threshold: (exporter, entry, [input]) =>
    compared(exporter, entry, input, {
      direction: exporter.floats(entry, 'direction'),
      limit: exporter.floats(entry, 'threshold'),
    }),
};
