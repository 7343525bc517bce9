// Gradient of a product of packed signs with respect to its (sign) weights: out = transpose(g) * sign(a). One invocation
// makes 4 rows x 16 columns in registers, adding the outer products of four samples at a time; the signs of the columns
// are one half of a word. The smaller tile has 8 rows x 4 columns. K is a multiple of 4; M and N are any.
//!include "lib/tile/row.wgsl"
//!include "lib/tile/sums.wgsl"
//!include "lib/tile/signs.wgsl"
//!include "lib/tile/store_sums.wgsl"

override M: u32;
override N: u32;
override K: u32;

@group(0) @binding(0) var<storage, read> g: array<f32>; // [M, N]
@group(0) @binding(1) var<storage, read> a: array<u32>; // bits [M, K]
@group(0) @binding(2) var<storage, read_write> out: array<vec4f>; // [N, K]

override WORDS = (K + 31u) / 32u; // of a packed row

// The gradients of a sample with respect to four outputs.
fn gradients(sample: u32, outputs: vec4u) -> vec4f {
  let at = sample * N + outputs;
  return vec4f(g[at.x], g[at.y], g[at.z], g[at.w]);
}

fn store(row: u32, column: u32, sums: vec4f) {
  if (row < N && column < K) {
    out[(row * K + column) / 4u] = sums;
  }
}

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let k = id.x * TILE_COLUMNS;
  let n = tile_row(id) * (TILE_SUMS / TILE_COLUMNS);
  if (k >= K || n >= N) {
    return;
  }
  // Rows beyond the last one repeat it, and aren't stored.
  let outputs = min(vec4u(n, n + 1u, n + 2u, n + 3u), vec4u(N - 1u));
  let lower_outputs = min(vec4u(n + 4u, n + 5u, n + 6u, n + 7u), vec4u(N - 1u));
  let factor = top_factor(k & 31u);

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
  var m = 0u;
  for (; m + 4u <= M; m += 4u) {
    // Column r: the gradients of row r for the four samples.
    let rows = transpose(mat4x4f(
      gradients(m, outputs),
      gradients(m + 1u, outputs),
      gradients(m + 2u, outputs),
      gradients(m + 3u, outputs),
    ));
    let first = m * WORDS + (k >> 5u);
    let words = factor * vec4u(a[first], a[first + WORDS], a[first + 2u * WORDS], a[first + 3u * WORDS]);
    let s0 = signs_along(words, first_bits());
    c00 += s0 * rows[0];
    c10 += s0 * rows[1];
    c20 += s0 * rows[2];
    c30 += s0 * rows[3];
    if (TILE_SUMS == 32u) {
      let lower = transpose(mat4x4f(
        gradients(m, lower_outputs),
        gradients(m + 1u, lower_outputs),
        gradients(m + 2u, lower_outputs),
        gradients(m + 3u, lower_outputs),
      ));
      c40 += s0 * lower[0];
      c50 += s0 * lower[1];
      c60 += s0 * lower[2];
      c70 += s0 * lower[3];
    }
    let s1 = signs_along(words, BITS_4);
    c01 += s1 * rows[0];
    c11 += s1 * rows[1];
    c21 += s1 * rows[2];
    c31 += s1 * rows[3];
    let s2 = signs_along(words, BITS_8);
    c02 += s2 * rows[0];
    c12 += s2 * rows[1];
    c22 += s2 * rows[2];
    c32 += s2 * rows[3];
    let s3 = signs_along(words, BITS_12);
    c03 += s3 * rows[0];
    c13 += s3 * rows[1];
    c23 += s3 * rows[2];
    c33 += s3 * rows[3];
  }
  for (; m < M; m++) {
    let row = gradients(m, outputs);
    let word = factor * a[m * WORDS + (k >> 5u)];
    let s0 = top_signs(word * first_bits());
    c00 += row.x * s0;
    c10 += row.y * s0;
    c20 += row.z * s0;
    c30 += row.w * s0;
    if (TILE_SUMS == 32u) {
      let lower = gradients(m, lower_outputs);
      c40 += lower.x * s0;
      c50 += lower.y * s0;
      c60 += lower.z * s0;
      c70 += lower.w * s0;
    }
    let s1 = top_signs(word * BITS_4);
    c01 += row.x * s1;
    c11 += row.y * s1;
    c21 += row.z * s1;
    c31 += row.w * s1;
    let s2 = top_signs(word * BITS_8);
    c02 += row.x * s2;
    c12 += row.y * s2;
    c22 += row.z * s2;
    c32 += row.w * s2;
    let s3 = top_signs(word * BITS_12);
    c03 += row.x * s3;
    c13 += row.y * s3;
    c23 += row.z * s3;
    c33 += row.w * s3;
  }
  store_sums(
    n, k,
    c00, c01, c02, c03,
    c10, c11, c12, c13,
    c20, c21, c22, c23,
    c30, c31, c32, c33,
    c40, c50, c60, c70,
  );
}
