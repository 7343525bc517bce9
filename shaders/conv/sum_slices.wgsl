// Adds the slices of a sum that was split for parallelism, first to last: a fixed order, so the result is the same
// whenever and wherever it runs.
//!include "lib/index.wgsl"

override SIZE: u32;
override CHUNKS: u32;

@group(0) @binding(0) var<storage, read> slices: array<f32>; // [CHUNKS, SIZE]
@group(0) @binding(1) var<storage, read_write> out: array<f32>; // [SIZE]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index >= SIZE) {
    return;
  }
  var sum = 0.0;
  for (var chunk = 0u; chunk < CHUNKS; chunk++) {
    sum += slices[chunk * SIZE + index];
  }
  out[index] = sum;
}
