// Chunk k holds the rows k, k + CHUNKS, k + 2 CHUNKS, ...: neighbours in a dispatch read neighbours in memory, whatever
// the number of channels. One invocation takes one chunk of one lane of channels.
//
// Values are summed relative to the chunk's first one, so a large mean costs no digits: with d = x - x0 over n rows,
// sum(d)^2 / n is at most n times the squared deviation it is subtracted from, a loss of n roundings at the worst. For
// the same reason the chunk's mean is kept relative to the first row of all.
//
// Whole numbers are added up as such, too; sums beyond i32 wrap around, which does no harm (see `norm/combine`).
//!needs Lane, LaneInts, WIDTH
//!gives x
//!include "lib/index.wgsl"

override ROWS: u32;
override CHANNELS: u32;
override CHUNKS: u32;
override INTEGERS: u32; // 1: x holds whole numbers of at most 2^24

@group(0) @binding(0) var<storage, read> x: array<Lane>; // f32 [ROWS, CHANNELS]
@group(0) @binding(1) var<storage, read_write> means: array<Lane>; // f32 [CHUNKS, CHANNELS], less the first row of x
@group(0) @binding(2) var<storage, read_write> deviations: array<Lane>; // f32 [CHUNKS, CHANNELS]: sum of (x - mean)^2
@group(0) @binding(3) var<storage, read_write> totals: array<LaneInts>; // i32 [CHUNKS, CHANNELS]: sum of x; if INTEGERS

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let lanes = CHANNELS / WIDTH;
  let index = linear_index(id, groups, 64u);
  if (index >= CHUNKS * lanes) {
    return;
  }
  let step = CHUNKS * lanes;
  let origin = x[index];
  var sum = Lane(0.0);
  var squares = Lane(0.0);
  var total = LaneInts(0);
  for (var at = index + step; at < ROWS * lanes; at += step) {
    let d = x[at] - origin;
    sum += d;
    squares += d * d;
    if (INTEGERS == 1u) {
      total += LaneInts(x[at]);
    }
  }
  let chunk = index / lanes;
  let count = f32((ROWS - chunk + CHUNKS - 1u) / CHUNKS);
  means[index] = (origin - x[index % lanes]) + sum / count;
  deviations[index] = max(squares - sum * sum / count, Lane(0.0));
  if (INTEGERS == 1u) {
    totals[index] = total + LaneInts(origin);
  }
}
