// Gradient of a product of packed signs with respect to its (sign) weights: out = transpose(g) * sign(a). One invocation
// makes 4 rows x 16 columns in registers, adding the outer products of four samples at a time; the signs of the columns
// are one half of a word. N and K are multiples of 4; M is any.
//!include "lib/sign_tile.wgsl"

override M: u32;
override N: u32;
override K: u32;

@group(0) @binding(0) var<storage, read> g: array<vec4f>; // [M, N]
@group(0) @binding(1) var<storage, read> a: array<u32>; // bits [M, K]
@group(0) @binding(2) var<storage, read_write> out: array<vec4f>; // [N, K]

override WORDS = (K + 31u) / 32u; // of a packed row

// Four neighbouring gradients of a sample; 0 beyond the last sample.
fn gradients(sample: u32, n: u32) -> vec4f {
  return select(vec4f(), g[(min(sample, M - 1u) * N + n) / 4u], sample < M);
}

fn word_of(sample: u32, k: u32) -> u32 {
  return a[min(sample, M - 1u) * WORDS + (k >> 5u)];
}

fn store(row: u32, column: u32, sums: vec4f) {
  if (column < K) {
    out[(row * K + column) / 4u] = sums;
  }
}

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let k = id.x * 16u;
  let n = id.y * 4u;
  if (k >= K || n >= N) {
    return;
  }
  let half = half_factor(k & 31u);

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
  for (var m = 0u; m < M; m += 4u) {
    // Column r: the gradients of row r for the four samples.
    let rows = transpose(mat4x4f(
      gradients(m, n),
      gradients(m + 1u, n),
      gradients(m + 2u, n),
      gradients(m + 3u, n),
    ));
    let words = half * vec4u(word_of(m, k), word_of(m + 1u, k), word_of(m + 2u, k), word_of(m + 3u, k));
    let s0 = signs_along(words, BITS_0);
    c00 += s0 * rows[0];
    c10 += s0 * rows[1];
    c20 += s0 * rows[2];
    c30 += s0 * rows[3];
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
  store(n, k, c00);
  store(n, k + 4u, c01);
  store(n, k + 8u, c02);
  store(n, k + 12u, c03);
  store(n + 1u, k, c10);
  store(n + 1u, k + 4u, c11);
  store(n + 1u, k + 8u, c12);
  store(n + 1u, k + 12u, c13);
  store(n + 2u, k, c20);
  store(n + 2u, k + 4u, c21);
  store(n + 2u, k + 8u, c22);
  store(n + 2u, k + 12u, c23);
  store(n + 3u, k, c30);
  store(n + 3u, k + 4u, c31);
  store(n + 3u, k + 8u, c32);
  store(n + 3u, k + 12u, c33);
}
