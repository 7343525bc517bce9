//!needs Lane, WIDTH
//!gives x
//!include "lib/index.wgsl"

override ROWS: u32;
override CHANNELS: u32;

@group(0) @binding(0) var<storage, read> x: array<Lane>; // f32 [ROWS, CHANNELS]
@group(0) @binding(1) var<storage, read> bias: array<Lane>; // f32 [CHANNELS]
@group(0) @binding(2) var<storage, read_write> out: array<Lane>; // f32 [ROWS, CHANNELS]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let lanes = CHANNELS / WIDTH;
  let at = linear_index(id, groups, 64u);
  if (at < ROWS * lanes) {
    out[at] = x[at] + bias[at % lanes];
  }
}
