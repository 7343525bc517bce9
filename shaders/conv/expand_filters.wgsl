// Binary filters as reals with the outputs side by side, for the tiled kernel that reads four of them at once.
//!include "lib/index.wgsl"
//!include "lib/words/expand.wgsl"

override OUT_CHANNELS: u32;
override TAPS: u32;
override CHANNELS: u32; // of one group

@group(0) @binding(0) var<storage, read> w: array<u32>; // bits [OUT_CHANNELS, TAPS, CHANNELS]
@group(0) @binding(1) var<storage, read_write> out: array<f32>; // [TAPS, CHANNELS, OUT_CHANNELS], each +1 or -1

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index >= TAPS * CHANNELS * OUT_CHANNELS) {
    return;
  }
  let o = index % OUT_CHANNELS;
  let c = index / OUT_CHANNELS % CHANNELS;
  let tap = index / (OUT_CHANNELS * CHANNELS);
  let words = (CHANNELS + 31u) / 32u;
  out[index] = sign_of(w[(o * TAPS + tap) * words + (c >> 5u)], c & 31u);
}
