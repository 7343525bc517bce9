/** Pooling of NHWC images, forward and backward. Padding never wins a maximum and isn't counted in a mean. */
import { OptionError } from '../errors.ts';
import type { ProgramBuilder, Shape, Tensor } from '../gpu/index.ts';
import {
  averagePool,
  averagePoolGrad,
  globalAveragePool,
  globalAveragePoolGrad,
  maxPool,
  maxPoolGrad,
  type PoolConstants,
  signPool,
} from '../kernels/pool.ts';
import type { Padding, Pool2dWindows } from '../numerics/windows.ts';
import { assertDType, assertShapeIs, type OutOption, resultTensor } from './checks.ts';
import { assertRank4, type PerAxis, positivePair, resolvePlaces } from './windows.ts';

/** How the windows of a pooling operation lie; the names are Keras'. */
export interface Pool2dOptions {
  /** Pixels of a window. */
  readonly poolSize: PerAxis;
  /** Pixels from one window to the next; the window's size when absent. */
  readonly strides?: PerAxis | undefined;
  /** `valid` when absent. */
  readonly padding?: Padding | undefined;
}

/** Pooling's windows with the shapes of its tensors. */
export interface ResolvedPool2d extends Pool2dWindows {
  /** [N, H, W, C]. */
  readonly inputShape: Shape;
  /** [N, H', W', C]. */
  readonly outputShape: Shape;
}

/**
 * Works out the windows of a pooling operation.
 * @param inputShape [N, H, W, C]
 * @throws ShapeError where the window doesn't fit the image; OptionError for an option that is out of range
 */
export function resolvePool2d(inputShape: Shape, options: Pool2dOptions, where = 'pool2d'): ResolvedPool2d {
  const [batch = 0, height = 0, width = 0, channels = 0] = assertRank4(inputShape, 'N, H, W, C', where);
  const pool = positivePair(options.poolSize, 'poolSize', where);
  const strides = positivePair(options.strides ?? pool, 'strides', where);
  const [vertical, horizontal] = resolvePlaces(
    [height, width],
    pool,
    strides,
    [1, 1],
    options.padding ?? 'valid',
    where,
  );
  for (const [axis, { out, before }] of [vertical, horizontal].entries()) {
    const window = pool[axis] ?? 0;
    const lastStart = (out - 1) * (strides[axis] ?? 1) - before;
    if (before >= window || lastStart >= (inputShape[axis + 1] ?? 0)) {
      throw new OptionError('Padding this wide makes windows without a pixel.', {
        given: JSON.stringify(options.padding),
        expected: `less than the window's ${window} pixels at either end`,
        where,
      });
    }
  }
  return {
    batch,
    height,
    width,
    channels,
    outHeight: vertical.out,
    outWidth: horizontal.out,
    poolHeight: pool[0],
    poolWidth: pool[1],
    strideY: strides[0],
    strideX: strides[1],
    padTop: vertical.before,
    padLeft: horizontal.before,
    inputShape: [...inputShape],
    outputShape: [batch, vertical.out, horizontal.out, channels],
  };
}

/**
 * The largest value of each window.
 * @param x f32 [N, H, W, C]
 * @returns f32 [N, OH, OW, C]
 * @throws ShapeError, OptionError
 */
export function maxPool2d(b: ProgramBuilder, x: Tensor, options: Pool2dOptions & OutOption): Tensor {
  const where = 'maxPool2d';
  assertDType(x, 'f32', where);
  const windows = resolvePool2d(x.shape, options, where);
  const out = resultTensor(b, where, windows.outputShape, 'f32', options.out);
  b.dispatch(maxPool, { x, out }, constantsOf(windows));
  return out;
}

/**
 * The largest sign of each window, or the smallest one by channel; packed signs stay packed.
 * @param x bits [N, H, W, C]
 * @param options.direction bits [C]: the smallest where −1 (bit 1); the largest everywhere when absent
 * @returns bits [N, OH, OW, C]
 * @throws ShapeError, OptionError
 */
export function signPool2d(
  b: ProgramBuilder,
  x: Tensor,
  options: Pool2dOptions & OutOption & { readonly direction?: Tensor | undefined },
): Tensor {
  const where = 'signPool2d';
  assertDType(x, 'bits', where);
  const windows = resolvePool2d(x.shape, options, where);
  const { direction } = options;
  if (direction !== undefined) {
    assertDType(direction, 'bits', where);
    assertShapeIs(direction, [windows.channels], where);
  }
  const out = resultTensor(b, where, windows.outputShape, 'bits', options.out);
  // Something has to be bound; without directions it isn't read.
  const DIRECTED = direction === undefined ? 0 : 1;
  b.dispatch(signPool, { x, direction: direction ?? x, out }, { ...constantsOf(windows), DIRECTED });
  return out;
}

/**
 * Gradient of `maxPool2d`: each window's gradient goes to its first maximum in row-major order.
 * @param gradOutput f32 [N, OH, OW, C]
 * @param x what was pooled, f32 [N, H, W, C]
 * @returns f32 [N, H, W, C]
 * @throws ShapeError, OptionError
 */
export function maxPool2dGrad(
  b: ProgramBuilder,
  gradOutput: Tensor,
  x: Tensor,
  options: Pool2dOptions & OutOption,
): Tensor {
  const where = 'maxPool2dGrad';
  assertDType(gradOutput, 'f32', where);
  assertDType(x, 'f32', where);
  const windows = resolvePool2d(x.shape, options, where);
  assertShapeIs(gradOutput, windows.outputShape, where);
  const out = resultTensor(b, where, windows.inputShape, 'f32', options.out);
  b.dispatch(maxPoolGrad, { g: gradOutput, x, out }, constantsOf(windows));
  return out;
}

/**
 * The mean of each window over its pixels inside the image (TensorFlow's semantics).
 * @param x f32 [N, H, W, C]
 * @returns f32 [N, OH, OW, C]
 * @throws ShapeError, OptionError
 */
export function averagePool2d(b: ProgramBuilder, x: Tensor, options: Pool2dOptions & OutOption): Tensor {
  const where = 'averagePool2d';
  assertDType(x, 'f32', where);
  const windows = resolvePool2d(x.shape, options, where);
  const out = resultTensor(b, where, windows.outputShape, 'f32', options.out);
  b.dispatch(averagePool, { x, out }, constantsOf(windows));
  return out;
}

/**
 * Gradient of `averagePool2d`.
 * @param gradOutput f32 [N, OH, OW, C]
 * @param x what was pooled, f32 [N, H, W, C]; only its shape is used
 * @returns f32 [N, H, W, C]
 * @throws ShapeError, OptionError
 */
export function averagePool2dGrad(
  b: ProgramBuilder,
  gradOutput: Tensor,
  x: Tensor,
  options: Pool2dOptions & OutOption,
): Tensor {
  const where = 'averagePool2dGrad';
  assertDType(gradOutput, 'f32', where);
  const windows = resolvePool2d(x.shape, options, where);
  assertShapeIs(gradOutput, windows.outputShape, where);
  const out = resultTensor(b, where, windows.inputShape, 'f32', options.out);
  b.dispatch(averagePoolGrad, { g: gradOutput, out }, constantsOf(windows));
  return out;
}

/**
 * The mean of each channel over the image.
 * @param x f32 [N, H, W, C]
 * @returns f32 [N, C]
 * @throws ShapeError
 */
export function globalAveragePool2d(b: ProgramBuilder, x: Tensor, options: OutOption = {}): Tensor {
  const where = 'globalAveragePool2d';
  assertDType(x, 'f32', where);
  const [BATCH = 0, height = 0, width = 0, CHANNELS = 0] = assertRank4(x.shape, 'N, H, W, C', where);
  const out = resultTensor(b, where, [BATCH, CHANNELS], 'f32', options.out);
  b.dispatch(globalAveragePool, { x, out }, { BATCH, PIXELS: height * width, CHANNELS });
  return out;
}

/**
 * Gradient of `globalAveragePool2d`.
 * @param gradOutput f32 [N, C]
 * @param x what was pooled, f32 [N, H, W, C]; only its shape is used
 * @returns f32 [N, H, W, C]
 * @throws ShapeError
 */
export function globalAveragePool2dGrad(
  b: ProgramBuilder,
  gradOutput: Tensor,
  x: Tensor,
  options: OutOption = {},
): Tensor {
  const where = 'globalAveragePool2dGrad';
  assertDType(gradOutput, 'f32', where);
  const [BATCH = 0, height = 0, width = 0, CHANNELS = 0] = assertRank4(x.shape, 'N, H, W, C', where);
  assertShapeIs(gradOutput, [BATCH, CHANNELS], where);
  const out = resultTensor(b, where, x.shape, 'f32', options.out);
  b.dispatch(globalAveragePoolGrad, { g: gradOutput, out }, { BATCH, PIXELS: height * width, CHANNELS });
  return out;
}

function constantsOf(g: ResolvedPool2d): PoolConstants {
  return {
    BATCH: g.batch,
    HEIGHT: g.height,
    WIDTH: g.width,
    CHANNELS: g.channels,
    OUT_HEIGHT: g.outHeight,
    OUT_WIDTH: g.outWidth,
    POOL_HEIGHT: g.poolHeight,
    POOL_WIDTH: g.poolWidth,
    STRIDE_Y: g.strideY,
    STRIDE_X: g.strideX,
    PAD_TOP: g.padTop,
    PAD_LEFT: g.padLeft,
  };
}
