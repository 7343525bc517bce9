// Gradient of steSign from its input: out = g where |x| <= CLIP, 0 elsewhere (Hubara et al. 2016).
//!include "lib/index.wgsl"

override SIZE: u32;
override CLIP: f32; // positive

@group(0) @binding(0) var<storage, read> g: array<f32>; // [SIZE]
@group(0) @binding(1) var<storage, read> x: array<u32>; // f32 [SIZE], as raw bits
@group(0) @binding(2) var<storage, read_write> out: array<f32>; // [SIZE]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index >= SIZE) {
    return;
  }
  // Magnitudes of floats are ordered as their bits are, which NaN and subnormals obey too.
  out[index] = select(0.0, g[index], (x[index] & 0x7fffffffu) <= bitcast<u32>(CLIP));
}
