// Product of packed signs, any shape: out = a * transpose(w) = K - 2 * popcount(a XOR w). One invocation makes one
// output. The tail bits of both operands are 0, so they never differ.
//!include "lib/index.wgsl"

override M: u32;
override N: u32;
override K: u32;
override INTEGER: u32; // 1: out is i32; 0: out is f32

@group(0) @binding(0) var<storage, read> a: array<u32>; // bits [M, K]
@group(0) @binding(1) var<storage, read> w: array<u32>; // bits [N, K]
@group(0) @binding(2) var<storage, read_write> out: array<u32>; // i32 or f32 [M, N]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index >= M * N) {
    return;
  }
  let words = (K + 31u) / 32u;
  let a_row = index / N * words;
  let w_row = index % N * words;
  var differing = 0u;
  for (var i = 0u; i < words; i++) {
    differing += countOneBits(a[a_row + i] ^ w[w_row + i]);
  }
  let dot = i32(K) - 2 * i32(differing);
  out[index] = select(bitcast<u32>(f32(dot)), bitcast<u32>(dot), INTEGER == 1u);
}
