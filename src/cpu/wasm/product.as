// Convolutions and fully connected layers: rows of windows, copied together a block at a time, times filters.
import { BLOCK, count } from './count';
import { Product } from './steps';

/** Pixels that are worked on at once; a multiple of 4. */
const ROWS: i32 = 16;

/**
 * Sums or signs of some output pixels.
 * @param scratch of this thread: the rows of a block, then [ROWS][BLOCK] of what becomes of it
 */
export function product(step: Product, first: i32, end: i32, scratch: usize, bits: bool): void {
  const sums: usize = scratch + ROWS * step.stride;
  const filtersEach = step.outChannels / step.groups;
  // Filters lie in pairs where signs meet, and by eight elsewhere.
  const paddedEach = bits ? (filtersEach + 1) & ~1 : (filtersEach + 7) & ~7;
  for (let pixel = first; pixel < end; pixel += ROWS) {
    const height = min(ROWS, end - pixel);
    for (let group = 0; group < step.groups; group++) {
      let rows = scratch;
      if (step.direct) rows = step.input + pixel * step.stride;
      else gather(step, pixel, height, group * step.channels, rows, bits);
      for (let f = 0; f < filtersEach; f += BLOCK) {
        const width = min(BLOCK, filtersEach - f);
        const at = group * paddedEach + f;
        if (bits) {
          count(step.loop, rows, height, step.stride, step.filters + at * step.stride, width, step.length, sums);
        } else if (step.loop == 2) {
          integers(step, rows, height, step.filters + (at >> 3) * step.length, width, sums);
        } else {
          reals(step, rows, height, at, width, sums);
        }
        if (step.signs) finishSigns(step, pixel, height, group * filtersEach + f, width, sums);
        else finishReals(step, pixel, height, group * filtersEach + f, width, sums, bits || step.loop == 2);
      }
    }
  }
}

/** Copies the windows of some pixels, a row each. What lies outside the image is read from a pixel of its own. */
function gather(step: Product, pixel: i32, height: i32, channel: i32, rows: usize, bits: bool): void {
  const pixels = step.outHeight * step.outWidth;
  const pixelBytes = step.pixel << 2;
  // Whole words can be copied together with their neighbours.
  const whole = !bits || ((channel & 31) == 0 && (step.groups == 1 || (step.channels & 31) == 0));
  const from = bits ? (channel >> 5) << 2 : channel << 2;
  const bytes = (bits ? (step.channels + 31) >> 5 : step.channels) << 2;
  const together = whole && step.groups == 1 && step.dilationX == 1;
  for (let r = 0; r < height; r++) {
    const image = (pixel + r) / pixels;
    const place = (pixel + r) % pixels;
    const top = (place / step.outWidth) * step.strideY - step.padTop;
    const left = (place % step.outWidth) * step.strideX - step.padLeft;
    let to = rows + r * step.stride;
    const isInside = left >= 0 && left + step.kernelWidth <= step.width;
    for (let ky = 0; ky < step.kernelHeight; ky++) {
      const y = top + ky * step.dilationY;
      const outside = <u32>y >= <u32>step.height;
      const line = step.input + (image * step.height + y) * step.width * pixelBytes;
      // The taps of a line are neighbours where they follow each other.
      const taps = together && isInside && !outside ? step.kernelWidth : 1;
      for (let kx = 0; kx < step.kernelWidth; kx += taps) {
        const x = left + kx * step.dilationX;
        const source = (outside || <u32>x >= <u32>step.width ? step.outside : line + x * pixelBytes) + from;
        if (whole) to = copy(to, source, taps * bytes);
        else to = shifted(to, source, channel & 31, step.channels);
      }
    }
    // The words after the last one count nothing.
    if (bits) for (const last = rows + (r + 1) * step.stride; to < last; to += 4) store<i32>(to, 0);
    if (step.loop == 2 && !bits) narrow(rows + r * step.stride, step.length);
  }
}

/** @returns the end of the copy */
@inline
function copy(to: usize, from: usize, bytes: i32): usize {
  const end = to + bytes;
  for (; to + 16 <= end; to += 16, from += 16) v128.store(to, v128.load(from));
  if (to + 8 <= end) { store<i64>(to, load<i64>(from)); to += 8; from += 8; }
  if (to < end) store<i32>(to, load<i32>(from));
  return end;
}

/** Copies bits that start inside a word. @returns the end of the copy */
function shifted(to: usize, from: usize, first: i32, bits: i32): usize {
  for (; bits > 0; bits -= 32, to += 4, from += 4) {
    const word = <u32>(load<u64>(from) >> first);
    store<u32>(to, bits < 32 ? word & ((1 << bits) - 1) : word);
  }
  return to;
}

/** Reals that are integers of 8 bits, to 16 bits in their place. */
function narrow(row: usize, length: i32): void {
  for (let i = 0; i < length; i++) store<i16>(row + (i << 1), <i16><i32>load<f32>(row + (i << 2)));
}

/** Integers that are added to 16 bits before they could overflow. */
const SHORT: i32 = 128;

/**
 * Twice what negative filters take, less the sum of all: the negative of the sums. Four rows and eight filters at a time.
 * @param filters bytes [filters / 8][length], a bit a filter
 */
function integers(step: Product, rows: usize, height: i32, filters: usize, width: i32, out: usize): void {
  const lanes = i16x8(1, 2, 4, 8, 16, 32, 64, 128);
  const length = step.length;
  for (let r = 0; r < height; r++) startSums(rows + r * step.stride, length, out + r * (BLOCK * 4));
  for (let r = 0; r < height; r += 4) {
    const a0 = rows + r * step.stride;
    const b0 = r + 1 < height ? a0 + step.stride : a0;
    const c0 = r + 2 < height ? b0 + step.stride : b0;
    const d0 = r + 3 < height ? c0 + step.stride : c0;
    for (let f = 0; f < width; f += 8) {
      let mask = filters + (f >> 3) * length;
      const to = out + r * (BLOCK * 4) + f * 4;
      let a = a0, b = b0, c = c0, d = d0;
      for (let left = length; left > 0; left -= SHORT) {
        let p = i32x4.splat(0), q = p, s = p, t = p;
        for (const end = mask + min(left, SHORT); mask < end; mask++, a += 2, b += 2, c += 2, d += 2) {
          const m = i16x8.eq(v128.and(i16x8.splat(load<u8>(mask)), lanes), lanes);
          p = i16x8.add(p, v128.and(v128.load16_splat(a), m));
          q = i16x8.add(q, v128.and(v128.load16_splat(b), m));
          s = i16x8.add(s, v128.and(v128.load16_splat(c), m));
          t = i16x8.add(t, v128.and(v128.load16_splat(d), m));
        }
        addSums(to, p); addSums(to + BLOCK * 4, q);
        addSums(to + BLOCK * 8, s); addSums(to + BLOCK * 12, t);
      }
    }
  }
}

/** The negative of a row's sum, for every filter. */
function startSums(row: usize, length: i32, to: usize): void {
  let sum = 0;
  for (let i = 0; i < length; i++) sum -= load<i16>(row + (i << 1));
  for (const end = to + BLOCK * 4; to < end; to += 16) v128.store(to, i32x4.splat(sum));
}

function addSums(to: usize, half: v128): void {
  const low = i32x4.extend_low_i16x8_s(half), high = i32x4.extend_high_i16x8_s(half);
  v128.store(to, i32x4.add(v128.load(to), i32x4.shl(low, 1)));
  v128.store(to, i32x4.add(v128.load(to, 16), i32x4.shl(high, 1)), 16);
}

/** Products of reals with reals or signs, eight filters at a time. @param at filters before these, in rows of their layout */
function reals(step: Product, rows: usize, height: i32, at: i32, width: i32, out: usize): void {
  const length = step.length;
  for (let f = 0; f < width; f += 8) {
    const panel = (at + f) >> 3;
    const to = out + f * 4;
    let r = 0;
    for (; r + 4 <= height; r += 4) {
      const row = rows + r * step.stride;
      if (step.loop) signs4(row, step.stride, step.filters + panel * length, length, to + r * (BLOCK * 4));
      else reals4(row, step.stride, step.filters + panel * length * 32, length, to + r * (BLOCK * 4));
    }
    for (; r < height; r++) {
      const row = rows + r * step.stride;
      // Rows that are left are few: of signs the same one is taken four times.
      if (step.loop) signs4(row, 0, step.filters + panel * length, length, to + r * (BLOCK * 4));
      else reals1(row, step.filters + panel * length * 32, length, to + r * (BLOCK * 4));
    }
  }
}

function reals4(a: usize, stride: i32, w: usize, length: i32, to: usize): void {
  let b = a + stride, c = b + stride, d = c + stride;
  let p = f32x4.splat(0), q = p, s = p, t = p, g = p, h = p, i = p, j = p;
  for (const end = a + length * 4; a < end; a += 4, b += 4, c += 4, d += 4, w += 32) {
    const u = v128.load(w), v = v128.load(w, 16);
    let x = v128.load32_splat(a);
    p = f32x4.add(p, f32x4.mul(x, u)); q = f32x4.add(q, f32x4.mul(x, v));
    x = v128.load32_splat(b);
    s = f32x4.add(s, f32x4.mul(x, u)); t = f32x4.add(t, f32x4.mul(x, v));
    x = v128.load32_splat(c);
    g = f32x4.add(g, f32x4.mul(x, u)); h = f32x4.add(h, f32x4.mul(x, v));
    x = v128.load32_splat(d);
    i = f32x4.add(i, f32x4.mul(x, u)); j = f32x4.add(j, f32x4.mul(x, v));
  }
  v128.store(to, p); v128.store(to, q, 16);
  v128.store(to, s, BLOCK * 4); v128.store(to, t, BLOCK * 4 + 16);
  v128.store(to, g, BLOCK * 8); v128.store(to, h, BLOCK * 8 + 16);
  v128.store(to, i, BLOCK * 12); v128.store(to, j, BLOCK * 12 + 16);
}

function reals1(a: usize, w: usize, length: i32, to: usize): void {
  let p = f32x4.splat(0), q = p;
  for (const end = a + length * 4; a < end; a += 4, w += 32) {
    const x = v128.load32_splat(a);
    p = f32x4.add(p, f32x4.mul(x, v128.load(w)));
    q = f32x4.add(q, f32x4.mul(x, v128.load(w, 16)));
  }
  v128.store(to, p); v128.store(to, q, 16);
}

/** The sign bits of four of a byte's filters. */
@inline
function signBits(byte: v128, lanes: v128): v128 {
  return i32x4.shl(i32x4.eq(v128.and(byte, lanes), lanes), 31);
}

function signs4(a: usize, stride: i32, w: usize, length: i32, to: usize): void {
  const low = i32x4(1, 2, 4, 8), high = i32x4(16, 32, 64, 128);
  let b = a + stride, c = b + stride, d = c + stride;
  let p = f32x4.splat(0), q = p, s = p, t = p, g = p, h = p, i = p, j = p;
  for (const end = a + length * 4; a < end; a += 4, b += 4, c += 4, d += 4, w++) {
    const byte = i32x4.splat(load<u8>(w));
    const u = signBits(byte, low), v = signBits(byte, high);
    let x = v128.load32_splat(a);
    p = f32x4.add(p, v128.xor(x, u)); q = f32x4.add(q, v128.xor(x, v));
    x = v128.load32_splat(b);
    s = f32x4.add(s, v128.xor(x, u)); t = f32x4.add(t, v128.xor(x, v));
    x = v128.load32_splat(c);
    g = f32x4.add(g, v128.xor(x, u)); h = f32x4.add(h, v128.xor(x, v));
    x = v128.load32_splat(d);
    i = f32x4.add(i, v128.xor(x, u)); j = f32x4.add(j, v128.xor(x, v));
  }
  v128.store(to, p); v128.store(to, q, 16);
  v128.store(to, s, BLOCK * 4); v128.store(to, t, BLOCK * 4 + 16);
  v128.store(to, g, BLOCK * 8); v128.store(to, h, BLOCK * 8 + 16);
  v128.store(to, i, BLOCK * 12); v128.store(to, j, BLOCK * 12 + 16);
}

/** Where the table of a pixel's class starts. */
@inline
function classOf(step: Product, pixel: i32): usize {
  const y = pixel / step.outWidth % step.outHeight, x = pixel % step.outWidth;
  return step.table + load<i32>(step.rowClass + (y << 2)) + load<i32>(step.columnClass + (x << 2));
}

/** One word a pixel: +1 where the count is no more than the threshold, or the other way round. @param filter a multiple of 32 */
function finishSigns(step: Product, pixel: i32, height: i32, filter: i32, width: i32, sums: usize): void {
  const words = (step.outChannels + 31) >> 5;
  const flip = load<i32>(step.flip + ((filter >> 5) << 2));
  let to = step.output + (pixel * words + (filter >> 5)) * 4;
  for (let r = 0; r < height; r++, sums += BLOCK * 4, to += words * 4) {
    let limits = classOf(step, pixel + r) + filter * 4;
    let word = 0;
    for (let f = 0; f < width; f += 4, limits += 16) {
      word |= i32x4.bitmask(i32x4.gt_s(v128.load(sums + f * 4), v128.load(limits))) << f;
    }
    word ^= flip;
    store<i32>(to, width < BLOCK ? word & ((1 << width) - 1) : word);
  }
}

/** PReLU(clamp(sum)·multiplier + bias + residual), as far as there is any of it. @param counted of counts, not of reals */
function finishReals(
  step: Product, pixel: i32, height: i32, filter: i32, width: i32, sums: usize, counted: bool,
): void {
  const lowest = f32x4.splat(step.lowest), highest = f32x4.splat(step.highest);
  const offset: usize = filter * 4;
  for (let r = 0; r < height; r++, sums += BLOCK * 4) {
    const table = counted ? classOf(step, pixel + r) + offset : 0;
    const at: usize = ((pixel + r) * step.outChannels + filter) * 4;
    for (let f: usize = 0; f < <usize>width * 4; f += 16) {
      let y = v128.load(sums + f);
      if (counted) {
        y = f32x4.convert_i32x4_s(i32x4.sub(v128.load(table + f), i32x4.shl(y, step.shift)));
        y = f32x4.min(f32x4.max(y, lowest), highest);
      }
      if (step.multiplier) y = f32x4.mul(y, v128.load(step.multiplier + offset + f));
      if (step.bias) y = f32x4.add(y, v128.load(step.bias + offset + f));
      if (step.residual) y = f32x4.add(y, v128.load(step.residual + at + f));
      if (step.slope) y = steepened(y, v128.load(step.slope + offset + f));
      storeLanes(step.output + at + f, y, width - <i32>(f >> 2));
    }
  }
}

/** x, times a slope where it is negative. */
@inline
export function steepened(x: v128, slope: v128): v128 {
  return v128.bitselect(f32x4.mul(x, slope), x, f32x4.lt(x, f32x4.splat(0)));
}

/** Stores the first lanes, four at most. */
@inline
export function storeLanes(to: usize, value: v128, lanes: i32): void {
  if (lanes >= 4) v128.store(to, value);
  else {
    f32.store(to, f32x4.extract_lane(value, 0));
    if (lanes > 1) f32.store(to, f32x4.extract_lane(value, 1), 4);
    if (lanes > 2) f32.store(to, f32x4.extract_lane(value, 2), 8);
  }
}
