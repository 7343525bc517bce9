/**
 * Two-dimensional convolution: forward and gradients. Activations NHWC, filters OHWI with the channels of one
 * group on the last axis. Everything is a plain loop over the definition
 *
 *   out[n, y, x, o] = Σ over ky, kx, c of in[n, y·strideY + ky·dilationY − padTop, x·strideX + …, first(o) + c] · w[o, ky, kx, c]
 *
 * where taps outside the image read the pad value, and first(o) is the first channel of the group that o belongs to.
 */
import { unpackSigns } from '../numerics/pack.ts';
import { type Conv2dWindows, eachTap } from '../numerics/windows.ts';

/**
 * Convolution of reals.
 * @param x [N, H, W, C]
 * @param w [O, kh, kw, C/groups]
 * @returns [N, OH, OW, O]
 */
export function conv2d(
  x: ArrayLike<number>,
  w: ArrayLike<number>,
  windows: Conv2dWindows,
): Float64Array<ArrayBuffer> {
  const { channels, outChannels, groups, padValue } = windows;
  const taps = windows.kernelHeight * windows.kernelWidth;
  const groupChannels = channels / groups;
  const groupOutputs = outChannels / groups;
  const out = new Float64Array(windows.batch * windows.outHeight * windows.outWidth * outChannels);
  eachTap(windows, (outPixel, tap, inPixel) => {
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
 * Convolution of complex numbers, by the product of two: (a + bi)(c + di) = ac − bd + (ad + bc)i. The real parts of all channels
 * come first, then the imaginary parts.
 * @param x [N, H, W, C], of which C/2 are real
 * @param w [O/2, kh, kw, C]
 * @returns [N, OH, OW, O]
 */
export function complexConv2d(
  x: ArrayLike<number>,
  w: ArrayLike<number>,
  windows: Conv2dWindows,
): Float64Array<ArrayBuffer> {
  const { batch, outHeight, outWidth, kernelHeight, kernelWidth, padValue } = windows;
  const [inputs, filters] = [windows.channels / 2, windows.outChannels / 2];
  const out = new Float64Array(batch * outHeight * outWidth * 2 * filters);
  eachTap(windows, (outPixel, tap, inPixel) => {
    const value = (channel: number) => (inPixel < 0 ? padValue : (x[inPixel * 2 * inputs + channel] ?? 0));
    for (let o = 0; o < filters; o++) {
      const [re, im] = [outPixel * 2 * filters + o, outPixel * 2 * filters + filters + o];
      const filter = (o * kernelHeight * kernelWidth + tap) * 2 * inputs;
      for (let c = 0; c < inputs; c++) {
        const [a, b] = [value(c), value(inputs + c)];
        const [wr, wi] = [w[filter + c] ?? 0, w[filter + inputs + c] ?? 0];
        out[re] = (out[re] ?? 0) + a * wr - b * wi;
        out[im] = (out[im] ?? 0) + a * wi + b * wr;
      }
    }
  });
  return out;
}

/**
 * Convolution of two planes, ⅔·high + ⅓·low, of which the second counts as much as its gate says (FracBNN).
 * @param planes.high [N, H, W, C]
 * @param planes.low [N, H, W, C]
 * @param w [O, kh, kw, C/groups]
 * @param thresholds [O]
 * @param gate of what ⅔·conv(high) is above its threshold, and the place in the output. Default: 1 at 0 and above, else 0
 * @returns [N, OH, OW, O]
 */
export function gatedConv2d(
  { high, low }: { readonly high: ArrayLike<number>; readonly low: ArrayLike<number> },
  w: ArrayLike<number>,
  thresholds: ArrayLike<number>,
  windows: Conv2dWindows,
  gate: (past: number, at: number) => number = (past) => (past >= 0 ? 1 : 0),
): Float64Array<ArrayBuffer> {
  const second = conv2d(low, w, windows);
  return conv2d(high, w, windows).map((sum, at) => {
    const msb = (2 / 3) * sum;
    const past = msb - (thresholds[at % windows.outChannels] ?? 0);
    return msb + (gate(past, at) * (second[at] ?? 0)) / 3;
  });
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
  windows: Conv2dWindows,
  gate?: ArrayLike<number>,
): Float64Array<ArrayBuffer> {
  const { channels, outChannels, groups } = windows;
  const taps = windows.kernelHeight * windows.kernelWidth;
  const groupChannels = channels / groups;
  const groupOutputs = outChannels / groups;
  const out = new Float64Array(windows.batch * windows.height * windows.width * channels);
  eachTap(windows, (outPixel, tap, inPixel) => {
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
  windows: Conv2dWindows,
): Float64Array<ArrayBuffer> {
  const { channels, outChannels, groups, padValue } = windows;
  const taps = windows.kernelHeight * windows.kernelWidth;
  const groupChannels = channels / groups;
  const groupOutputs = outChannels / groups;
  const out = new Float64Array(outChannels * taps * groupChannels);
  eachTap(windows, (outPixel, tap, inPixel) => {
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
  windows: Conv2dWindows,
): Int32Array<ArrayBuffer> {
  return Int32Array.from(conv2d(inputSigns(a, windows), filterSigns(w, windows), windows));
}

/** The signs of a packed input, ±1. */
export function inputSigns(a: ArrayLike<number>, windows: Conv2dWindows): Float64Array<ArrayBuffer> {
  return unpackSigns(a, windows.batch * windows.height * windows.width, windows.channels);
}

/** The signs of packed filters, ±1. */
export function filterSigns(w: ArrayLike<number>, windows: Conv2dWindows): Float64Array<ArrayBuffer> {
  const taps = windows.kernelHeight * windows.kernelWidth;
  return unpackSigns(w, windows.outChannels * taps, windows.channels / windows.groups);
}
