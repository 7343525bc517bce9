// The gradient with respect to values, from the one with respect to what the quantizer makes of them: scale times signs.
// Statistics of the row count as constants. One invocation makes one value.
//!include "lib/index.wgsl"
//!include "lib/state.wgsl"
//!include "lib/quantizer/rows.wgsl"
//!include "lib/quantizer/rule.wgsl"
//!hole gradient "methods/rows/passing.wgsl"
//!hole row "methods/rows/plain.wgsl"

override SIZE: u32;
override LENGTH: u32; // values of a row
override CHANNELS: u32;
override HAS_STATISTICS: u32; // 0: the rule reads none, and `statistics` is a placeholder
override STRAIGHT: u32; // 1: the gradient is one of the value itself, whatever its scale
override TABLE_ROWS: u32; // batches of an epoch, and one more; 1 where nothing changes from step to step

@group(0) @binding(0) var<storage, read> g: array<f32>; // [SIZE]
@group(0) @binding(1) var<storage, read> x: array<f32>; // [SIZE]
@group(0) @binding(2) var<storage, read> statistics: array<RowStatistics>; // [SIZE / LENGTH]
@group(0) @binding(3) var<storage, read> learned: array<Learned>; // [groups]; a placeholder where nothing is learned
@group(0) @binding(4) var<storage, read> table: array<Scalars>; // [TABLE_ROWS]
@group(0) @binding(5) var<storage, read> state: TrainState; // a placeholder where TABLE_ROWS is 1
@group(0) @binding(6) var<storage, read_write> out: array<f32>; // [SIZE]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index >= SIZE) {
    return;
  }
  let at = index / LENGTH;
  let row = statistics[select(0u, at, HAS_STATISTICS == 1u)];
  let own = learned[group_of(at, index % CHANNELS)];
  let now = table[min(state.batch, TABLE_ROWS - 1u)];
  let value = x[index];
  if (STRAIGHT == 1u) {
    out[index] = g[index] * rule_gradient(value, now);
    return;
  }
  let passed = rule_gradient(rule_argument(value, row, own), now);
  out[index] = g[index] * rule_scale(row, own) * passed * rule_slope(value, row, own);
}
