/**
 * Pooling of NHWC images and its gradients. Windows may overlap and reach into padding; padding never wins a maximum
 * and isn't counted in a mean (TensorFlow's semantics).
 */
import { packSigns, unpackSigns } from './pack.ts';

/** Everything pooling's loops need. */
export interface Pool2dGeometry {
  readonly batch: number;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly outHeight: number;
  readonly outWidth: number;
  readonly poolHeight: number;
  readonly poolWidth: number;
  readonly strideY: number;
  readonly strideX: number;
  readonly padTop: number;
  readonly padLeft: number;
}

/** Calls `visit` for every output with the flat indices of its window's values inside the image, in row-major order. */
function eachWindow(
  geometry: Pool2dGeometry,
  visit: (output: number, inputs: readonly number[]) => void,
): void {
  const { batch, height, width, channels, outHeight, outWidth, poolHeight, poolWidth } = geometry;
  for (let n = 0; n < batch; n++) {
    for (let outY = 0; outY < outHeight; outY++) {
      for (let outX = 0; outX < outWidth; outX++) {
        for (let c = 0; c < channels; c++) {
          const inputs: number[] = [];
          for (let py = 0; py < poolHeight; py++) {
            for (let px = 0; px < poolWidth; px++) {
              const y = outY * geometry.strideY + py - geometry.padTop;
              const x = outX * geometry.strideX + px - geometry.padLeft;
              if (y < 0 || y >= height || x < 0 || x >= width) continue;
              inputs.push(((n * height + y) * width + x) * channels + c);
            }
          }
          visit(((n * outHeight + outY) * outWidth + outX) * channels + c, inputs);
        }
      }
    }
  }
}

const inputSize = (g: Pool2dGeometry) => g.batch * g.height * g.width * g.channels;
const outputSize = (g: Pool2dGeometry) => g.batch * g.outHeight * g.outWidth * g.channels;

/** The largest value of each window. x [N, H, W, C] to [N, OH, OW, C]. */
export function maxPool2d(x: ArrayLike<number>, geometry: Pool2dGeometry): Float64Array<ArrayBuffer> {
  const out = new Float64Array(outputSize(geometry));
  eachWindow(geometry, (output, inputs) => {
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
  geometry: Pool2dGeometry,
  direction?: ArrayLike<number>,
): Uint32Array<ArrayBuffer> {
  const { batch, height, width, channels } = geometry;
  const signOf = (i: number) => ((direction?.[i % channels] ?? 1) < 0 ? -1 : 1);
  // The smallest of some values is the negative of the largest of their negatives.
  const directed = unpackSigns(x, batch * height * width, channels).map((sign, i) => sign * signOf(i));
  const largest = maxPool2d(directed, geometry).map((sign, i) => sign * signOf(i));
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
  geometry: Pool2dGeometry,
): Float64Array<ArrayBuffer> {
  const out = new Float64Array(inputSize(geometry));
  eachWindow(geometry, (output, inputs) => {
    let winner = inputs[0] ?? 0;
    for (const i of inputs) if ((x[i] ?? 0) > (x[winner] ?? 0)) winner = i;
    out[winner] = (out[winner] ?? 0) + (g[output] ?? 0);
  });
  return out;
}

/** The mean of each window's values inside the image. x [N, H, W, C] to [N, OH, OW, C]. */
export function averagePool2d(x: ArrayLike<number>, geometry: Pool2dGeometry): Float64Array<ArrayBuffer> {
  const out = new Float64Array(outputSize(geometry));
  eachWindow(geometry, (output, inputs) => {
    out[output] = inputs.reduce((sum, i) => sum + (x[i] ?? 0), 0) / inputs.length;
  });
  return out;
}

/** Gradient of `averagePool2d`: g [N, OH, OW, C] to [N, H, W, C]. */
export function averagePool2dGrad(g: ArrayLike<number>, geometry: Pool2dGeometry): Float64Array<ArrayBuffer> {
  const out = new Float64Array(inputSize(geometry));
  eachWindow(geometry, (output, inputs) => {
    for (const i of inputs) out[i] = (out[i] ?? 0) + (g[output] ?? 0) / inputs.length;
  });
  return out;
}

/** The geometry in which one window covers the whole image: global pooling. */
export function wholeImage(batch: number, height: number, width: number, channels: number): Pool2dGeometry {
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
