// What a step of a network is told: records that the host writes, of 4-byte fields in this order (src/cpu/records.ts has
// the same names, and a test compares them). Addresses are of bytes; 0 is none.

/** A convolution or a fully connected layer; the latter is one of images of one pixel. */
@unmanaged
export class Product {
  kernel: i32;
  /** Output pixels of all samples. */
  units: i32;
  input: usize;
  output: usize;
  /** Of signs: rows in pairs, 16 bytes of one after 16 of the other. Of reals: [filters / 8][taps·channels][8]. */
  filters: usize;
  height: i32;
  width: i32;
  /** From one pixel of the input to the next: words of signs, or reals. */
  pixel: i32;
  outHeight: i32;
  outWidth: i32;
  outChannels: i32;
  kernelHeight: i32;
  kernelWidth: i32;
  strideY: i32;
  strideX: i32;
  dilationY: i32;
  dilationX: i32;
  padTop: i32;
  padLeft: i32;
  groups: i32;
  /** Channels of a group's input. */
  channels: i32;
  /** A pixel outside the image. */
  outside: usize;
  /** Words of signs, or reals, in the row of a window. */
  length: i32;
  /** Bytes from the row of a window to the next, and from a filter to the next. */
  stride: i32;
  /** Whether the rows of windows lie in the input as they are. */
  direct: i32;
  /** Of signs: 0 scalar, 1 bytes, 2 carry-save. Of reals: 0 real filters, 1 signs. */
  loop: i32;
  /** 0 reals, 1 signs. */
  signs: i32;
  /** Sums are base - (count << shift). */
  shift: i32;
  /** i32 [classes][filters]: thresholds of counts, or bases of sums. */
  table: usize;
  /** i32 [outHeight] and [outWidth]: where a pixel's class starts in the table, in bytes. */
  rowClass: usize;
  columnClass: usize;
  /** Words of signs: where more than the threshold is +1. */
  flip: usize;
  multiplier: usize;
  bias: usize;
  slope: usize;
  residual: usize;
  lowest: f32;
  highest: f32;
}

/** Pooling; a global one is one window. */
@unmanaged
export class Pool {
  kernel: i32;
  /** Output pixels of all samples. */
  units: i32;
  input: usize;
  output: usize;
  height: i32;
  width: i32;
  /** Words of signs, or reals. */
  channels: i32;
  outHeight: i32;
  outWidth: i32;
  poolHeight: i32;
  poolWidth: i32;
  strideY: i32;
  strideX: i32;
  padTop: i32;
  padLeft: i32;
  /** Signs: words with a bit where the smallest is wanted. */
  smallest: usize;
  /** Reals: 0 the largest, 1 the mean. */
  mean: i32;
}

/** What is done to values one by one. */
@unmanaged
export class Pointwise {
  kernel: i32;
  /** Pixels of all samples. */
  units: i32;
  input: usize;
  output: usize;
  /** Values of a pixel. */
  channels: i32;
  operation: i32;
  /** Parameters by channel, or the second operand. */
  first: usize;
  second: usize;
  third: usize;
  fourth: usize;
  lowest: f32;
  highest: f32;
}
