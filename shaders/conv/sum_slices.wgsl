// Adds the slices of a sum that was split for parallelism: four sums of every fourth slice, then those. The order is
// fixed, so the result is the same whenever it runs.
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
  var sums = vec4f();
  var chunk = 0u;
  for (; chunk + 4u <= CHUNKS; chunk += 4u) {
    let first = chunk * SIZE + index;
    sums += vec4f(slices[first], slices[first + SIZE], slices[first + 2u * SIZE], slices[first + 3u * SIZE]);
  }
  for (; chunk < CHUNKS; chunk++) {
    sums.x += slices[chunk * SIZE + index];
  }
  out[index] = (sums.x + sums.y) + (sums.z + sums.w);
}
