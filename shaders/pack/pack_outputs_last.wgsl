// Packs the signs of filters whose outputs are their last axis, as Keras and TensorFlow.js keep them, into rows of
// their own per output, as the kernels here read them. One invocation makes one word of one output; neighbours read
// neighbouring outputs.
//!include "lib/index.wgsl"
//!include "lib/signs.wgsl"

override TAPS: u32; // 1 for a dense layer
override CHANNELS: u32;
override OUTPUTS: u32;

@group(0) @binding(0) var<storage, read> w: array<u32>; // f32 [TAPS, CHANNELS, OUTPUTS], as raw bits
@group(0) @binding(1) var<storage, read_write> bits: array<u32>; // [OUTPUTS, TAPS, ceil(CHANNELS / 32)]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let words = (CHANNELS + 31u) / 32u;
  let index = linear_index(id, groups, 64u);
  if (index >= TAPS * words * OUTPUTS) {
    return;
  }
  let output = index % OUTPUTS;
  let tap = index / OUTPUTS / words;
  let first = (index / OUTPUTS % words) * 32u;
  let count = min(32u, CHANNELS - first);
  var word = 0u;
  for (var i = 0u; i < count; i++) {
    word |= select(0u, 1u, is_negative(w[(tap * CHANNELS + first + i) * OUTPUTS + output])) << i;
  }
  bits[output * TAPS * words + index / OUTPUTS] = word;
}
