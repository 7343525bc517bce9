// What the first planes of a value leave over: x - (scale * sign + offset). One invocation makes one value.
//!include "lib/index.wgsl"

override SIZE: u32;
override CHANNELS: u32;
override LENGTH: u32; // values of a row
override HAS_SCALE: u32;
override HAS_OFFSET: u32;
override BY_ROW: u32; // 0: one scale and one offset of all

@group(0) @binding(0) var<storage, read> x: array<f32>; // [SIZE]
@group(0) @binding(1) var<storage, read> bits: array<u32>; // [SIZE / CHANNELS, ceil(CHANNELS / 32)]
@group(0) @binding(2) var<storage, read> scales: array<f32>; // [SIZE / LENGTH], or [1]
@group(0) @binding(3) var<storage, read> offsets: array<f32>; // as `scales`
@group(0) @binding(4) var<storage, read_write> out: array<f32>; // [SIZE]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index >= SIZE) {
    return;
  }
  let channel = index % CHANNELS;
  let word = bits[(index / CHANNELS) * ((CHANNELS + 31u) / 32u) + (channel >> 5u)];
  let row = select(0u, index / LENGTH, BY_ROW == 1u);
  var made = select(1.0, -1.0, ((word >> (channel & 31u)) & 1u) == 1u);
  if (HAS_SCALE == 1u) {
    made *= scales[row];
  }
  if (HAS_OFFSET == 1u) {
    made += offsets[row];
  }
  out[index] = x[index] - made;
}
