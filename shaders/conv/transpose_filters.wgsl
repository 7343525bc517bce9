// Puts the outputs of filters side by side, so that the tiled kernels read four of them at once: [ROWS, COLUMNS] to
// [COLUMNS, ROWS], of words or reals alike.
//!include "lib/index.wgsl"

override ROWS: u32; // output channels
override COLUMNS: u32; // 32-bit elements of one filter

@group(0) @binding(0) var<storage, read> w: array<u32>; // [ROWS, COLUMNS]
@group(0) @binding(1) var<storage, read_write> out: array<u32>; // [COLUMNS, ROWS]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index < ROWS * COLUMNS) {
    out[index] = w[index % ROWS * COLUMNS + index / ROWS];
  }
}
