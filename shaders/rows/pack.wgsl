// Packs the signs of what the quantizer's rule makes of values, and counts those that changed. One invocation makes one word,
// as in pack/pack.wgsl.
//!include "lib/index.wgsl"
//!include "lib/signs.wgsl"
//!include "lib/state.wgsl"
//!include "lib/random.wgsl"
//!include "lib/quantizer/rows.wgsl"
//!include "lib/quantizer/rule.wgsl"
//!hole row "methods/rows/plain.wgsl"

override ROWS: u32; // rows of CHANNELS values, all filters or samples together
override CHANNELS: u32;
override FILTER_ROWS: u32; // rows of one filter, or of one sample
override HAS_STATISTICS: u32; // 0: the rule reads none, and `statistics` is a placeholder
override RANDOM: u32; // 1: chances are drawn; else `state` is a placeholder
override STREAM: u32; // of the chances
override COUNTS: u32; // 0: nobody counts flips, and `flips` is a placeholder

@group(0) @binding(0) var<storage, read> x: array<f32>; // [ROWS, CHANNELS]
@group(0) @binding(1) var<storage, read> statistics: array<RowStatistics>; // [ROWS / FILTER_ROWS]
@group(0) @binding(2) var<storage, read> learned: array<Learned>; // [groups]; a placeholder where nothing is learned
@group(0) @binding(3) var<storage, read> state: TrainState;
@group(0) @binding(4) var<storage, read_write> bits: array<u32>; // [ROWS, ceil(CHANNELS / 32)]
@group(0) @binding(5) var<storage, read_write> flips: array<atomic<u32>>; // [ROWS / FILTER_ROWS]

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
  let which = row / FILTER_ROWS;
  let of_row = statistics[select(0u, which, HAS_STATISTICS == 1u)];
  var word = 0u;
  for (var i = 0u; i < count; i++) {
    let at = row * CHANNELS + first + i;
    if (RANDOM == 1u) {
      drawn = to_uniform(pcg4d(vec4u(state.seed, STREAM, at, state.step)).y);
    }
    let taken = rule_argument(x[at], of_row, learned[group_of(which, first + i)]);
    word |= select(0u, 1u, is_negative(bitcast<u32>(taken))) << i;
  }
  if (COUNTS == 0u) {
    bits[index] = word;
    return;
  }
  let flipped = countOneBits(word ^ bits[index]);
  if (flipped != 0u) {
    bits[index] = word;
    atomicAdd(&flips[which], flipped);
  }
}
