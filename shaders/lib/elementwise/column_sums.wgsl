// Chunk k holds the rows k, k + CHUNKS, ...: neighbours in a dispatch read neighbours in memory. With one chunk these
// are the sums themselves.
//!needs Lane, WIDTH
//!gives x
//!include "lib/index.wgsl"

override ROWS: u32;
override CHANNELS: u32;
override CHUNKS: u32; // at most ROWS

@group(0) @binding(0) var<storage, read> x: array<Lane>; // f32 [ROWS, CHANNELS]
@group(0) @binding(1) var<storage, read_write> sums: array<Lane>; // f32 [CHUNKS, CHANNELS]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let lanes = CHANNELS / WIDTH;
  let index = linear_index(id, groups, 64u);
  if (index >= CHUNKS * lanes) {
    return;
  }
  var sum = Lane(0.0);
  for (var at = index; at < ROWS * lanes; at += CHUNKS * lanes) {
    sum += x[at];
  }
  sums[index] = sum;
}
