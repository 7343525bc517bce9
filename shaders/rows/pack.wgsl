// Packs the signs of what the quantizer's rule makes of weights, and counts those that changed. One invocation makes one
// word, as in pack/pack.wgsl.
//!include "lib/index.wgsl"
//!include "lib/signs.wgsl"
//!include "lib/rows.wgsl"
//!hole row "methods/rows/plain.wgsl"

override ROWS: u32; // rows of CHANNELS weights, all filters together
override CHANNELS: u32;
override FILTER_ROWS: u32; // rows of one filter

@group(0) @binding(0) var<storage, read> x: array<f32>; // [ROWS, CHANNELS]
@group(0) @binding(1) var<storage, read> statistics: array<RowStatistics>; // [ROWS / FILTER_ROWS]
@group(0) @binding(2) var<storage, read_write> bits: array<u32>; // [ROWS, ceil(CHANNELS / 32)]
@group(0) @binding(3) var<storage, read_write> flips: array<atomic<u32>>; // [ROWS / FILTER_ROWS]

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
  let own = statistics[row / FILTER_ROWS];
  var word = 0u;
  for (var i = 0u; i < count; i++) {
    let taken = argument(x[row * CHANNELS + first + i], own);
    word |= select(0u, 1u, is_negative(bitcast<u32>(taken))) << i;
  }
  let flipped = countOneBits(word ^ bits[index]);
  if (flipped != 0u) {
    bits[index] = word;
    atomicAdd(&flips[row / FILTER_ROWS], flipped);
  }
}
