/** Binary convolution of 8-bit integers. What becomes of its sums stands in `src/numerics/epilogue.ts`. */
import type { Conv2dWindows } from '../numerics/windows.ts';
import { conv2d, filterSigns } from './conv.ts';

/**
 * Convolution of 8-bit integers with binary filters by bit planes: that of each plane, of zeros and ones, times what the
 * plane weighs. The same as the convolution of the integers, since a convolution is linear.
 * @param x [N, H, W, C], integers from 0 to 255, or from −128 to 127
 * @param w bits [O, kh, kw, C]
 * @param signed integers are two's complements: the highest plane weighs −128
 * @returns [N, OH, OW, O]
 */
export function planeConv2d(
  x: ArrayLike<number>,
  w: ArrayLike<number>,
  windows: Conv2dWindows,
  signed: boolean,
): Int32Array<ArrayBuffer> {
  const signs = filterSigns(w, windows);
  const { batch, outHeight, outWidth, outChannels } = windows;
  const sums = new Int32Array(batch * outHeight * outWidth * outChannels);
  for (let plane = 0; plane < 8; plane++) {
    const weight = signed && plane === 7 ? -128 : 2 ** plane;
    const bits = Uint8Array.from(x, (value) => (value >> plane) & 1);
    conv2d(bits, signs, windows).forEach((sum, i) => {
      sums[i] = (sums[i] ?? 0) + weight * sum;
    });
  }
  return sums;
}
