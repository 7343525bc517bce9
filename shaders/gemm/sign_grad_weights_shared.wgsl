// Gradient of a product of packed signs with respect to its (sign) weights, through workgroup memory: out = transpose(g) *
// sign(a). M and K are multiples of 4; N is any.
//!include "lib/tile/sign_shared.wgsl"

override M: u32;
override N: u32;
override K: u32;

override ROWS = N;
override COLUMNS = K;
override TERMS = M;
override WORDS = (K + 31u) / 32u; // of a packed row

@group(0) @binding(0) var<storage, read> g: array<f32>; // [M, N]
@group(0) @binding(1) var<storage, read> a: array<u32>; // bits [M, K]
@group(0) @binding(2) var<storage, read_write> out: array<vec4f>; // [N, K]

fn reals_at(row: u32, term: u32) -> vec4f {
  let first = term * N + row;
  return vec4f(g[first], g[first + N], g[first + 2u * N], g[first + 3u * N]);
}

fn word_at(term: u32, word: u32) -> u32 {
  return a[term * WORDS + word];
}

fn store(row: u32, column: u32, sums: vec4f) {
  if (row < N && column < K) {
    out[(row * K + column) / 4u] = sums;
  }
}
