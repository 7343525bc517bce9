// Product of reals with packed signs, any shape: out = x * transpose(sign(w)). One invocation makes one output.
//!include "lib/index.wgsl"
//!include "lib/words/expand.wgsl"

override M: u32;
override N: u32;
override K: u32;

@group(0) @binding(0) var<storage, read> x: array<f32>; // [M, K]
@group(0) @binding(1) var<storage, read> w: array<u32>; // bits [N, K]
@group(0) @binding(2) var<storage, read_write> out: array<f32>; // [M, N]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index >= M * N) {
    return;
  }
  let words = (K + 31u) / 32u;
  let x_row = index / N * K;
  let w_row = index % N * words;
  var sum = 0.0;
  for (var i = 0u; i < words; i++) {
    let word = w[w_row + i];
    for (var k = i * 32u; k < min(K, i * 32u + 32u); k++) {
      sum += x[x_row + k] * sign_of(word, k & 31u);
    }
  }
  out[index] = sum;
}
