/**
 * Two-dimensional convolution: geometry, forward and gradients. Activations NHWC, filters OHWI with the channels of one
 * group on the last axis. Everything is a plain loop over the definition
 *
 *   out[n, y, x, o] = Σ over ky, kx, c of in[n, y·strideY + ky·dilationY − padTop, x·strideX + …, first(o) + c] · w[o, ky, kx, c]
 *
 * where taps outside the image read the pad value, and first(o) is the first channel of the group that o belongs to.
 */
import { unpackSigns } from './pack.ts';

/** Pixels added around the image, or a rule: nothing (`valid`), or TensorFlow's `same`. */
export type Padding =
  | 'valid'
  | 'same'
  | readonly [
      vertical: readonly [top: number, bottom: number],
      horizontal: readonly [left: number, right: number],
    ];

/** Where the windows of one axis lie. */
export interface AxisGeometry {
  /** Positions of the window. */
  readonly out: number;
  /** Pixels added before the first one. */
  readonly before: number;
  /** Pixels added after the last one. */
  readonly after: number;
}

/**
 * Places windows along one axis. `same` is TensorFlow's rule: ⌈size / stride⌉ positions, and of the padding that this
 * takes, the larger half at the end.
 * @param size pixels of the input
 * @param window taps of the window, `dilation` pixels apart
 * @returns `out` is below 1 where the window doesn't fit
 */
export function placeWindows(
  size: number,
  window: number,
  stride: number,
  dilation: number,
  padding: 'valid' | 'same' | readonly [before: number, after: number],
): AxisGeometry {
  const reach = (window - 1) * dilation + 1;
  if (padding === 'same') {
    const out = Math.ceil(size / stride);
    const added = Math.max(0, (out - 1) * stride + reach - size);
    const before = Math.floor(added / 2);
    return { out, before, after: added - before };
  }
  const [before, after] = padding === 'valid' ? [0, 0] : padding;
  return { out: Math.floor((size + before + after - reach) / stride) + 1, before, after };
}

/** Everything a convolution's loops need. */
export interface Conv2dGeometry {
  readonly batch: number;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly outHeight: number;
  readonly outWidth: number;
  readonly outChannels: number;
  readonly kernelHeight: number;
  readonly kernelWidth: number;
  readonly strideY: number;
  readonly strideX: number;
  readonly dilationY: number;
  readonly dilationX: number;
  readonly padTop: number;
  readonly padLeft: number;
  readonly groups: number;
  /** What taps outside the image read: −1, 0 or +1. */
  readonly padValue: number;
}

/**
 * Calls `visit` for every (output pixel, tap) pair, in the order n, y, x, ky, kx.
 * `inPixel` is −1 where the tap lies outside the image; pixels and taps are flat indices.
 */
function eachTap(
  geometry: Conv2dGeometry,
  visit: (outPixel: number, tap: number, inPixel: number) => void,
): void {
  const { batch, height, width, outHeight, outWidth, kernelHeight, kernelWidth } = geometry;
  for (let n = 0; n < batch; n++) {
    for (let outY = 0; outY < outHeight; outY++) {
      for (let outX = 0; outX < outWidth; outX++) {
        for (let ky = 0; ky < kernelHeight; ky++) {
          const y = outY * geometry.strideY + ky * geometry.dilationY - geometry.padTop;
          for (let kx = 0; kx < kernelWidth; kx++) {
            const x = outX * geometry.strideX + kx * geometry.dilationX - geometry.padLeft;
            const inside = y >= 0 && y < height && x >= 0 && x < width;
            visit(
              (n * outHeight + outY) * outWidth + outX,
              ky * kernelWidth + kx,
              inside ? (n * height + y) * width + x : -1,
            );
          }
        }
      }
    }
  }
}

/**
 * Convolution of reals.
 * @param x [N, H, W, C]
 * @param w [O, kh, kw, C/groups]
 * @returns [N, OH, OW, O]
 */
export function conv2d(
  x: ArrayLike<number>,
  w: ArrayLike<number>,
  geometry: Conv2dGeometry,
): Float64Array<ArrayBuffer> {
  const { channels, outChannels, groups, padValue } = geometry;
  const taps = geometry.kernelHeight * geometry.kernelWidth;
  const groupChannels = channels / groups;
  const groupOutputs = outChannels / groups;
  const out = new Float64Array(geometry.batch * geometry.outHeight * geometry.outWidth * outChannels);
  eachTap(geometry, (outPixel, tap, inPixel) => {
    if (inPixel < 0 && padValue === 0) return;
    for (let o = 0; o < outChannels; o++) {
      const first = inPixel * channels + Math.floor(o / groupOutputs) * groupChannels;
      const filter = (o * taps + tap) * groupChannels;
      let sum = 0;
      for (let c = 0; c < groupChannels; c++) {
        sum += (inPixel < 0 ? padValue : (x[first + c] ?? 0)) * (w[filter + c] ?? 0);
      }
      out[outPixel * outChannels + o] = (out[outPixel * outChannels + o] ?? 0) + sum;
    }
  });
  return out;
}

/**
 * Gradient of `conv2d` with respect to its input; taps outside the image pass nothing on.
 * @param g gradient of the output, [N, OH, OW, O]
 * @param w [O, kh, kw, C/groups]
 * @param gate [N, H, W, C], 0 or 1: the straight-through estimator's gate; everything passes when absent
 * @returns [N, H, W, C]
 */
export function conv2dGradInput(
  g: ArrayLike<number>,
  w: ArrayLike<number>,
  geometry: Conv2dGeometry,
  gate?: ArrayLike<number>,
): Float64Array<ArrayBuffer> {
  const { channels, outChannels, groups } = geometry;
  const taps = geometry.kernelHeight * geometry.kernelWidth;
  const groupChannels = channels / groups;
  const groupOutputs = outChannels / groups;
  const out = new Float64Array(geometry.batch * geometry.height * geometry.width * channels);
  eachTap(geometry, (outPixel, tap, inPixel) => {
    if (inPixel < 0) return;
    for (let o = 0; o < outChannels; o++) {
      const first = inPixel * channels + Math.floor(o / groupOutputs) * groupChannels;
      const filter = (o * taps + tap) * groupChannels;
      const gradient = g[outPixel * outChannels + o] ?? 0;
      for (let c = 0; c < groupChannels; c++) {
        out[first + c] = (out[first + c] ?? 0) + gradient * (w[filter + c] ?? 0);
      }
    }
  });
  return gate === undefined ? out : out.map((value, i) => (gate[i] ? value : 0));
}

/**
 * Gradient of `conv2d` with respect to its filters; taps outside the image count with the pad value.
 * @param g gradient of the output, [N, OH, OW, O]
 * @param x [N, H, W, C]
 * @returns [O, kh, kw, C/groups]
 */
export function conv2dGradWeights(
  g: ArrayLike<number>,
  x: ArrayLike<number>,
  geometry: Conv2dGeometry,
): Float64Array<ArrayBuffer> {
  const { channels, outChannels, groups, padValue } = geometry;
  const taps = geometry.kernelHeight * geometry.kernelWidth;
  const groupChannels = channels / groups;
  const groupOutputs = outChannels / groups;
  const out = new Float64Array(outChannels * taps * groupChannels);
  eachTap(geometry, (outPixel, tap, inPixel) => {
    if (inPixel < 0 && padValue === 0) return;
    for (let o = 0; o < outChannels; o++) {
      const first = inPixel * channels + Math.floor(o / groupOutputs) * groupChannels;
      const filter = (o * taps + tap) * groupChannels;
      const gradient = g[outPixel * outChannels + o] ?? 0;
      for (let c = 0; c < groupChannels; c++) {
        const value = inPixel < 0 ? padValue : (x[first + c] ?? 0);
        out[filter + c] = (out[filter + c] ?? 0) + gradient * value;
      }
    }
  });
  return out;
}

/**
 * Binary convolution of packed signs: `conv2d` of the signs, an exact integer. With pad value 0 the taps outside the
 * image count nothing (Larq Compute Engine's `SAME` with `pad_values=0`), with ±1 they are signs like any other.
 * @param a bits [N, H, W, C]
 * @param w bits [O, kh, kw, C/groups]
 * @returns [N, OH, OW, O]
 */
export function binaryConv2d(
  a: ArrayLike<number>,
  w: ArrayLike<number>,
  geometry: Conv2dGeometry,
): Int32Array<ArrayBuffer> {
  return Int32Array.from(conv2d(inputSigns(a, geometry), filterSigns(w, geometry), geometry));
}

/** The signs of a packed input, ±1. */
export function inputSigns(a: ArrayLike<number>, geometry: Conv2dGeometry): Float64Array<ArrayBuffer> {
  return unpackSigns(a, geometry.batch * geometry.height * geometry.width, geometry.channels);
}

/** The signs of packed filters, ±1. */
export function filterSigns(w: ArrayLike<number>, geometry: Conv2dGeometry): Float64Array<ArrayBuffer> {
  const taps = geometry.kernelHeight * geometry.kernelWidth;
  return unpackSigns(w, geometry.outChannels * taps, geometry.channels / geometry.groups);
}
