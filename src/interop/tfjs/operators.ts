/**
 * Larq Compute Engine's operators as functions on tensors of TensorFlow.js, and for its graph models. Packed signs travel
 * as int32: 32 to a word along the last axis, least significant first, bit 1 for −1. Semantics, names of options and
 * their defaults are Larq Compute Engine's (core/, tflite/kernels/).
 */
import * as tf from '@tensorflow/tfjs-core';
import { OptionError, ShapeError } from '../../errors.ts';
import { Routine, type Shape, Tensor, wordsFor } from '../../gpu/index.ts';
import { finishReals, finishSigns } from '../../numerics/epilogue.ts';
import * as bits from '../../numerics/pack.ts';
import { type Conv2dOptions, resolveConv2d } from '../../ops/conv.ts';
import { packSigns, unpackSigns } from '../../ops/dense.ts';
import { type FusedActivation, fusedBinaryConv2d } from '../../ops/fused.ts';
import { resolvePool2d, signPool2d } from '../../ops/pool.ts';
import { assertLive, routineFor, runRoutine, WEBGPU, type WebGpuBackend, webgpuBackend } from './backend.ts';
import * as host from './host.ts';

type Info = tf.TensorInfo;
type Infos = Readonly<Record<string, Info>>;

/** What a kernel of this file is told: plain values, from which the name of a routine is made. */
interface Attrs {
  readonly shape: Shape;
  readonly conv?: ResolvedOptions;
  readonly pool?: PoolOptions;
  readonly activation?: FusedActivation;
}
interface ResolvedOptions extends Conv2dOptions {
  readonly filterShape: Shape;
}
interface PoolOptions {
  readonly poolSize: readonly [number, number];
  readonly strides: readonly [number, number];
  readonly padding: 'same' | 'valid';
}

/** A kernel on both kinds of backend: as a routine on WebGPU, as the plain twin on the host everywhere else. */
interface Operator {
  /** The tensor that it gives. */
  readonly result: (
    attrs: Attrs,
    inputs: Infos,
  ) => { readonly shape: Shape; readonly dtype: 'float32' | 'int32' };
  readonly routine: (attrs: Attrs, inputs: Infos) => ConstructorParameters<typeof Routine>[2];
  readonly host: (
    attrs: Attrs,
    inputs: Readonly<Record<string, ArrayLike<number>>>,
  ) => Float64Array<ArrayBuffer> | Uint32Array<ArrayBuffer>;
}

const packedShape = (shape: Shape): Shape => [...shape.slice(0, -1), wordsFor(shape.at(-1) ?? 1)];
const rowsOf = (shape: Shape): [rows: number, channels: number] => {
  const channels = shape.at(-1) ?? 1;
  return [tf.util.sizeFromShape([...shape]) / channels, channels];
};
const reals = (name: string, shape: Shape) => new Tensor(name, shape, 'f32');
const packed = (name: string, shape: Shape) => new Tensor(name, shape, 'bits');

const convOf = ({ conv: options, shape }: Attrs) => {
  const { filterShape = [], ...window } = options ?? {};
  return { filterShape, window, windows: resolveConv2d(shape, filterShape, window, 'LceBconv2d') };
};
const poolOf = ({ pool: options, shape }: Attrs) =>
  resolvePool2d(shape, options ?? { poolSize: 1 }, 'LceBMaxPool2d');

const OPERATORS = {
  LceQuantize: {
    result: ({ shape }) => ({ shape: packedShape(shape), dtype: 'int32' }),
    routine:
      ({ shape }) =>
      (b) => {
        const x = reals('x', shape);
        return { x, y: packSigns(b, x) };
      },
    host: ({ shape }, { x = [] }) => bits.packSigns(x, ...rowsOf(shape)),
  },
  LceDequantize: {
    result: ({ shape }) => ({ shape, dtype: 'float32' }),
    routine:
      ({ shape }) =>
      (b) => {
        const x = packed('x', shape);
        return { x, y: unpackSigns(b, x) };
      },
    host: ({ shape }, { x = [] }) => bits.unpackSigns(x, ...rowsOf(shape)),
  },
  LceBMaxPool2d: {
    result: (attrs) => ({ shape: packedShape(poolOf(attrs).outputShape), dtype: 'int32' }),
    routine:
      ({ shape, pool: options = { poolSize: 1 } }) =>
      (b) => {
        const x = packed('x', shape);
        return { x, y: signPool2d(b, x, options) };
      },
    host: (attrs, { x = [] }) => host.signPool2d(x, poolOf(attrs)),
  },
  LceBconv2d: {
    result: (attrs, { threshold }) => {
      const { outputShape } = convOf(attrs).windows;
      return threshold === undefined
        ? { shape: outputShape, dtype: 'float32' }
        : { shape: packedShape(outputShape), dtype: 'int32' };
    },
    routine:
      (attrs, { multiplier, threshold }) =>
      (b) => {
        const { filterShape, window, windows } = convOf(attrs);
        const [x, filter] = [packed('x', attrs.shape), packed('filter', filterShape)];
        const vector = (name: string) => reals(name, [windows.outChannels]);
        const parameters: Record<string, Tensor> =
          threshold !== undefined
            ? { direction: vector('direction'), threshold: vector('threshold') }
            : multiplier !== undefined
              ? { multiplier: vector('multiplier'), bias: vector('bias') }
              : {};
        const epilogue =
          threshold !== undefined
            ? ({ output: 'signs', ...(parameters as Record<'direction' | 'threshold', Tensor>) } as const)
            : ({ output: 'real', ...parameters } as const);
        const { activation } = attrs;
        return {
          x,
          filter,
          ...parameters,
          y: fusedBinaryConv2d(b, x, filter, { ...window, activation, epilogue }),
        };
      },
    host: (attrs, { x = [], filter = [], multiplier, bias, direction, threshold }) => {
      const { windows } = convOf(attrs);
      const sums = host.binaryConv2d(x, filter, windows);
      const { activation } = attrs;
      if (direction !== undefined && threshold !== undefined)
        return finishSigns(sums, { activation, direction, threshold });
      const ones = new Float32Array(windows.outChannels).fill(1);
      const zeros = new Float32Array(windows.outChannels);
      return finishReals(sums, { activation, multiplier: multiplier ?? ones, bias: bias ?? zeros });
    },
  },
} as const satisfies Record<string, Operator>;

function run(name: keyof typeof OPERATORS, inputs: tf.NamedTensorMap, attrs: Attrs): tf.Tensor {
  for (const input of Object.values(inputs)) assertLive(input, name);
  if (webgpuBackend() !== undefined) {
    return tf.engine().runKernel(name, inputs, attrs as unknown as tf.NamedAttrMap);
  }
  const operator: Operator = OPERATORS[name];
  const { shape, dtype } = operator.result(attrs, inputs);
  const onHost = Object.fromEntries(
    Object.entries(inputs).map(([input, tensor]) => [input, wordsOrReals(tensor.dataSync())]),
  );
  const values = operator.host(attrs, onHost);
  return tf.tensor(dtype === 'int32' ? new Int32Array(values) : new Float32Array(values), [...shape], dtype);
}

/** The same bits, as the twins take them. */
function wordsOrReals(values: ArrayLike<number>): ArrayLike<number> {
  return values instanceof Int32Array ? Uint32Array.from(values) : values;
}

/** Tells TensorFlow.js of the kernels on its WebGPU backend. Once is enough. */
export function registerOperatorKernels(): void {
  for (const [kernelName, operator] of Object.entries<Operator>(OPERATORS)) {
    tf.registerKernel({
      kernelName,
      backendName: WEBGPU,
      kernelFunc: ({ inputs, backend: current, attrs: given }) => {
        const backend = current as WebGpuBackend;
        const attrs = given as unknown as Attrs;
        const infos = inputs as Record<string, Info>;
        const { shape, dtype } = operator.result(attrs, infos);
        const y = backend.makeTensorInfo([...shape], dtype);
        const key = `${kernelName} ${Object.keys(infos).join()} ${JSON.stringify(attrs)}`;
        const routine = routineFor(
          backend,
          key,
          (gpu) => new Routine(gpu, kernelName, operator.routine(attrs, infos)),
        );
        runRoutine(backend, routine, { ...infos, y });
        return y;
      },
    });
  }
}

/**
 * Packs signs: bit 1 where x < 0; a bool's false counts as −1.
 * @param x f32, int32 or bool [..., C]
 * @returns int32 [..., ceil(C / 32)]
 */
export function lceQuantize(x: tf.Tensor): tf.Tensor {
  return tf.tidy(() => {
    const values = tf.cast(x, 'float32');
    const signs = x.dtype === 'bool' ? tf.sub(tf.mul(2, values), 1) : values;
    return run('LceQuantize', { x: signs }, { shape: x.shape });
  });
}

/**
 * The inverse: ±1.
 * @param x int32 [..., words]
 * @param options.channels how many of a row's bits count; all 32 of every word when absent
 * @returns f32 [..., channels]
 * @throws ShapeError where the words don't hold that many
 */
export function lceDequantize(
  x: tf.Tensor,
  options: { readonly channels?: number | undefined } = {},
): tf.Tensor {
  const words = x.shape.at(-1) ?? 0;
  const { channels = 32 * words } = options;
  assertWords(x, channels, 'LceDequantize');
  return run('LceDequantize', { x }, { shape: [...x.shape.slice(0, -1), channels] });
}

/** Attributes of Larq Compute Engine's `LceBMaxPool2d`. */
export interface LcePoolOptions {
  /** Rows of a window. */
  readonly filterHeight: number;
  /** Columns of a window. */
  readonly filterWidth: number;
  /** Rows from one window to the next. */
  readonly strideHeight: number;
  /** Columns from one window to the next. */
  readonly strideWidth: number;
  /** `same`: outputs at ⌈size / stride⌉ places; `valid`: only where the window lies inside. */
  readonly padding: 'same' | 'valid';
}

/**
 * The largest sign of each window: the AND of its words.
 * @param x int32 [N, H, W, words]
 * @returns int32 [N, OH, OW, words]
 * @throws ShapeError, OptionError
 */
export function lceBMaxPool2d(x: tf.Tensor, options: LcePoolOptions): tf.Tensor {
  const { filterHeight, filterWidth, strideHeight, strideWidth, padding } = options;
  const words = x.shape.at(-1) ?? 0;
  return run(
    'LceBMaxPool2d',
    { x },
    {
      shape: [...x.shape.slice(0, -1), 32 * words],
      pool: { poolSize: [filterHeight, filterWidth], strides: [strideHeight, strideWidth], padding },
    },
  );
}

/** Attributes of Larq Compute Engine's `LceBconv2d`. */
export interface LceConvOptions {
  /** Channels of the input, which its packed words don't tell. */
  readonly channelsIn: number;
  /** Rows from one window to the next. */
  readonly strideHeight: number;
  /** Columns from one window to the next. */
  readonly strideWidth: number;
  /** Rows from one tap to the next. */
  readonly dilationHeightFactor: number;
  /** Columns from one tap to the next. */
  readonly dilationWidthFactor: number;
  /** `same`: outputs at ⌈size / stride⌉ places; `valid`: only where the window lies inside. */
  readonly padding: 'same' | 'valid';
  /** What taps outside the image read: 1 or 0; 0 when absent. */
  readonly padValues?: 0 | 1 | undefined;
  /** Clamps the sum before multiplier and bias. */
  readonly activation?: FusedActivation | undefined;
  /** f32 [O]; come together. */
  readonly multiplier?: tf.Tensor | undefined;
  /** f32 [O]: added after the multiplier. */
  readonly bias?: tf.Tensor | undefined;
  /** int32 [O]: with it the output is packed, −1 where the number of unequal signs exceeds it. */
  readonly threshold?: tf.Tensor | undefined;
}

/**
 * Convolution of packed signs: clamp(sum) · multiplier + bias, or packed signs by a threshold.
 * @param x int32 [N, H, W, ceil(C / 32)]
 * @param filter int32 [O, kh, kw, ceil(C / groups / 32)], or f32 [O, kh, kw, C / groups], whose signs are taken; the number
 *   of groups follows from the shapes
 * @returns f32 [N, OH, OW, O], or int32 [N, OH, OW, ceil(O / 32)]
 * @throws ShapeError, OptionError, DisposedError
 */
export function lceBconv2d(x: tf.Tensor, filter: tf.Tensor, options: LceConvOptions): tf.Tensor {
  const where = 'LceBconv2d';
  assertLive(x, where);
  assertLive(filter, where);
  const { channelsIn, padding, padValues = 0, activation, multiplier, bias, threshold } = options;
  assertWords(x, channelsIn, where);
  const [outputs = 1, height = 1, width = 1, last = 1] = filter.shape;
  const inWords = filter.dtype === 'int32';
  const groups = inWords ? wordsFor(channelsIn) / last : channelsIn / last;
  if (!Number.isSafeInteger(groups) || channelsIn % groups !== 0) {
    throw new ShapeError("The filters don't fit the input's channels.", {
      given: `filters [${filter.shape.join(', ')}] ${filter.dtype}, ${channelsIn} channels`,
      where,
    });
  }
  if ((multiplier === undefined) !== (bias === undefined)) {
    throw new OptionError('A multiplier and a bias come together.', { where });
  }
  if (threshold !== undefined && (multiplier !== undefined || activation !== undefined)) {
    throw new OptionError('A threshold takes the place of activation, multiplier and bias.', { where });
  }
  const channels = channelsIn / groups;
  return tf.tidy(() => {
    const inputs: tf.NamedTensorMap = { x, filter: inWords ? filter : lceQuantize(filter) };
    if (multiplier !== undefined && bias !== undefined) Object.assign(inputs, { multiplier, bias });
    if (threshold !== undefined) {
      // Unequal signs number (K − sum) / 2: more of them than the threshold is a sum below K − 2 · threshold.
      const products = height * width * channels;
      inputs.direction = tf.ones([outputs]);
      inputs.threshold = tf.sub(products, tf.mul(2, tf.cast(threshold, 'float32')));
    }
    return run(where, inputs, {
      shape: [...x.shape.slice(0, -1), channelsIn],
      conv: {
        filterShape: [outputs, height, width, channels],
        strides: [options.strideHeight, options.strideWidth],
        dilations: [options.dilationHeightFactor, options.dilationWidthFactor],
        groups,
        padding,
        padValue: padValues,
      },
      ...(activation === undefined ? {} : { activation }),
    });
  });
}

/** A node of a graph model, as TensorFlow.js' converter hands it to a custom operator. */
export interface GraphNode {
  /** Tensors that go in, in the operator's order. */
  readonly inputs: readonly tf.Tensor[];
  /** Attributes of the node, as the model's file has them. */
  readonly attrs: Readonly<Record<string, unknown>>;
}
type RegisterOp = (name: string, operator: (node: GraphNode) => tf.Tensor) => void;

/**
 * Makes graph models know Larq Compute Engine's operators; attributes have the names that they have there. Inputs of
 * LceBconv2d that aren't wanted are left out at the end, or empty.
 *
 *   registerOperators(tf.registerOp); // of @tensorflow/tfjs or @tensorflow/tfjs-converter
 */
export function registerOperators(registerOp: RegisterOp): void {
  registerOp('LceQuantize', ({ inputs }) => lceQuantize(inputAt(inputs, 0, 'LceQuantize')));
  registerOp('LceDequantize', ({ inputs, attrs }) =>
    lceDequantize(inputAt(inputs, 0, 'LceDequantize'), {
      channels: attrs.channels === undefined ? undefined : integerOf(attrs, 'channels', 'LceDequantize'),
    }),
  );
  registerOp('LceBMaxPool2d', ({ inputs, attrs }) => {
    const where = 'LceBMaxPool2d';
    return lceBMaxPool2d(inputAt(inputs, 0, where), {
      filterHeight: integerOf(attrs, 'filter_height', where),
      filterWidth: integerOf(attrs, 'filter_width', where),
      strideHeight: integerOf(attrs, 'stride_height', where),
      strideWidth: integerOf(attrs, 'stride_width', where),
      padding: paddingOf(attrs, where),
    });
  });
  registerOp('LceBconv2d', ({ inputs, attrs }) => {
    const where = 'LceBconv2d';
    const optional = (index: number) => (inputs[index]?.size ? inputs[index] : undefined);
    const padValues = attrs.pad_values === undefined ? 0 : integerOf(attrs, 'pad_values', where);
    if (padValues !== 0 && padValues !== 1) {
      throw new OptionError('The pad value is 0 or 1.', { given: `${padValues}`, where });
    }
    return lceBconv2d(inputAt(inputs, 0, where), inputAt(inputs, 1, where), {
      channelsIn: integerOf(attrs, 'channels_in', where),
      strideHeight: integerOf(attrs, 'stride_height', where),
      strideWidth: integerOf(attrs, 'stride_width', where),
      dilationHeightFactor: integerOf(attrs, 'dilation_height_factor', where),
      dilationWidthFactor: integerOf(attrs, 'dilation_width_factor', where),
      padding: paddingOf(attrs, where),
      padValues,
      activation: activationOf(attrs, where),
      multiplier: optional(2),
      bias: optional(3),
      threshold: optional(4),
    });
  });
}

function assertWords(x: tf.Tensor, channels: number, where: string): void {
  if (x.dtype === 'int32' && x.shape.at(-1) === wordsFor(channels)) return;
  throw new ShapeError("This tensor doesn't hold packed signs of so many channels.", {
    given: `[${x.shape.join(', ')}] ${x.dtype}`,
    expected: `int32, ${wordsFor(channels)} words on the last axis for ${channels} channels`,
    where,
  });
}

function inputAt(inputs: readonly tf.Tensor[], index: number, where: string): tf.Tensor {
  const input = inputs[index];
  if (input === undefined) {
    throw new OptionError('An operator lacks an input.', { expected: `input ${index}`, where });
  }
  return input;
}

function integerOf(attrs: GraphNode['attrs'], name: string, where: string): number {
  const value = Number(attrs[name]);
  if (attrs[name] !== undefined && Number.isSafeInteger(value)) return value;
  throw new OptionError('An attribute of an operator is missing or no integer.', {
    given: `${name} = ${String(attrs[name])}`,
    where,
  });
}

/** As a name, or as TensorFlow Lite numbers them. */
function paddingOf(attrs: GraphNode['attrs'], where: string): 'same' | 'valid' {
  const given = String(attrs.padding).toUpperCase();
  if (given === 'SAME' || given === '0') return 'same';
  if (given === 'VALID' || given === '1') return 'valid';
  throw new OptionError('This padding is unknown.', { given, expected: 'SAME (0) or VALID (1)', where });
}

const ACTIVATIONS: readonly (readonly [names: string[], FusedActivation | undefined])[] = [
  [['NONE', '0', 'UNDEFINED'], undefined],
  [['RELU', '1'], 'relu'],
  [['RELU_N1_TO_1', '2'], 'reluN1To1'],
  [['RELU6', '3'], 'relu6'],
];

/** As a name, or as TensorFlow Lite numbers them. */
function activationOf(attrs: GraphNode['attrs'], where: string): FusedActivation | undefined {
  const given = String(attrs.fused_activation_function).toUpperCase();
  const found = ACTIVATIONS.find(([names]) => names.includes(given));
  if (found !== undefined) return found[1];
  throw new OptionError('This activation is unknown.', {
    given,
    expected: 'NONE (0), RELU (1), RELU_N1_TO_1 (2) or RELU6 (3)',
    where,
  });
}
