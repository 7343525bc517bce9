/**
 * Pooling of NHWC images and its gradients. Windows may overlap and reach into padding; padding never wins a maximum
 * and isn't counted in a mean (TensorFlow's semantics).
 */
import { packSigns, unpackSigns } from '../numerics/pack.ts';
import { eachWindow, type Pool2dWindows } from '../numerics/windows.ts';

const inputSize = (g: Pool2dWindows) => g.batch * g.height * g.width * g.channels;
const outputSize = (g: Pool2dWindows) => g.batch * g.outHeight * g.outWidth * g.channels;

/** The largest value of each window. x [N, H, W, C] to [N, OH, OW, C]. */
export function maxPool2d(x: ArrayLike<number>, windows: Pool2dWindows): Float64Array<ArrayBuffer> {
  const out = new Float64Array(outputSize(windows));
  eachWindow(windows, (output, inputs) => {
    out[output] = Math.max(...inputs.map((i) => x[i] ?? Number.NaN));
  });
  return out;
}

/**
 * The largest of each window's signs, or the smallest in channels whose direction is negative.
 * @param x bits [N, H, W, C]
 * @param direction [C]; positive everywhere when absent
 * @returns bits [N, OH, OW, C]
 */
export function signPool2d(
  x: ArrayLike<number>,
  windows: Pool2dWindows,
  direction?: ArrayLike<number>,
): Uint32Array<ArrayBuffer> {
  const { batch, height, width, channels } = windows;
  const signOf = (i: number) => ((direction?.[i % channels] ?? 1) < 0 ? -1 : 1);
  // The smallest of some values is the negative of the largest of their negatives.
  const directed = unpackSigns(x, batch * height * width, channels).map((sign, i) => sign * signOf(i));
  const largest = maxPool2d(directed, windows).map((sign, i) => sign * signOf(i));
  return packSigns(largest, largest.length / channels, channels);
}

/**
 * Gradient of `maxPool2d`: each window's gradient goes to its first maximum in row-major order.
 * @param g [N, OH, OW, C]
 * @param x [N, H, W, C]
 */
export function maxPool2dGrad(
  g: ArrayLike<number>,
  x: ArrayLike<number>,
  windows: Pool2dWindows,
): Float64Array<ArrayBuffer> {
  const out = new Float64Array(inputSize(windows));
  eachWindow(windows, (output, inputs) => {
    let winner = inputs[0] ?? 0;
    for (const i of inputs) if ((x[i] ?? 0) > (x[winner] ?? 0)) winner = i;
    out[winner] = (out[winner] ?? 0) + (g[output] ?? 0);
  });
  return out;
}

/** The mean of each window's values inside the image. x [N, H, W, C] to [N, OH, OW, C]. */
export function averagePool2d(x: ArrayLike<number>, windows: Pool2dWindows): Float64Array<ArrayBuffer> {
  const out = new Float64Array(outputSize(windows));
  eachWindow(windows, (output, inputs) => {
    out[output] = inputs.reduce((sum, i) => sum + (x[i] ?? 0), 0) / inputs.length;
  });
  return out;
}

/** Gradient of `averagePool2d`: g [N, OH, OW, C] to [N, H, W, C]. */
export function averagePool2dGrad(g: ArrayLike<number>, windows: Pool2dWindows): Float64Array<ArrayBuffer> {
  const out = new Float64Array(inputSize(windows));
  eachWindow(windows, (output, inputs) => {
    for (const i of inputs) out[i] = (out[i] ?? 0) + (g[output] ?? 0) / inputs.length;
  });
  return out;
}

/** The one window that covers the whole image: global pooling. */
export function wholeImage(batch: number, height: number, width: number, channels: number): Pool2dWindows {
  return {
    batch,
    height,
    width,
    channels,
    outHeight: 1,
    outWidth: 1,
    poolHeight: height,
    poolWidth: width,
    strideY: 1,
    strideX: 1,
    padTop: 0,
    padLeft: 0,
  };
}
