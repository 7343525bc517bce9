// Reals as half floats, two to a word.
//!include "lib/index.wgsl"

override COUNT: u32;

@group(0) @binding(0) var<storage, read> x: array<f32>; // [COUNT]
@group(0) @binding(1) var<storage, read_write> halves: array<u32>; // f16 [COUNT]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  let first = 2u * index;
  if (first < COUNT) {
    let second = select(0.0, x[min(first + 1u, COUNT - 1u)], first + 1u < COUNT);
    halves[index] = pack2x16float(vec2f(x[first], second));
  }
}
