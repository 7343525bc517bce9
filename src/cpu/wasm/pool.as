// Pooling, and depthwise convolutions, which walk over windows channel by channel as it does.
import { storeLanes } from './product';
import { Pool, Product } from './steps';

/** Signs: the largest of each window, or the smallest where a bit says so. A word at a time. */
export function poolSigns(step: Pool, first: i32, end: i32): void {
  for (let pixel = first; pixel < end; pixel++) {
    for (let word = 0; word < step.channels; word++) {
      let all = -1, any = 0;
      for (let py = 0; py < step.poolHeight; py++) {
        for (let px = 0; px < step.poolWidth; px++) {
          const from = windowPixel(step, pixel, py, px);
          if (from < 0) continue;
          const bits = load<i32>(step.input + ((from * step.channels + word) << 2));
          all &= bits;
          any |= bits;
        }
      }
      const smallest = step.smallest ? load<i32>(step.smallest + (word << 2)) : 0;
      store<i32>(step.output + ((pixel * step.channels + word) << 2), (all & ~smallest) | (any & smallest));
    }
  }
}

/** Reals: the largest of each window, or the mean of its pixels inside the image. */
export function poolReals(step: Pool, first: i32, end: i32): void {
  for (let pixel = first; pixel < end; pixel++) {
    for (let c = 0; c < step.channels; c += 4) {
      let y = f32x4.splat(step.mean ? 0 : -Infinity);
      let inside = 0;
      for (let py = 0; py < step.poolHeight; py++) {
        for (let px = 0; px < step.poolWidth; px++) {
          const from = windowPixel(step, pixel, py, px);
          if (from < 0) continue;
          const x = v128.load(step.input + ((from * step.channels + c) << 2));
          y = step.mean ? f32x4.add(y, x) : f32x4.max(y, x);
          inside++;
        }
      }
      if (step.mean) y = f32x4.div(y, f32x4.splat(<f32>inside));
      storeLanes(step.output + ((pixel * step.channels + c) << 2), y, step.channels - c);
    }
  }
}

/** The pixel under a place of a window; −1 outside the image. */
function windowPixel(step: Pool, pixel: i32, py: i32, px: i32): i32 {
  const y = pixel / step.outWidth % step.outHeight * step.strideY + py - step.padTop;
  const x = pixel % step.outWidth * step.strideX + px - step.padLeft;
  if (<u32>y >= <u32>step.height || <u32>x >= <u32>step.width) return -1;
  return (pixel / (step.outWidth * step.outHeight) * step.height + y) * step.width + x;
}

/** The pixel under a tap of a depthwise convolution. */
function tapPixel(step: Product, pixel: i32, ky: i32, kx: i32): usize {
  const y = pixel / step.outWidth % step.outHeight * step.strideY + ky * step.dilationY - step.padTop;
  const x = pixel % step.outWidth * step.strideX + kx * step.dilationX - step.padLeft;
  if (<u32>y >= <u32>step.height || <u32>x >= <u32>step.width) return step.outside;
  const image = pixel / (step.outWidth * step.outHeight);
  return step.input + (((image * step.height + y) * step.width + x) * step.pixel << 2);
}

/**
 * Sums of each channel's window with a filter of its own. Signs that differ are counted for 128 channels at once: the count of
 * a channel is a number of bits in as many vectors. Then sums as reals, base - 2·count.
 * @param scratch of this thread: the vectors of the counts
 */
export function depthwiseSigns(step: Product, first: i32, end: i32, scratch: usize): void {
  const taps = step.kernelHeight * step.kernelWidth;
  const planes = 32 - clz(taps);
  for (let pixel = first; pixel < end; pixel++) {
    const y = pixel / step.outWidth % step.outHeight, x = pixel % step.outWidth;
    const table = step.table + load<i32>(step.rowClass + (y << 2)) + load<i32>(step.columnClass + (x << 2));
    for (let word = 0; word < step.pixel; word += 4) {
      memory.fill(scratch, 0, planes << 4);
      let filter = step.filters + (word << 2);
      for (let ky = 0; ky < step.kernelHeight; ky++) {
        for (let kx = 0; kx < step.kernelWidth; kx++, filter += step.stride) {
          let carry = v128.xor(v128.load(tapPixel(step, pixel, ky, kx) + (word << 2)), v128.load(filter));
          for (let plane = scratch, last = scratch + (planes << 4); plane < last; plane += 16) {
            const before = v128.load(plane);
            v128.store(plane, v128.xor(before, carry));
            carry = v128.and(before, carry);
          }
        }
      }
      for (let c = word << 5, last = min((word + 4) << 5, step.outChannels); c < last; c++) {
        const from = scratch + ((c - (word << 5)) >> 5 << 2);
        let count = 0;
        for (let plane = 0; plane < planes; plane++) {
          count |= (load<i32>(from + (plane << 4)) >> (c & 31) & 1) << plane;
        }
        const sum = min(max(<f32>(load<i32>(table + (c << 2)) - (count << 1)), step.lowest), step.highest);
        store<f32>(step.output + ((pixel * step.outChannels + c) << 2), sum);
      }
    }
  }
}

/** The same of reals. @param step.filters [taps][channels] */
export function depthwiseReals(step: Product, first: i32, end: i32): void {
  for (let pixel = first; pixel < end; pixel++) {
    for (let c = 0; c < step.outChannels; c += 4) {
      let sum = f32x4.splat(0);
      let filter = step.filters + (c << 2);
      for (let ky = 0; ky < step.kernelHeight; ky++) {
        for (let kx = 0; kx < step.kernelWidth; kx++, filter += step.stride) {
          const x = v128.load(tapPixel(step, pixel, ky, kx) + (c << 2));
          sum = f32x4.add(sum, f32x4.mul(x, v128.load(filter)));
        }
      }
      if (step.bias) sum = f32x4.add(sum, v128.load(step.bias + (c << 2)));
      storeLanes(step.output + ((pixel * step.outChannels + c) << 2), sum, step.outChannels - c);
    }
  }
}
