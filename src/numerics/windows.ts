/** How windows lie on images: what convolutions and pooling share, on the GPU, in the reference and on the host. */

/** Pixels added around the image, or a rule: nothing (`valid`), or TensorFlow's `same`. */
export type Padding =
  | 'valid'
  | 'same'
  | readonly [
      vertical: readonly [top: number, bottom: number],
      horizontal: readonly [left: number, right: number],
    ];

/** Where the windows of one axis lie. */
export interface AxisWindows {
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
): AxisWindows {
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
export interface Conv2dWindows {
  /** Images. */
  readonly batch: number;
  /** Rows of an input image. */
  readonly height: number;
  /** Columns of an input image. */
  readonly width: number;
  /** Channels of the input, of all groups. */
  readonly channels: number;
  /** Rows of an output image. */
  readonly outHeight: number;
  /** Columns of an output image. */
  readonly outWidth: number;
  /** Filters, of all groups. */
  readonly outChannels: number;
  /** Rows of taps. */
  readonly kernelHeight: number;
  /** Columns of taps. */
  readonly kernelWidth: number;
  /** Rows from one window to the next. */
  readonly strideY: number;
  /** Columns from one window to the next. */
  readonly strideX: number;
  /** Rows from one tap to the next. */
  readonly dilationY: number;
  /** Columns from one tap to the next. */
  readonly dilationX: number;
  /** Rows of padding above the image. */
  readonly padTop: number;
  /** Columns of padding left of the image. */
  readonly padLeft: number;
  /** Parts that channels and filters are divided into; each filter reads its own. */
  readonly groups: number;
  /** What taps outside the image read: −1, 0 or +1. */
  readonly padValue: number;
}

/**
 * Calls `visit` for every (output pixel, tap) pair, in the order n, y, x, ky, kx.
 * `inPixel` is −1 where the tap lies outside the image; pixels and taps are flat indices.
 */
export function eachTap(
  windows: Conv2dWindows,
  visit: (outPixel: number, tap: number, inPixel: number) => void,
): void {
  const { batch, height, width, outHeight, outWidth, kernelHeight, kernelWidth } = windows;
  for (let n = 0; n < batch; n++) {
    for (let outY = 0; outY < outHeight; outY++) {
      for (let outX = 0; outX < outWidth; outX++) {
        for (let ky = 0; ky < kernelHeight; ky++) {
          const y = outY * windows.strideY + ky * windows.dilationY - windows.padTop;
          for (let kx = 0; kx < kernelWidth; kx++) {
            const x = outX * windows.strideX + kx * windows.dilationX - windows.padLeft;
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

/** Everything pooling's loops need. */
export interface Pool2dWindows {
  /** Images. */
  readonly batch: number;
  /** Rows of an input image. */
  readonly height: number;
  /** Columns of an input image. */
  readonly width: number;
  /** Channels of the input and of the output. */
  readonly channels: number;
  /** Rows of an output image. */
  readonly outHeight: number;
  /** Columns of an output image. */
  readonly outWidth: number;
  /** Rows of a window. */
  readonly poolHeight: number;
  /** Columns of a window. */
  readonly poolWidth: number;
  /** Rows from one window to the next. */
  readonly strideY: number;
  /** Columns from one window to the next. */
  readonly strideX: number;
  /** Rows of padding above the image. */
  readonly padTop: number;
  /** Columns of padding left of the image. */
  readonly padLeft: number;
}

/** Calls `visit` for every output with the flat indices of its window's values inside the image, in row-major order. */
export function eachWindow(
  windows: Pool2dWindows,
  visit: (output: number, inputs: readonly number[]) => void,
): void {
  const { batch, height, width, channels, outHeight, outWidth, poolHeight, poolWidth } = windows;
  for (let n = 0; n < batch; n++) {
    for (let outY = 0; outY < outHeight; outY++) {
      for (let outX = 0; outX < outWidth; outX++) {
        for (let c = 0; c < channels; c++) {
          const inputs: number[] = [];
          for (let py = 0; py < poolHeight; py++) {
            for (let px = 0; px < poolWidth; px++) {
              const y = outY * windows.strideY + py - windows.padTop;
              const x = outX * windows.strideX + px - windows.padLeft;
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
