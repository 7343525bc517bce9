// Whether any of some reals is NaN or infinite: found[PLACE] becomes 1. Comparisons of floats may be left out by compilers
// that take all numbers for finite, so the bits are looked at.
//!include "lib/index.wgsl"

override COUNT: u32;
override PLACE: u32;

@group(0) @binding(0) var<storage, read> x: array<u32>; // f32 [COUNT], as bits
@group(0) @binding(1) var<storage, read_write> found: array<atomic<u32>>; // [places]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index < COUNT && (x[index] & 0x7f800000u) == 0x7f800000u) {
    atomicStore(&found[PLACE], 1u);
  }
}
