// Mixes each row with its other one: y = share * x + (1 - share) * x of the other.
//!include "lib/index.wgsl"

override BATCH: u32;
override LENGTH: u32;

@group(0) @binding(0) var<storage, read> x: array<f32>; // [BATCH, LENGTH]
@group(0) @binding(1) var<storage, read> pairs: array<vec2u>; // [BATCH]: row, bits of the share
@group(0) @binding(2) var<storage, read_write> y: array<f32>; // [BATCH, LENGTH]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index >= BATCH * LENGTH) {
    return;
  }
  let pair = pairs[index / LENGTH];
  let share = bitcast<f32>(pair.y);
  y[index] = share * x[index] + (1.0 - share) * x[pair.x * LENGTH + index % LENGTH];
}
