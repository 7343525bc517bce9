// Gradient of slice with respect to x: what was taken gets its gradient, all else 0. One invocation makes one value.
//!include "lib/index.wgsl"
//!include "lib/axes.wgsl"

override BEGIN_1: i32; // place of x on each axis that comes first
override BEGIN_2: i32;
override BEGIN_3: i32;
override BEGIN_4: i32;
override STEP_1: i32; // places of x from one of y to the next, not 0
override STEP_2: i32;
override STEP_3: i32;
override STEP_4: i32;
override TAKEN_1: i32; // extents of y
override TAKEN_2: i32;
override TAKEN_3: i32;
override TAKEN_4: i32;

@group(0) @binding(0) var<storage, read> g: array<f32>; // [SIZE / ..., TAKEN_1, ..., TAKEN_4]
@group(0) @binding(1) var<storage, read_write> out: array<f32>; // [SIZE / ..., EXTENT_1, ..., EXTENT_4]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index >= SIZE) {
    return;
  }
  let place = place_of(index);
  let steps = vec4i(STEP_1, STEP_2, STEP_3, STEP_4);
  let taken = vec4i(TAKEN_1, TAKEN_2, TAKEN_3, TAKEN_4);
  let distance = vec4i(place.inner) - vec4i(BEGIN_1, BEGIN_2, BEGIN_3, BEGIN_4);
  let at = distance / steps;
  if (all(at * steps == distance) && all(at >= vec4i()) && all(at < taken)) {
    let row = ((i32(place.outer) * taken.x + at.x) * taken.y + at.y) * taken.z + at.z;
    out[index] = g[row * taken.w + at.w];
  } else {
    out[index] = 0.0;
  }
}
