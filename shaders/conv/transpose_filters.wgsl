// Puts the outputs of filters side by side, so that the tiled kernels read four of them at once: [ROWS, COLUMNS] to
// [COLUMNS, ROWS], of words or reals alike.
//!include "lib/index.wgsl"

override ROWS: u32; // output channels
override COLUMNS: u32; // 32-bit elements of one filter

@group(0) @binding(0) var<storage, read> w: array<u32>; // [ROWS, COLUMNS]
@group(0) @binding(1) var<storage, read_write> out: array<u32>; // [COLUMNS, ROWS]

// Four outputs of an element; beyond the last output, that one again.
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  let quads = (ROWS + 3u) / 4u;
  let column = index / quads;
  if (column >= COLUMNS) {
    return;
  }
  let r0 = (index - column * quads) * 4u;
  let r1 = min(r0 + 1u, ROWS - 1u);
  let r2 = min(r0 + 2u, ROWS - 1u);
  let r3 = min(r0 + 3u, ROWS - 1u);
  out[column * ROWS + r0] = w[r0 * COLUMNS + column];
  out[column * ROWS + r1] = w[r1 * COLUMNS + column];
  out[column * ROWS + r2] = w[r2 * COLUMNS + column];
  out[column * ROWS + r3] = w[r3 * COLUMNS + column];
}
