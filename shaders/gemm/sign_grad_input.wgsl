// Gradient of a product with packed signs with respect to its input, any shape: out = g * sign(w). One invocation makes
// one output; a gate of the straight-through estimator closes some of them.
//!include "lib/index.wgsl"
//!include "lib/words/expand.wgsl"

override M: u32;
override N: u32;
override K: u32;
override GATED: u32; // 1: gate decides what passes; 0: everything passes, gate is not read

@group(0) @binding(0) var<storage, read> g: array<f32>; // [M, N]
@group(0) @binding(1) var<storage, read> w: array<u32>; // bits [N, K]
@group(0) @binding(2) var<storage, read> gate: array<u32>; // bits [M, K], 1 = passes
@group(0) @binding(3) var<storage, read_write> out: array<f32>; // [M, K]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index >= M * K) {
    return;
  }
  let words = (K + 31u) / 32u;
  let m = index / K;
  let k = index % K;
  if (GATED == 1u && ((gate[m * words + (k >> 5u)] >> (k & 31u)) & 1u) == 0u) {
    out[index] = 0.0;
    return;
  }
  var sum = 0.0;
  for (var n = 0u; n < N; n++) {
    sum += g[m * N + n] * sign_of(w[n * words + (k >> 5u)], k & 31u);
  }
  out[index] = sum;
}
