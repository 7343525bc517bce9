// Adds the slices of a sum that was split for parallelism: four sums of every fourth slice, then those. The order is
// fixed, so the result is the same whenever it runs.
//!needs Lane
//!include "lib/index.wgsl"

override LANES: u32; // of a slice
override CHUNKS: u32;

@group(0) @binding(0) var<storage, read> slices: array<Lane>; // [CHUNKS, LANES]
@group(0) @binding(1) var<storage, read_write> out: array<Lane>; // [LANES]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index >= LANES) {
    return;
  }
  var s0 = Lane();
  var s1 = Lane();
  var s2 = Lane();
  var s3 = Lane();
  var chunk = 0u;
  for (; chunk + 4u <= CHUNKS; chunk += 4u) {
    let first = chunk * LANES + index;
    s0 += slices[first];
    s1 += slices[first + LANES];
    s2 += slices[first + 2u * LANES];
    s3 += slices[first + 3u * LANES];
  }
  for (; chunk < CHUNKS; chunk++) {
    s0 += slices[chunk * LANES + index];
  }
  out[index] = (s0 + s1) + (s2 + s3);
}
