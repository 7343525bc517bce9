// Filters of one channel each, which take a word for every bit, with their channels side by side.
//!include "lib/index.wgsl"

override CHANNELS: u32;
override TAPS: u32;

@group(0) @binding(0) var<storage, read> w: array<u32>; // bits [CHANNELS, TAPS, 1]
@group(0) @binding(1) var<storage, read_write> out: array<u32>; // words [TAPS, ceil(CHANNELS / 32)]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  let words = (CHANNELS + 31u) / 32u;
  if (index >= TAPS * words) {
    return;
  }
  let first = index % words * 32u;
  var word = 0u;
  for (var i = 0u; i < min(32u, CHANNELS - first); i++) {
    word |= (w[(first + i) * TAPS + index / words] & 1u) << i;
  }
  out[index] = word;
}
