// Packs the signs of reals: bit 1 where x < 0, bit 0 where x >= 0 (so sign(0) = sign(-0) = sign(NaN) = +1).
// One invocation makes one word: 32 neighbours along the channel axis; the tail bits of a row's last word are 0.
//!include "lib/index.wgsl"
//!include "lib/signs.wgsl"

override ROWS: u32;
override CHANNELS: u32;

@group(0) @binding(0) var<storage, read> x: array<u32>; // f32 [ROWS, CHANNELS], as raw bits
@group(0) @binding(1) var<storage, read_write> bits: array<u32>; // [ROWS, ceil(CHANNELS / 32)]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let words = (CHANNELS + 31u) / 32u;
  let index = linear_index(id, groups, 64u);
  if (index >= ROWS * words) {
    return;
  }
  let row = index / words;
  let first = (index % words) * 32u;
  let count = min(32u, CHANNELS - first);
  var word = 0u;
  for (var i = 0u; i < count; i++) {
    word |= select(0u, 1u, is_negative(x[row * CHANNELS + first + i])) << i;
  }
  bits[index] = word;
}
