// The sums of the signs of each tap of binary filters: what a tap adds that reads +1 in all channels.
//!include "lib/index.wgsl"

override OUT_CHANNELS: u32; // a multiple of 4
override TAPS: u32;
override CHANNELS: u32;

@group(0) @binding(0) var<storage, read> w: array<vec4u>; // words [TAPS, ceil(CHANNELS / 32), OUT_CHANNELS]
@group(0) @binding(1) var<storage, read_write> out: array<vec4i>; // [TAPS, OUT_CHANNELS]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  let quads = OUT_CHANNELS / 4u;
  if (index >= TAPS * quads) {
    return;
  }
  let words = (CHANNELS + 31u) / 32u;
  let first = index / quads * words * quads + index % quads;
  var minus = vec4u();
  for (var i = 0u; i < words; i++) {
    minus += countOneBits(w[first + i * quads]);
  }
  out[index] = vec4i(i32(CHANNELS)) - 2 * vec4i(minus);
}
