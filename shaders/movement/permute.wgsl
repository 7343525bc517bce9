// A tensor with its axes in another order. One invocation makes one value.
//!include "lib/index.wgsl"
//!include "lib/axes.wgsl"

override STRIDE_0: u32; // elements of x from one place on an axis of y to the next
override STRIDE_1: u32;
override STRIDE_2: u32;
override STRIDE_3: u32;
override STRIDE_4: u32;

@group(0) @binding(0) var<storage, read> x: array<f32>; // [SIZE]
@group(0) @binding(1) var<storage, read_write> y: array<f32>; // [SIZE / ..., EXTENT_1, ..., EXTENT_4]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index < SIZE) {
    let place = place_of(index);
    y[index] = x[place.outer * STRIDE_0 + dot(place.inner, vec4u(STRIDE_1, STRIDE_2, STRIDE_3, STRIDE_4))];
  }
}
