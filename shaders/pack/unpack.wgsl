// Unpacks signs: bit 1 to -1, bit 0 to +1. One invocation makes one value, so that neighbours write neighbours.
//!include "lib/index.wgsl"
//!include "lib/words/expand.wgsl"

override ROWS: u32;
override CHANNELS: u32;

@group(0) @binding(0) var<storage, read> bits: array<u32>; // [ROWS, ceil(CHANNELS / 32)]
@group(0) @binding(1) var<storage, read_write> x: array<f32>; // [ROWS, CHANNELS]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index >= ROWS * CHANNELS) {
    return;
  }
  let channel = index % CHANNELS;
  let word = bits[index / CHANNELS * ((CHANNELS + 31u) / 32u) + (channel >> 5u)];
  x[index] = sign_of(word, channel & 31u);
}
