// All elements of x in a pseudo-random order: element i of the result is element permute(SEED, 0, i) of x.
//!include "lib/index.wgsl"
//!include "lib/random.wgsl"

override SIZE: u32;
override SEED: u32;
override HALF_BITS: u32; // feistelHalfBits(SIZE)

@group(0) @binding(0) var<storage, read> x: array<f32>; // [SIZE]
@group(0) @binding(1) var<storage, read_write> out: array<f32>; // [SIZE]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index < SIZE) {
    out[index] = x[permute(SEED, 0u, index, SIZE, HALF_BITS)];
  }
}
