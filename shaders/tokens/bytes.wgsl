// Rows of reals as signed bytes with a scale each: the largest magnitude of a row becomes 127. A workgroup makes a row.
//!include "lib/index.wgsl"

override ROWS: u32;
override CHANNELS: u32; // a multiple of 4

@group(0) @binding(0) var<storage, read> x: array<vec4f>; // f32 [ROWS, CHANNELS]
@group(0) @binding(1) var<storage, read_write> values: array<u32>; // i8 [ROWS, CHANNELS]
@group(0) @binding(2) var<storage, read_write> scales: array<f32>; // [ROWS]

var<workgroup> largest: array<f32, 64>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let index = linear_index(group, groups, 1u);
  let row = min(index, ROWS - 1u);
  let first = row * (CHANNELS / 4u);
  var own = vec4f();
  for (var i = local; i < CHANNELS / 4u; i += 64u) {
    own = max(own, abs(x[first + i]));
  }
  largest[local] = max(max(own.x, own.y), max(own.z, own.w));
  workgroupBarrier();
  var whole = 0.0;
  for (var i = 0u; i < 64u; i++) {
    whole = max(whole, largest[i]);
  }
  if (index >= ROWS) {
    return;
  }
  // The scale that is stored is the one that bytes are multiples of. A row of zeros has the scale 0.
  let scale = whole / 127.0;
  let factor = select(0.0, 127.0 / whole, whole > 0.0);
  for (var i = local; i < CHANNELS / 4u; i += 64u) {
    let bytes = bitcast<vec4u>(vec4i(clamp(round(x[first + i] * factor), vec4f(-127.0), vec4f(127.0)))) & vec4u(255u);
    values[first + i] = bytes.x | (bytes.y << 8u) | (bytes.z << 16u) | (bytes.w << 24u);
  }
  if (local == 0u) {
    scales[row] = scale;
  }
}
