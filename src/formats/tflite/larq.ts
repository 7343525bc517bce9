/**
 * Larq Compute Engine's operators. Its packed tensors are this library's: int32 words, least significant bit first, bit 1
 * for −1, rows that start a new word. `LceBconv2d` counts differing bits (acc); a sum of products is K − 2·acc.
 */
import { FormatError, listed } from '../../errors.ts';
import { describe, type Shape, wordsFor } from '../../gpu/index.ts';
import type { PackedSigns } from '../../graph/index.ts';
import {
  type BinaryConv2dOptions,
  type BinaryOutputOptions,
  binaryConv2d,
  binaryDense,
  maxPool2d,
  threshold,
} from '../../layers/index.ts';
import { sign } from '../../layers/plain.ts';
import { roundBy } from '../../numerics/rounding.ts';
import { customIntegers, type TfliteFile, type TfliteOperator } from './container.ts';
import { type Importer, type Placed, type Rule, real, type Value } from './importer.ts';
import { refused, shapeText } from './refused.ts';
import { LCE, PADDING, TENSOR_TYPE, tensorTypeName } from './schema.ts';

/** Sums of signs are below this, and f32 holds every integer up to it. */
const LARGEST = 2 ** 24;

/** Packed int32 words, which travel as signs. */
export function packedSigns(placed: Placed): Value {
  const { node, nodeShape, shape } = placed;
  return { node, nodeShape, shape, type: 'signs', grid: undefined, isSigns: true };
}

/**
 * The shape in signs of an input of packed words: of a network that was cut between binary layers. How many channels the
 * words hold is what the operators that read them say.
 * @throws FormatError unless all of these are Larq's, and say the same
 */
export function unpackedInput(file: TfliteFile, tensor: number, name: string): Shape {
  const shape = file.tensors[tensor]?.shape.slice(1) ?? [];
  const channels = new Set<number>();
  const others: string[] = [];
  const readers = new Map<number, TfliteOperator[]>();
  for (const operator of file.operators) {
    for (const from of new Set(operator.inputs)) {
      const known = readers.get(from);
      if (known === undefined) readers.set(from, [operator]);
      else known.push(operator);
    }
  }
  const pending = new Set([tensor]);
  for (const words of pending) {
    for (const operator of readers.get(words) ?? []) {
      const out = operator.outputs[0] ?? -1;
      if (operator.kind === LCE.bconv2d) {
        channels.add(customIntegers(operator, ['channels_in']).channels_in);
      } else if (operator.kind === LCE.dequantize) {
        channels.add(file.tensors[out]?.shape.at(-1) ?? 0);
      } else if (operator.kind === LCE.bmaxPool2d) {
        pending.add(out);
      } else {
        others.push(operator.where);
      }
    }
  }
  const [only = 0] = channels;
  if (others.length > 0 || channels.size !== 1 || shape.length === 0 || wordsFor(only) !== shape.at(-1)) {
    throw new FormatError(
      "An int32 input holds packed signs, and its operators don't say of how many channels.",
      {
        given:
          others.length > 0
            ? `${shapeText(shape)} words for ${listed(others)}`
            : `${shapeText(shape)} words for ${shapeText([...channels])} channels`,
        expected: `operators of Larq Compute Engine alone, for 32 channels a word`,
        where: name,
      },
    );
  }
  return [...shape.slice(0, -1), only];
}

function packedInput(importer: Importer, operator: TfliteOperator): Value {
  const value = importer.input(operator);
  if (value.type !== 'signs') throw refused(operator, `its input holds ${value.type}, not packed signs`);
  if (value.shape.length !== 3) throw refused(operator, 'its input is no image');
  return value;
}

/** TensorFlow Lite's number of a padding. */
export function paddingOf(operator: TfliteOperator, padding: number): 'same' | 'valid' {
  if (padding === PADDING.same) return 'same';
  if (padding === PADDING.valid) return 'valid';
  throw refused(operator, `its padding is number ${padding}`);
}

const quantize: Rule = (importer, operator) => {
  const value = importer.input(operator);
  const out = importer.output(operator);
  if (out.type !== TENSOR_TYPE.int32) throw refused(operator, `it makes ${tensorTypeName(out.type)}`);
  if (value.isSigns) {
    importer.folded.push(operator.where);
    return packedSigns(value);
  }
  if (value.type !== 'bool') return packedSigns(importer.alike(operator, (name) => sign({ name }), value));
  const channels = value.shape.at(-1) ?? 1;
  const parameters = {
    direction: importer.allocate(operator, channels).fill(1),
    threshold: importer.allocate(operator, channels).fill(0.5),
  };
  return packedSigns(importer.alike(operator, (name) => threshold({ name }), value, parameters));
};

/** Weights that are stored as packed signs, for an operator that takes reals. */
function constantSigns(importer: Importer, operator: TfliteOperator): undefined {
  const { data, tensor } = importer.constant(operator, 0, 'int32');
  const out = importer.output(operator);
  const packed = [...out.shape.slice(0, -1), wordsFor(out.shape.at(-1) ?? 1)];
  if (out.type !== TENSOR_TYPE.float32 || describe(packed) !== describe(tensor.shape)) {
    throw refused(operator, `${shapeText(tensor.shape)} packed words can't become ${describe(out.shape)}`);
  }
  importer.signs.set(operator.outputs[0] ?? -1, { words: Uint32Array.from(data), shape: out.shape });
  importer.folded.push(operator.where);
  return undefined;
}

const dequantize: Rule = (importer, operator) => {
  const out = importer.output(operator);
  if (importer.isConstant(operator.inputs[0] ?? -1)) return constantSigns(importer, operator);
  const value = importer.input(operator);
  const channels = value.shape.at(-1) ?? 1;
  if (value.type !== 'signs') throw refused(operator, `its input holds ${value.type}, not packed signs`);
  if (out.shape.at(-1) !== channels) {
    throw refused(operator, `it makes ${out.shape.at(-1)} channels of ${channels}`);
  }
  if (out.type === TENSOR_TYPE.float32) {
    // Signs are ±1 wherever reals are asked for.
    importer.folded.push(operator.where);
    return { ...value, type: 'float32' };
  }
  if (out.type === TENSOR_TYPE.bool) {
    return { ...importer.scaled(operator, value, 0.5, 0.5), type: 'bool', grid: undefined, isSigns: false };
  }
  if (out.type !== TENSOR_TYPE.int8) throw refused(operator, `it makes ${tensorTypeName(out.type)}`);
  const grid = importer.grid(operator, out);
  const offset = roundBy('halfAwayFromZero', Math.fround(1 / grid.scale));
  const high = Math.min(127, grid.zeroPoint + offset) - grid.zeroPoint;
  const low = Math.max(-128, grid.zeroPoint - offset) - grid.zeroPoint;
  const placed = importer.scaled(operator, value, (high - low) / 2, (high + low) / 2);
  return { ...placed, type: 'int8', grid, isSigns: false };
};

const bconv2d: Rule = (importer, operator) => {
  const value = packedInput(importer, operator);
  const options = customIntegers(operator, [
    'channels_in',
    'dilation_height_factor',
    'dilation_width_factor',
    'fused_activation_function',
    'pad_values',
    'padding',
    'stride_height',
    'stride_width',
  ]);
  const channels = options.channels_in;
  const padValue = ([0, 1] as const).find((value) => value === options.pad_values);
  if (padValue === undefined) throw refused(operator, `its pad value is ${options.pad_values}`);
  const { data: words, tensor } = importer.constant(operator, 1, 'int32');
  const [filters = 0, height = 0, width = 0, depth = 0] = tensor.shape;
  if (tensor.shape.length !== 4 || tensor.shape.some((extent) => extent < 1)) {
    throw refused(operator, `its filters have the shape ${shapeText(tensor.shape)}`);
  }
  if (channels !== value.shape[2]) throw refused(operator, `${channels} channels meet ${value.shape[2]}`);
  const groups = Math.ceil(channels / 32) / depth;
  const groupChannels = channels / groups;
  if (!Number.isInteger(groups) || (groups > 1 && (groupChannels % 32 !== 0 || filters % groups !== 0))) {
    throw refused(operator, `filters of ${depth} words don't divide ${channels} channels into groups`);
  }
  const windows = {
    filters,
    kernelSize: [height, width] as const,
    strides: [options.stride_height, options.stride_width] as const,
    dilations: [options.dilation_height_factor, options.dilation_width_factor] as const,
    groups,
    padding: paddingOf(operator, options.padding),
    padValue,
  };
  const kernel = { words: Uint32Array.from(words), shape: [filters, height, width, groupChannels] };
  const row = (position: number, type: 'float32' | 'int32') => {
    const { data } = importer.constant(operator, position, type);
    if (data.length !== filters) throw refused(operator, `${data.length} numbers for ${filters} filters`);
    return data;
  };
  const out = importer.output(operator);
  if (out.type === TENSOR_TYPE.int32) {
    // Larq's converter has seen to the activation when it made the thresholds.
    const parameters = thresholdsOf(importer, operator, row(4, 'int32'), height * width * groupChannels);
    return packedSigns(
      binaryLayer(importer, operator, value, windows, { output: 'signs' }, kernel, parameters),
    );
  }
  const activation = ACTIVATIONS[options.fused_activation_function];
  if (activation === undefined) {
    throw refused(operator, `its fused activation is number ${options.fused_activation_function}`);
  }
  const isInt8 = out.type === TENSOR_TYPE.int8;
  if (!isInt8 && out.type !== TENSOR_TYPE.float32)
    throw refused(operator, `it makes ${tensorTypeName(out.type)}`);
  // As Larq does it: the output's scale goes into multiplier and bias.
  const { scale, zeroPoint } = isInt8 ? importer.grid(operator, out) : { scale: 1, zeroPoint: 0 };
  const parameters = {
    multiplier: importer.allocate(operator, filters),
    bias: importer.allocate(operator, filters),
  };
  const [multiplier, bias] = [row(2, 'float32'), row(3, 'float32')];
  for (let filter = 0; filter < filters; filter++) {
    parameters.multiplier[filter] = (multiplier[filter] ?? 0) / scale;
    parameters.bias[filter] = (bias[filter] ?? 0) / scale + zeroPoint;
  }
  const how = { output: 'real', ...(activation === 'none' ? {} : { activation }) } as const;
  const placed = binaryLayer(importer, operator, value, windows, how, kernel, parameters);
  return isInt8 ? importer.rounded(operator, placed) : real(placed);
};

const ACTIVATIONS = ['none', 'relu', 'reluN1To1', 'relu6'] as const;

/** The layer of all that the operator does. One pixel is a vector, and its 1×1 convolution dense: Larq has no other. */
function binaryLayer(
  importer: Importer,
  operator: TfliteOperator,
  value: Value,
  windows: Omit<BinaryConv2dOptions, keyof BinaryOutputOptions>,
  output: Omit<BinaryOutputOptions, 'name'>,
  kernel: PackedSigns,
  parameters: Readonly<Record<string, Float32Array<ArrayBuffer>>>,
): Placed {
  const [units = 1, , , channels = 1] = kernel.shape;
  const isDense = [...value.shape.slice(0, 2), ...kernel.shape.slice(1, 3)].every((extent) => extent === 1);
  if (!isDense || windows.groups !== 1) {
    const make = (name: string) => binaryConv2d({ name, ...windows, ...output });
    return importer.place(operator, make, value, { kernel, ...parameters });
  }
  const made = importer.place(
    operator,
    (name) => binaryDense({ name, units, ...output }),
    { ...value, shape: [channels] },
    { kernel: { words: kernel.words, shape: [units, channels] }, ...parameters },
  );
  return { ...made, shape: [1, 1, units] };
}

/** Bit 1 (−1) where acc > limit, which is dot < K − 2·limit; limits beyond any count are constants. */
function thresholdsOf(
  importer: Importer,
  operator: TfliteOperator,
  limits: ArrayLike<number>,
  depth: number,
): { direction: Float32Array<ArrayBuffer>; threshold: Float32Array<ArrayBuffer> } {
  const direction = importer.allocate(operator, limits.length);
  const least = importer.allocate(operator, limits.length);
  for (let filter = 0; filter < limits.length; filter++) {
    const dot = depth - 2 * (limits[filter] ?? 0);
    if (Math.abs(dot) > LARGEST) {
      least[filter] = dot > 0 ? 1 : 0;
    } else {
      direction[filter] = 1;
      least[filter] = dot;
    }
  }
  return { direction, threshold: least };
}

const bmaxPool2d: Rule = (importer, operator) => {
  const value = packedInput(importer, operator);
  const options = customIntegers(operator, [
    'padding',
    'stride_width',
    'stride_height',
    'filter_width',
    'filter_height',
  ]);
  const placed = importer.place(
    operator,
    (name) =>
      maxPool2d({
        name,
        poolSize: [options.filter_height, options.filter_width],
        strides: [options.stride_height, options.stride_width],
        padding: paddingOf(operator, options.padding),
      }),
    value,
  );
  return packedSigns(placed);
};

export const LARQ_RULES: Readonly<Record<string, Rule>> = {
  [LCE.quantize]: quantize,
  [LCE.dequantize]: dequantize,
  [LCE.bconv2d]: bconv2d,
  [LCE.bmaxPool2d]: bmaxPool2d,
};
