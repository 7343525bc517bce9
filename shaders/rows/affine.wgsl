// The scale and the offset of each row, by the quantizer's rule. One invocation takes a row.
//!include "lib/index.wgsl"
//!include "lib/quantizer/rows.wgsl"
//!include "lib/quantizer/rule.wgsl"
//!hole row "methods/rows/plain.wgsl"

override ROWS: u32;
override HAS_STATISTICS: u32; // 0: the rule reads none, and `statistics` is a placeholder

@group(0) @binding(0) var<storage, read> statistics: array<RowStatistics>; // [ROWS]
@group(0) @binding(1) var<storage, read> learned: array<Learned>; // [groups]; a placeholder where nothing is learned
@group(0) @binding(2) var<storage, read_write> scales: array<f32>; // [ROWS]
@group(0) @binding(3) var<storage, read_write> offsets: array<f32>; // [ROWS]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index >= ROWS) {
    return;
  }
  let row = statistics[select(0u, index, HAS_STATISTICS == 1u)];
  let own = learned[group_of(index, 0u)];
  scales[index] = rule_scale(row, own);
  offsets[index] = rule_offset(row, own);
}
