// The scale and the offset of each row, by the quantizer's rule. One invocation takes a row.
//!include "lib/index.wgsl"
//!include "lib/rows.wgsl"
//!hole row "methods/rows/plain.wgsl"

override ROWS: u32;

@group(0) @binding(0) var<storage, read> statistics: array<RowStatistics>; // [ROWS]
@group(0) @binding(1) var<storage, read_write> scales: array<f32>; // [ROWS]
@group(0) @binding(2) var<storage, read_write> offsets: array<f32>; // [ROWS]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index >= ROWS) {
    return;
  }
  scales[index] = scale(statistics[index]);
  offsets[index] = offset(statistics[index]);
}
