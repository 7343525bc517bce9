// Counts where signs differ: the rows of windows against filters. The loops give the same counts; which one is fastest
// depends on the processor and on what compiles this, so the host measures them.

/** Filters that are counted at once: a word of the output. */
export const BLOCK: i32 = 32;

/**
 * @param rows of windows, `stride` bytes each, zeros after the last word
 * @param filters in pairs: 16 bytes of one, 16 of the other
 * @param words of a row
 * @param out i32 [height rounded up to 4][32]
 */
export function count(
  loop: i32, rows: usize, height: i32, stride: i32, filters: usize, width: i32, words: i32, out: usize,
): void {
  if (loop == 0) countWords(rows, height, stride, filters, width, (words + 1) >> 1, out);
  else if (loop == 1) countBytes(rows, height, stride, filters, width, (words + 3) >> 2, out);
  else countCarries(rows, height, stride, filters, width, (words + 3) >> 2, out);
}

/** Two rows and two filters at a time, 64 signs a count. */
function countWords(
  rows: usize, height: i32, stride: i32, filters: usize, width: i32, words: i32, out: usize,
): void {
  const whole: usize = (words >> 1) * 16;
  for (let f = 0; f < width; f += 2) {
    for (let r = 0; r < height; r += 2) {
      let a: usize = rows + r * stride;
      let b: usize = r + 1 < height ? a + stride : a;
      let w: usize = filters + f * stride;
      let aw: i64 = 0, av: i64 = 0, bw: i64 = 0, bv: i64 = 0;
      for (const end = a + whole; a < end; ) {
        let x = load<i64>(a), y = load<i64>(b), s = load<i64>(w), t = load<i64>(w, 16);
        aw += popcnt<i64>(x ^ s);
        av += popcnt<i64>(x ^ t);
        bw += popcnt<i64>(y ^ s);
        bv += popcnt<i64>(y ^ t);
        x = load<i64>(a, 8); y = load<i64>(b, 8); s = load<i64>(w, 8); t = load<i64>(w, 24);
        aw += popcnt<i64>(x ^ s);
        av += popcnt<i64>(x ^ t);
        bw += popcnt<i64>(y ^ s);
        bv += popcnt<i64>(y ^ t);
        a += 16; b += 16; w += 32;
      }
      if (words & 1) {
        const x = load<i64>(a), y = load<i64>(b), s = load<i64>(w), t = load<i64>(w, 16);
        aw += popcnt<i64>(x ^ s);
        av += popcnt<i64>(x ^ t);
        bw += popcnt<i64>(y ^ s);
        bv += popcnt<i64>(y ^ t);
      }
      const to = out + r * (BLOCK * 4) + f * 4;
      store<i32>(to, <i32>aw);
      store<i32>(to, <i32>av, 4);
      store<i32>(to, <i32>bw, BLOCK * 4);
      store<i32>(to, <i32>bv, BLOCK * 4 + 4);
    }
  }
}

/** The sum of sixteen counts. */
function total(bytes: v128): i32 {
  const four = i32x4.extadd_pairwise_i16x8_u(i16x8.extadd_pairwise_i8x16_u(bytes));
  const two = i64x2.add(four, i64x2.shr_u(four, 32));
  return i32x4.extract_lane(two, 0) + i32x4.extract_lane(two, 2);
}

/** Four rows and two filters at a time, 128 signs a count: bytes are added 31 times before they could overflow. */
function countBytes(
  rows: usize, height: i32, stride: i32, filters: usize, width: i32, vectors: i32, out: usize,
): void {
  for (let f = 0; f < width; f += 2) {
    for (let r = 0; r < height; r += 4) {
      let a: usize = rows + r * stride;
      let b: usize = r + 1 < height ? a + stride : a;
      let c: usize = r + 2 < height ? b + stride : b;
      let d: usize = r + 3 < height ? c + stride : c;
      let w: usize = filters + f * stride;
      let aw = 0, av = 0, bw = 0, bv = 0, cw = 0, cv = 0, dw = 0, dv = 0;
      for (let left = vectors; left > 0; left -= 31) {
        let p = i32x4.splat(0), q = p, s = p, t = p, g = p, h = p, i = p, j = p;
        for (const end = a + min(left, 31) * 16; a < end; ) {
          const u = v128.load(w), v = v128.load(w, 16);
          let x = v128.load(a);
          p = i8x16.add(p, i8x16.popcnt(v128.xor(x, u)));
          q = i8x16.add(q, i8x16.popcnt(v128.xor(x, v)));
          x = v128.load(b);
          s = i8x16.add(s, i8x16.popcnt(v128.xor(x, u)));
          t = i8x16.add(t, i8x16.popcnt(v128.xor(x, v)));
          x = v128.load(c);
          g = i8x16.add(g, i8x16.popcnt(v128.xor(x, u)));
          h = i8x16.add(h, i8x16.popcnt(v128.xor(x, v)));
          x = v128.load(d);
          i = i8x16.add(i, i8x16.popcnt(v128.xor(x, u)));
          j = i8x16.add(j, i8x16.popcnt(v128.xor(x, v)));
          a += 16; b += 16; c += 16; d += 16; w += 32;
        }
        aw += total(p); av += total(q);
        bw += total(s); bv += total(t);
        cw += total(g); cv += total(h);
        dw += total(i); dv += total(j);
      }
      const to = out + r * (BLOCK * 4) + f * 4;
      store<i32>(to, aw);
      store<i32>(to, av, 4);
      store<i32>(to, bw, BLOCK * 4);
      store<i32>(to, bv, BLOCK * 4 + 4);
      store<i32>(to, cw, BLOCK * 8);
      store<i32>(to, cv, BLOCK * 8 + 4);
      store<i32>(to, dw, BLOCK * 12);
      store<i32>(to, dv, BLOCK * 12 + 4);
    }
  }
}

/** The lower bits of the sums of three. */
@inline
function low(a: v128, b: v128, c: v128): v128 {
  return v128.xor(v128.xor(a, b), c);
}

/** The higher bits of the sums of three. */
@inline
function high(a: v128, b: v128, c: v128): v128 {
  return v128.or(v128.and(a, b), v128.and(v128.xor(a, b), c));
}

/** A row and a filter at a time: nine vectors are added as numbers of four bits, and four vectors counted in place of nine. */
function countCarries(
  rows: usize, height: i32, stride: i32, filters: usize, width: i32, vectors: i32, out: usize,
): void {
  for (let f = 0; f < width; f++) {
    const filter = filters + (f & ~1) * stride + (f & 1) * 16;
    for (let r = 0; r < height; r++) {
      let a: usize = rows + r * stride;
      let w = filter;
      let sum = 0;
      let left = vectors;
      for (; left >= 9; left -= 9) {
        const x0 = v128.xor(v128.load(a), v128.load(w)), x1 = v128.xor(v128.load(a, 16), v128.load(w, 32));
        const x2 = v128.xor(v128.load(a, 32), v128.load(w, 64)), x3 = v128.xor(v128.load(a, 48), v128.load(w, 96));
        const x4 = v128.xor(v128.load(a, 64), v128.load(w, 128)), x5 = v128.xor(v128.load(a, 80), v128.load(w, 160));
        const x6 = v128.xor(v128.load(a, 96), v128.load(w, 192)), x7 = v128.xor(v128.load(a, 112), v128.load(w, 224));
        const x8 = v128.xor(v128.load(a, 128), v128.load(w, 256));
        const l0 = low(x0, x1, x2), l1 = low(x3, x4, x5), l2 = low(x6, x7, x8);
        const h0 = high(x0, x1, x2), h1 = high(x3, x4, x5), h2 = high(x6, x7, x8);
        const ones = i8x16.popcnt(low(l0, l1, l2));
        const twos = i8x16.add(i8x16.popcnt(high(l0, l1, l2)), i8x16.popcnt(low(h0, h1, h2)));
        const fours = i8x16.popcnt(high(h0, h1, h2));
        const double = i8x16.add(twos, i8x16.add(fours, fours));
        sum += total(i8x16.add(ones, i8x16.add(double, double)));
        a += 144; w += 288;
      }
      let bytes = i32x4.splat(0);
      for (; left > 0; left--) {
        bytes = i8x16.add(bytes, i8x16.popcnt(v128.xor(v128.load(a), v128.load(w))));
        a += 16; w += 32;
      }
      store<i32>(out + r * (BLOCK * 4) + f * 4, sum + total(bytes));
    }
  }
}
