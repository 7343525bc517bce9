//!needs Lane, WIDTH
//!gives x
//!include "lib/index.wgsl"

override ROWS: u32;
override COLUMNS: u32; // columns to copy
override FROM_COLUMNS: u32; // columns of the matrix they come from
override FROM: u32; // where they start there
override TO_COLUMNS: u32;
override TO: u32;

@group(0) @binding(0) var<storage, read> x: array<Lane>; // f32 [ROWS, FROM_COLUMNS]
@group(0) @binding(1) var<storage, read_write> out: array<Lane>; // f32 [ROWS, TO_COLUMNS]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let lanes = COLUMNS / WIDTH;
  let index = linear_index(id, groups, 64u);
  if (index >= ROWS * lanes) {
    return;
  }
  let row = index / lanes;
  let lane = index % lanes;
  out[row * (TO_COLUMNS / WIDTH) + TO / WIDTH + lane] = x[row * (FROM_COLUMNS / WIDTH) + FROM / WIDTH + lane];
}
