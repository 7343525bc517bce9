// Gradient of a product with packed signs with respect to its input: out = g * sign(w), gated. One invocation makes 4 rows x
// 16 columns in registers, the signs of which are one half of a word; in the smaller tile, 8 rows x 4 columns. N and K are
// multiples of 4; M is any.
//!include "lib/tile/row.wgsl"
//!include "lib/tile/sums.wgsl"
//!include "lib/tile/signs.wgsl"
//!include "lib/tile/store_sums.wgsl"

override M: u32;
override N: u32;
override K: u32;

@group(0) @binding(0) var<storage, read> g: array<vec4f>; // [M, N]
@group(0) @binding(1) var<storage, read> w: array<u32>; // bits [N, K]
@group(0) @binding(2) var<storage, read> gate: array<u32>; // bits [M, K], 1 = passes
@group(0) @binding(3) var<storage, read_write> out: array<vec4f>; // [M, K]

override WORDS = (K + 31u) / 32u; // of a packed row

//!include "lib/epilogue/store_gated.wgsl"

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let k = id.x * TILE_COLUMNS;
  let m = tile_row(id) * (TILE_SUMS / TILE_COLUMNS);
  if (k >= K || m >= M) {
    return;
  }
  let factor = top_factor(k & 31u);
  // Rows beyond the last one repeat it, and aren't stored.
  let row0 = m * N / 4u;
  let row1 = min(m + 1u, M - 1u) * N / 4u;
  let row2 = min(m + 2u, M - 1u) * N / 4u;
  let row3 = min(m + 3u, M - 1u) * N / 4u;
  let row4 = min(m + 4u, M - 1u) * N / 4u;
  let row5 = min(m + 5u, M - 1u) * N / 4u;
  let row6 = min(m + 6u, M - 1u) * N / 4u;
  let row7 = min(m + 7u, M - 1u) * N / 4u;

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
  for (var n = 0u; n < N; n += 4u) {
    let first = n * WORDS + (k >> 5u);
    let words = factor * vec4u(w[first], w[first + WORDS], w[first + 2u * WORDS], w[first + 3u * WORDS]);
    let g0 = g[row0 + n / 4u];
    let g1 = g[row1 + n / 4u];
    let g2 = g[row2 + n / 4u];
    let g3 = g[row3 + n / 4u];
    let s0 = signs_along(words, first_bits());
    c00 += s0 * g0;
    c10 += s0 * g1;
    c20 += s0 * g2;
    c30 += s0 * g3;
    if (TILE_SUMS == 32u) {
      c40 += s0 * g[row4 + n / 4u];
      c50 += s0 * g[row5 + n / 4u];
      c60 += s0 * g[row6 + n / 4u];
      c70 += s0 * g[row7 + n / 4u];
    }
    let s1 = signs_along(words, BITS_4);
    c01 += s1 * g0;
    c11 += s1 * g1;
    c21 += s1 * g2;
    c31 += s1 * g3;
    let s2 = signs_along(words, BITS_8);
    c02 += s2 * g0;
    c12 += s2 * g1;
    c22 += s2 * g2;
    c32 += s2 * g3;
    let s3 = signs_along(words, BITS_12);
    c03 += s3 * g0;
    c13 += s3 * g1;
    c23 += s3 * g2;
    c33 += s3 * g3;
  }
  store_sums(
    m, k,
    c00, c01, c02, c03,
    c10, c11, c12, c13,
    c20, c21, c22, c23,
    c30, c31, c32, c33,
    c40, c50, c60, c70,
  );
}
