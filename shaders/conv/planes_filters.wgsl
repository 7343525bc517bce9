// Binary filters as patches are laid out, the outputs side by side, up to a multiple of four. One invocation makes one word.
//!include "lib/index.wgsl"

override OUT_CHANNELS: u32;
override TAPS: u32;
override CHANNELS: u32;

@group(0) @binding(0) var<storage, read> w: array<u32>; // bits [OUT_CHANNELS, TAPS, CHANNELS]
@group(0) @binding(1) var<storage, read_write> out: array<u32>; // [ceil(TAPS * CHANNELS / 32), ceil(OUT_CHANNELS / 4) * 4]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let columns = (OUT_CHANNELS + 3u) / 4u * 4u;
  let patch_size = TAPS * CHANNELS;
  let index = linear_index(id, groups, 64u);
  if (index >= (patch_size + 31u) / 32u * columns) {
    return;
  }
  let o = index % columns;
  let first = index / columns * 32u;
  let words = (CHANNELS + 31u) / 32u;
  var word = 0u;
  if (o < OUT_CHANNELS) {
    for (var i = 0u; i < min(32u, patch_size - first); i++) {
      let channel = (first + i) % CHANNELS;
      let tap = (first + i) / CHANNELS;
      word |= ((w[(o * TAPS + tap) * words + (channel >> 5u)] >> (channel & 31u)) & 1u) << i;
    }
  }
  out[index] = word;
}
