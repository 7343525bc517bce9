// Passes a gradient where a packed gate says so: out = g where the gate's bit is 1, 0 elsewhere.
//!include "lib/index.wgsl"

override ROWS: u32;
override CHANNELS: u32;

@group(0) @binding(0) var<storage, read> g: array<f32>; // [ROWS, CHANNELS]
@group(0) @binding(1) var<storage, read> gate: array<u32>; // bits [ROWS, CHANNELS], 1 = passes
@group(0) @binding(2) var<storage, read_write> out: array<f32>; // [ROWS, CHANNELS]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index >= ROWS * CHANNELS) {
    return;
  }
  let channel = index % CHANNELS;
  let word = gate[index / CHANNELS * ((CHANNELS + 31u) / 32u) + (channel >> 5u)];
  out[index] = select(0.0, g[index], ((word >> (channel & 31u)) & 1u) == 1u);
}
