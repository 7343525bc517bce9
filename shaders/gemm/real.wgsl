// Product of reals, any shape and either operand transposed: out = op(a) * op(c). One invocation makes one output.
//!include "lib/index.wgsl"

override M: u32;
override N: u32;
override K: u32;
override TRANSPOSE_A: u32;
override TRANSPOSE_B: u32;

@group(0) @binding(0) var<storage, read> a: array<f32>; // [M, K], or [K, M] when TRANSPOSE_A is 1
@group(0) @binding(1) var<storage, read> c: array<f32>; // [K, N], or [N, K] when TRANSPOSE_B is 1
@group(0) @binding(2) var<storage, read_write> out: array<f32>; // [M, N]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index >= M * N) {
    return;
  }
  let m = index / N;
  let n = index % N;
  let a_first = select(m * K, m, TRANSPOSE_A == 1u);
  let a_step = select(1u, M, TRANSPOSE_A == 1u);
  let c_first = select(n, n * K, TRANSPOSE_B == 1u);
  let c_step = select(N, 1u, TRANSPOSE_B == 1u);
  var sum = 0.0;
  for (var k = 0u; k < K; k++) {
    sum += a[a_first + k * a_step] * c[c_first + k * c_step];
  }
  out[index] = sum;
}
