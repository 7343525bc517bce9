// Product of reals with packed signs: out = x * transpose(sign(w)). One invocation makes 4 rows x 16 columns in registers
// (8 rows x 4 columns in the smaller tile): each real it loads is used 16 times and each sign it expands 4 times. N and K are
// multiples of 4; M is any.
//!include "lib/tile/row.wgsl"
//!include "lib/tile/sums.wgsl"
//!include "lib/tile/signs.wgsl"
//!include "lib/tile/store_sums.wgsl"

override M: u32;
override N: u32;
override K: u32;

@group(0) @binding(0) var<storage, read> x: array<vec4f>; // [M, K]
@group(0) @binding(1) var<storage, read> w: array<u32>; // bits [N, K]
@group(0) @binding(2) var<storage, read_write> out: array<vec4f>; // [M, N]

override WORDS = (K + 31u) / 32u; // of a packed row

// The words of four columns of the product. Columns beyond the last four repeat them, and aren't stored.
fn column_words(column: u32, word: u32) -> vec4u {
  let first = min(column, N - 4u) * WORDS + word;
  return vec4u(w[first], w[first + WORDS], w[first + 2u * WORDS], w[first + 3u * WORDS]);
}

fn store(row: u32, column: u32, sums: vec4f) {
  if (row < M && column < N) {
    out[(row * N + column) / 4u] = sums;
  }
}

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let n = id.x * TILE_COLUMNS;
  let m = tile_row(id) * (TILE_SUMS / TILE_COLUMNS);
  if (n >= N || m >= M) {
    return;
  }
  // Rows beyond the last one repeat it, and aren't stored.
  let row0 = m * K / 4u;
  let row1 = min(m + 1u, M - 1u) * K / 4u;
  let row2 = min(m + 2u, M - 1u) * K / 4u;
  let row3 = min(m + 3u, M - 1u) * K / 4u;
  let row4 = min(m + 4u, M - 1u) * K / 4u;
  let row5 = min(m + 5u, M - 1u) * K / 4u;
  let row6 = min(m + 6u, M - 1u) * K / 4u;
  let row7 = min(m + 7u, M - 1u) * K / 4u;

  var c00 = vec4f();
  var c01 = vec4f();
  var c02 = vec4f();
  var c03 = vec4f();
  var c10 = vec4f();
  var c11 = vec4f();
  var c12 = vec4f();
  var c13 = vec4f();
  var c20 = vec4f();
  var c21 = vec4f();
  var c22 = vec4f();
  var c23 = vec4f();
  var c30 = vec4f();
  var c31 = vec4f();
  var c32 = vec4f();
  var c33 = vec4f();
  var c40 = vec4f();
  var c50 = vec4f();
  var c60 = vec4f();
  var c70 = vec4f();
  for (var word = 0u; word < WORDS; word++) {
    let words0 = column_words(n, word);
    let words1 = column_words(n + 4u, word);
    let words2 = column_words(n + 8u, word);
    let words3 = column_words(n + 12u, word);
    let end = min(8u * word + 8u, K / 4u);
    for (var k = 8u * word; k < end; k++) {
      let bit = (4u * k) & 31u;
      let x0 = x[row0 + k];
      let x1 = x[row1 + k];
      let x2 = x[row2 + k];
      let x3 = x[row3 + k];
      let s0 = signs_across(words0, bit);
      c00 += s0 * x0;
      c10 += s0 * x1;
      c20 += s0 * x2;
      c30 += s0 * x3;
      if (TILE_SUMS == 32u) {
        c40 += s0 * x[row4 + k];
        c50 += s0 * x[row5 + k];
        c60 += s0 * x[row6 + k];
        c70 += s0 * x[row7 + k];
      }
      let s1 = signs_across(words1, bit);
      c01 += s1 * x0;
      c11 += s1 * x1;
      c21 += s1 * x2;
      c31 += s1 * x3;
      let s2 = signs_across(words2, bit);
      c02 += s2 * x0;
      c12 += s2 * x1;
      c22 += s2 * x2;
      c32 += s2 * x3;
      let s3 = signs_across(words3, bit);
      c03 += s3 * x0;
      c13 += s3 * x1;
      c23 += s3 * x2;
      c33 += s3 * x3;
    }
  }
  store_sums(
    m, n,
    c00, c01, c02, c03,
    c10, c11, c12, c13,
    c20, c21, c22, c23,
    c30, c31, c32, c33,
    c40, c50, c60, c70,
  );
}
