// Every so many places of each axis, from one on. One invocation makes one value.
//!include "lib/index.wgsl"
//!include "lib/axes.wgsl"

override FIRST: u32; // element of x that comes first
override STRIDE_0: u32; // elements of x from one place on an axis of y to the next; steps back wrap around
override STRIDE_1: u32;
override STRIDE_2: u32;
override STRIDE_3: u32;
override STRIDE_4: u32;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>; // [SIZE / ..., EXTENT_1, ..., EXTENT_4]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index < SIZE) {
    let place = place_of(index);
    let steps = dot(place.inner, vec4u(STRIDE_1, STRIDE_2, STRIDE_3, STRIDE_4));
    y[index] = x[FIRST + place.outer * STRIDE_0 + steps];
  }
}
