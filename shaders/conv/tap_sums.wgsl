// The sums of the signs of each tap of binary filters: what a tap adds that reads +1 in all channels.
//!include "lib/index.wgsl"

override OUT_CHANNELS: u32;
override TAPS: u32;
override CHANNELS: u32;

@group(0) @binding(0) var<storage, read> w: array<u32>; // bits [OUT_CHANNELS, TAPS, CHANNELS]
@group(0) @binding(1) var<storage, read_write> out: array<i32>; // [TAPS, OUT_CHANNELS]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index >= TAPS * OUT_CHANNELS) {
    return;
  }
  let words = (CHANNELS + 31u) / 32u;
  let first = (index % OUT_CHANNELS * TAPS + index / OUT_CHANNELS) * words;
  var minus = 0u;
  for (var i = 0u; i < words; i++) {
    minus += countOneBits(w[first + i]);
  }
  out[index] = i32(CHANNELS) - 2 * i32(minus);
}
