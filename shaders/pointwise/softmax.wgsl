// exp(x) over the sum of exp along a row, less the row's largest value so that nothing overflows. One invocation makes one
// row, in order.
//!include "lib/index.wgsl"

override ROWS: u32;
override CHANNELS: u32;

@group(0) @binding(0) var<storage, read> x: array<f32>; // [ROWS, CHANNELS]
@group(0) @binding(1) var<storage, read_write> y: array<f32>; // [ROWS, CHANNELS]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let row = linear_index(id, groups, 64u);
  if (row >= ROWS) {
    return;
  }
  let first = row * CHANNELS;
  var largest = x[first];
  for (var c = 1u; c < CHANNELS; c++) {
    largest = max(largest, x[first + c]);
  }
  var sum = 0.0; // at least 1: the largest one's own share
  for (var c = 0u; c < CHANNELS; c++) {
    let share = exp(x[first + c] - largest);
    y[first + c] = share;
    sum += share;
  }
  for (var c = 0u; c < CHANNELS; c++) {
    y[first + c] /= sum;
  }
}
