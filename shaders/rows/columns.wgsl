// y = x * scale + sums * offset: a product of signs becomes one of weights that are scale * sign + offset. Columns of one
// group share the sums of what was multiplied. One invocation makes one value.
//!include "lib/index.wgsl"

override ROWS: u32;
override COLUMNS: u32;
override GROUPS: u32;
override HAS_SCALE: u32;
override HAS_OFFSET: u32;

@group(0) @binding(0) var<storage, read> x: array<f32>; // [ROWS, COLUMNS]
@group(0) @binding(1) var<storage, read> scales: array<f32>; // [COLUMNS]
@group(0) @binding(2) var<storage, read> offsets: array<f32>; // [COLUMNS]
@group(0) @binding(3) var<storage, read> sums: array<f32>; // [ROWS, GROUPS]
@group(0) @binding(4) var<storage, read_write> y: array<f32>; // [ROWS, COLUMNS]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index >= ROWS * COLUMNS) {
    return;
  }
  let column = index % COLUMNS;
  var value = x[index];
  if (HAS_SCALE == 1u) {
    value *= scales[column];
  }
  if (HAS_OFFSET == 1u) {
    value += offsets[column] * sums[(index / COLUMNS) * GROUPS + column / (COLUMNS / GROUPS)];
  }
  y[index] = value;
}
