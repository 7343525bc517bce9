// Product of reals: out = a * c.
//!include "lib/tile/reals.wgsl"

override M: u32;
override N: u32;
override K: u32;

@group(0) @binding(0) var<storage, read> a: array<vec4f>; // [M, K]
@group(0) @binding(1) var<storage, read> c: array<vec4f>; // [K, N]
@group(0) @binding(2) var<storage, read_write> out: array<vec4f>; // [M, N]

// Column e: row k + e of c at four columns of the product.
fn block(k: u32, n: u32) -> mat4x4f {
  let first = (k * N + min(n, N - 4u)) / 4u;
  return mat4x4f(c[first], c[first + N / 4u], c[first + 2u * (N / 4u)], c[first + 3u * (N / 4u)]);
}

fn times(block: mat4x4f, values: vec4f) -> vec4f {
  return block * values;
}
