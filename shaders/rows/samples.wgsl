// y = x * scale + constants * offset, by sample: products of signs and of ones become those of inputs that are scale * sign +
// offset. One invocation makes one value.
//!include "lib/index.wgsl"

override SIZE: u32;
override LENGTH: u32; // values of a sample
override BY_ROW: u32; // 0: one scale and one offset of all samples
override HAS_SCALE: u32;
override HAS_OFFSET: u32;
override HAS_ADDED: u32;

@group(0) @binding(0) var<storage, read> x: array<f32>; // [SIZE]
@group(0) @binding(1) var<storage, read> scales: array<f32>; // [samples], or [1]
@group(0) @binding(2) var<storage, read> offsets: array<f32>; // as `scales`
@group(0) @binding(3) var<storage, read> constants: array<f32>; // [LENGTH], the same for every sample
@group(0) @binding(4) var<storage, read> added: array<f32>; // [SIZE]
@group(0) @binding(5) var<storage, read_write> y: array<f32>; // [SIZE]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index >= SIZE) {
    return;
  }
  let row = select(0u, index / LENGTH, BY_ROW == 1u);
  var value = x[index];
  if (HAS_SCALE == 1u) {
    value *= scales[row];
  }
  if (HAS_OFFSET == 1u) {
    value += offsets[row] * constants[index % LENGTH];
  }
  if (HAS_ADDED == 1u) {
    value += added[index];
  }
  y[index] = value;
}
