// Gradient of a product of packed signs with respect to its (sign) weights, any shape: out = transpose(g) * sign(a). One
// invocation makes one output.
//!include "lib/index.wgsl"
//!include "lib/words/expand.wgsl"

override M: u32;
override N: u32;
override K: u32;

@group(0) @binding(0) var<storage, read> g: array<f32>; // [M, N]
@group(0) @binding(1) var<storage, read> a: array<u32>; // bits [M, K]
@group(0) @binding(2) var<storage, read_write> out: array<f32>; // [N, K]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index >= N * K) {
    return;
  }
  let words = (K + 31u) / 32u;
  let n = index / K;
  let k = index % K;
  var sum = 0.0;
  for (var m = 0u; m < M; m++) {
    sum += g[m * N + n] * sign_of(a[m * words + (k >> 5u)], k & 31u);
  }
  out[index] = sum;
}
