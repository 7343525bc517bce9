// Gradient of a product with packed signs with respect to its input, through workgroup memory: out = g * sign(w), gated.
// N and K are multiples of 4; M is any.
//!include "lib/tile/sign_shared.wgsl"

override M: u32;
override N: u32;
override K: u32;

override ROWS = M;
override COLUMNS = K;
override TERMS = N;
override WORDS = (K + 31u) / 32u; // of a packed row

@group(0) @binding(0) var<storage, read> g: array<vec4f>; // [M, N]
@group(0) @binding(1) var<storage, read> w: array<u32>; // bits [N, K]
@group(0) @binding(2) var<storage, read> gate: array<u32>; // bits [M, K], 1 = passes
@group(0) @binding(3) var<storage, read_write> out: array<vec4f>; // [M, K]

//!include "lib/epilogue/store_gated.wgsl"

fn reals_at(row: u32, term: u32) -> vec4f {
  return g[(row * N + term) / 4u];
}

fn word_at(term: u32, word: u32) -> u32 {
  return w[term * WORDS + word];
}
