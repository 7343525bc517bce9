// Reads a value once and writes two bits of it: its sign (bit 1 where x < 0; 0 and NaN count as +1) and the gate of the
// straight-through estimator (bit 1 where |x| <= CLIP: the gradient passes; NaN blocks it). One invocation makes one
// word of each; tail bits are 0.
//!include "lib/index.wgsl"
//!include "lib/signs.wgsl"

override ROWS: u32;
override CHANNELS: u32;
override CLIP: f32; // positive

@group(0) @binding(0) var<storage, read> x: array<u32>; // f32 [ROWS, CHANNELS], as raw bits
@group(0) @binding(1) var<storage, read_write> bits: array<u32>; // [ROWS, ceil(CHANNELS / 32)]
@group(0) @binding(2) var<storage, read_write> gate: array<u32>; // [ROWS, ceil(CHANNELS / 32)]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let words = (CHANNELS + 31u) / 32u;
  let index = linear_index(id, groups, 64u);
  if (index >= ROWS * words) {
    return;
  }
  let first = index % words * 32u;
  let start = index / words * CHANNELS + first;
  let count = min(32u, CHANNELS - first);
  // Magnitudes of floats are ordered as their bits are, which NaN and subnormals obey too.
  let most = bitcast<u32>(CLIP);
  var signs = 0u;
  var passes = 0u;
  for (var i = 0u; i < count; i++) {
    let value = x[start + i];
    signs |= select(0u, 1u, is_negative(value)) << i;
    passes |= select(0u, 1u, (value & 0x7fffffffu) <= most) << i;
  }
  bits[index] = signs;
  gate[index] = passes;
}
