// How many thresholds of its channel each value reaches, as f32. One invocation makes one value.
//!include "lib/index.wgsl"

override SIZE: u32;
override CHANNELS: u32;
override LEVELS: u32; // thresholds a channel

@group(0) @binding(0) var<storage, read> x: array<f32>; // [SIZE / CHANNELS, CHANNELS]
@group(0) @binding(1) var<storage, read> thresholds: array<f32>; // [CHANNELS, LEVELS], in any order
@group(0) @binding(2) var<storage, read_write> y: array<f32>; // [SIZE / CHANNELS, CHANNELS], integers

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index >= SIZE) {
    return;
  }
  let value = x[index];
  let first = index % CHANNELS * LEVELS;
  var reached = 0u;
  for (var level = 0u; level < LEVELS; level++) {
    reached += select(0u, 1u, value >= thresholds[first + level]);
  }
  y[index] = f32(reached);
}
