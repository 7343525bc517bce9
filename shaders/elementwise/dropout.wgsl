// Sets a random share of the values to 0 and scales the others up. The mask is a function of (seed, stream, step,
// element), so the gradient draws it again and nothing is stored. One invocation takes the four elements that share a
// draw.
//!include "lib/index.wgsl"
//!include "lib/state.wgsl"
//!include "lib/random.wgsl"

override SIZE: u32;
override STREAM: u32;
override THRESHOLD: u32; // an element stays when 24 random bits are this or more
override SCALE: f32; // of what stays

@group(0) @binding(0) var<storage, read> x: array<f32>; // [SIZE]
@group(0) @binding(1) var<storage, read> state: TrainState;
@group(0) @binding(2) var<storage, read_write> out: array<f32>; // [SIZE]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let group = linear_index(id, groups, 64u);
  let first = 4u * group;
  if (first >= SIZE) {
    return;
  }
  let words = pcg4d(vec4u(state.seed, STREAM, group, state.step)) >> vec4u(8u);
  let factors = select(vec4f(0.0), vec4f(SCALE), words >= vec4u(THRESHOLD));
  out[first] = x[first] * factors.x;
  if (first + 3u < SIZE) {
    out[first + 1u] = x[first + 1u] * factors.y;
    out[first + 2u] = x[first + 2u] * factors.z;
    out[first + 3u] = x[first + 3u] * factors.w;
    return;
  }
  for (var i = 1u; first + i < SIZE; i++) {
    out[first + i] = x[first + i] * factors[i];
  }
}
