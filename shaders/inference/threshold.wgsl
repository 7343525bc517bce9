// Compares every channel with a threshold of its own and packs the outcomes: +1 (bit 0) where direction * x >= threshold,
// -1 (bit 1) elsewhere. Direction 1 means "at least", -1 "at most" (the negative of the threshold), 0 a constant.
// One invocation makes one word: 32 neighbours along the channel axis; the tail bits of a row's last word are 0.
//!include "lib/index.wgsl"

override ROWS: u32;
override CHANNELS: u32;
override INTEGER: u32; // 1: x holds i32, below 2^24 in magnitude, else f32

@group(0) @binding(0) var<storage, read> x: array<u32>; // f32 or i32 [ROWS, CHANNELS], as raw bits
@group(0) @binding(1) var<storage, read> direction: array<f32>; // [CHANNELS], 1, -1 or 0
@group(0) @binding(2) var<storage, read> threshold: array<f32>; // [CHANNELS], in units of x
@group(0) @binding(3) var<storage, read_write> bits: array<u32>; // [ROWS, ceil(CHANNELS / 32)]

fn value(at: u32) -> f32 {
  let raw = x[at];
  return select(bitcast<f32>(raw), f32(bitcast<i32>(raw)), INTEGER == 1u);
}

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
    let channel = first + i;
    let reached = direction[channel] * value(row * CHANNELS + channel) >= threshold[channel];
    word |= select(1u, 0u, reached) << i;
  }
  bits[index] = word;
}
