/** A product of weights as steps: which kernel, how the filters lie in memory, what becomes of the sums. */
import type { Shape } from '../gpu/index.ts';
import { clampRange, type FusedActivation, type SignEpilogue } from '../numerics/epilogue.ts';
import type { Conv2dWindows } from '../numerics/windows.ts';
import { type Conv2dOptions, resolveConv2d } from '../ops/conv.ts';
import { byteFilters, pairedFilters, panels, tapMajorReals, tapMajorSigns } from './filters.ts';
import { type Constant, pixelsOf, type Recorder, type Value } from './program.ts';
import { bases, edgeClasses, limits } from './thresholds.ts';

/** [filters, height, width, channels of a group]. */
type FilterShape = readonly [number, number, number, number];

export type Weights =
  | { readonly signs: Uint32Array; readonly shape: FilterShape }
  | { readonly reals: Float32Array; readonly shape: FilterShape };

/** PReLU(clamp(sum)·multiplier + bias + residual), or the signs of sums with limits. */
export interface Finish {
  readonly activation?: FusedActivation | undefined;
  readonly limits?: Pick<SignEpilogue, 'direction' | 'threshold'>;
  readonly multiplier?: Constant | undefined;
  readonly bias?: Constant | undefined;
  readonly slope?: Constant | undefined;
  readonly residual?: Value | undefined;
}

export interface Multiplication {
  readonly weights: Weights;
  readonly windows: Conv2dOptions;
  /** Reals that are integers of 8 bits, and are counted exactly. */
  readonly integers?: 'uint8' | 'int8' | undefined;
  readonly outputShape: Shape;
  readonly finish: Finish;
}

/** Pixels that a kernel works on at once, and filters; as in `wasm/product.as`. */
const ROWS = 16;
const BLOCK = 32;

/** Records a product. @param input signs for weights of signs, or reals */
export function multiplied(recorder: Recorder, input: Value, options: Multiplication): Value {
  const { weights, integers, outputShape } = options;
  const [filters, , , each] = weights.shape;
  const groups = options.windows.groups ?? 1;
  // A kernel writes whole words of signs, and depthwise ones write sums.
  const isDepthwise = each === 1 && groups === filters && groups > 1;
  const isApart = isDepthwise || (groups > 1 && (filters / groups) % BLOCK !== 0);
  if (options.finish.limits !== undefined && isApart) return compared(recorder, input, options);
  const counted = input.kind === 'sign' || integers !== undefined;
  if (isDepthwise && integers === undefined) return depthwise(recorder, input, options);

  const finish = countedFinish(options, input, counted);
  const { windows, geometry } = finish;
  const taps = windows.kernelHeight * windows.kernelWidth;
  const eachWords = Math.ceil(each / 32);
  const length = input.kind === 'sign' ? taps * eachWords : taps * each;
  const stride = input.kind === 'sign' ? Math.ceil(length / 4) * 16 : length * 4;
  const isPoint =
    taps === 1 &&
    groups === 1 &&
    windows.strideX * windows.strideY === 1 &&
    windows.padTop + windows.padLeft + windows.padRight + windows.padBottom === 0;
  const output = recorder.value(options.finish.limits === undefined ? 'real' : 'sign', outputShape);
  const { residual } = options.finish;
  return recorder.step({
    kernel: input.kind === 'sign' ? 'signProduct' : 'realProduct',
    units: pixelsOf(output),
    cost: (filters * length * (input.kind === 'sign' ? 0.4 : 0.1)) / groups,
    fields: {
      ...geometry,
      ...finish.fields,
      input,
      output,
      filters: laidOut(weights, groups, input.kind === 'sign'),
      length,
      stride,
      direct: isPoint && integers === undefined && (input.kind === 'real' || length % 4 === 0) ? 1 : 0,
      loop: input.kind === 'sign' ? 0 : integers !== undefined ? 2 : 'signs' in weights ? 1 : 0,
    },
    reads: residual === undefined ? [input] : [input, residual],
    writes: output,
    scratch: ROWS * stride + ROWS * BLOCK * 4,
  });
}

function laidOut(weights: Weights, groups: number, meetsSigns: boolean): Constant {
  const { shape } = weights;
  if ('reals' in weights) return { data: panels(weights.reals, shape, groups) };
  const { signs } = weights;
  return { data: meetsSigns ? pairedFilters(signs, shape, groups) : byteFilters(signs, shape, groups) };
}

/** Where windows lie, and what becomes of their sums, as fields of a record. */
function countedFinish(options: Multiplication, input: Value, counted: boolean) {
  const { weights, finish, integers } = options;
  const [filters, , , each] = weights.shape;
  const groups = options.windows.groups ?? 1;
  const shape = input.shape.length === 1 ? [1, 1, ...input.shape] : input.shape;
  const windows = resolveConv2d([1, ...shape], weights.shape, options.windows);
  const channels = each * groups;
  const isSigns = input.kind === 'sign';
  const pixel = isSigns ? Math.ceil(channels / 32) : channels;
  // Its numbers: a record takes those that it has fields for.
  const places: Conv2dWindows = windows;
  const geometry = {
    ...places,
    pixel,
    channels: each,
    outside: outsidePixel(isSigns, channels, pixel, windows.padValue),
  };
  const [lowest, highest] = clampRange(finish.activation);
  const reals = {
    multiplier: finish.multiplier,
    bias: finish.bias,
    slope: finish.slope,
    residual: finish.residual,
    ...{ lowest, highest },
  };
  if (!counted) return { windows, geometry, fields: reals };
  // Tables are read by whole blocks.
  const pitch = Math.ceil(filters / BLOCK) * BLOCK;
  const classes = isSigns ? edgeClasses(windows) : { inside: [[true]], rows: [0], columns: [0] };
  const one = {
    rows: Array.from({ length: windows.outHeight }, () => 0),
    columns: Array.from({ length: windows.outWidth }, () => 0),
  };
  const { rows, columns } = isSigns ? classes : one;
  // Integers come as the negatives of their sums.
  const table =
    isSigns && 'signs' in weights
      ? bases(classes, weights.signs, filters, each, pitch)
      : new Int32Array(pitch);
  const taps = windows.kernelHeight * windows.kernelWidth;
  const most = isSigns ? taps * each : taps * each * (integers === 'uint8' ? 255 : 128);
  const range = isSigns ? { least: 0, most, step: 2 } : { least: -most, most, step: 1 };
  const passing =
    finish.limits && limits(table, pitch, { activation: finish.activation, ...finish.limits }, range);
  const bytes = (kinds: readonly number[]) => ({ data: Int32Array.from(kinds, (kind) => kind * pitch * 4) });
  const fields = {
    ...reals,
    table: { data: table },
    rowClass: bytes(rows),
    columnClass: bytes(columns),
    shift: isSigns ? 1 : 0,
    signs: passing === undefined ? 0 : 1,
    flip: passing && { data: passing.flip },
  };
  return { windows, geometry, fields };
}

/** What taps outside the image read. */
function outsidePixel(isSigns: boolean, channels: number, pixel: number, padValue: number): Constant {
  if (!isSigns) return { data: new Float32Array(pixel).fill(padValue) };
  const words = new Uint32Array(pixel).fill(padValue < 0 ? 0xffffffff : 0);
  const tail = channels % 32;
  if (tail > 0) words[pixel - 1] = (words[pixel - 1] ?? 0) & ((1 << tail) - 1);
  return { data: words };
}

/** Sums first, and their signs after them. */
function compared(recorder: Recorder, input: Value, options: Multiplication): Value {
  const { limits: given, activation } = options.finish;
  const sums = multiplied(recorder, input, { ...options, finish: { activation } });
  return recorder.signs(
    sums,
    given && {
      direction: { data: Float32Array.from(given.direction) },
      threshold: { data: Float32Array.from(given.threshold) },
    },
  );
}

/** One filter a channel. */
function depthwise(recorder: Recorder, input: Value, options: Multiplication): Value {
  const { weights, finish, outputShape } = options;
  const { geometry, fields } = countedFinish(options, input, input.kind === 'sign');
  const [filters] = weights.shape;
  const isSigns = input.kind === 'sign';
  const output = recorder.value('real', outputShape);
  const stride = (isSigns ? Math.ceil(filters / 32) : filters) * 4;
  const data = isSigns
    ? tapMajorSigns((weights as { signs: Uint32Array }).signs, weights.shape)
    : tapMajorReals(weights);
  const { multiplier, bias, slope, residual } = finish;
  const taps = geometry.kernelHeight * geometry.kernelWidth;
  let y = recorder.step({
    kernel: isSigns ? 'depthwiseSigns' : 'depthwiseReals',
    units: pixelsOf(output),
    cost: filters * (isSigns ? 4 : taps * 0.4),
    fields: { ...geometry, ...fields, input, output, filters: { data }, stride, bias: undefined },
    reads: [input],
    writes: output,
    scratch: 32 * 16,
  });
  const none = { data: new Float32Array(filters) };
  if (multiplier !== undefined || bias !== undefined) {
    const ones = { data: new Float32Array(filters).fill(1) };
    y = recorder.pointwise('affine', y, { first: multiplier ?? ones, second: bias ?? none });
  }
  if (residual !== undefined) y = recorder.pointwise('add', y, { first: residual });
  return slope === undefined ? y : recorder.pointwise('prelu', y, { first: slope });
}
