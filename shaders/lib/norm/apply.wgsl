// y = (x - mean) * gamma / sqrt(variance + EPSILON) + beta. The mean is subtracted first: folding it into beta would
// lose digits where it is large. One invocation takes one lane of channels in ROWS_EACH rows.
//!needs Lane, WIDTH
//!gives x
//!include "lib/index.wgsl"

override ROWS: u32;
override CHANNELS: u32;
override ROWS_EACH: u32;
override EPSILON: f32;
override HAS_GAMMA: u32; // 0: gamma is another tensor, and is taken for 1
override HAS_BETA: u32; // 0: beta is another tensor, and is taken for 0

@group(0) @binding(0) var<storage, read> x: array<Lane>; // f32 [ROWS, CHANNELS]
@group(0) @binding(1) var<storage, read> mean: array<Lane>; // f32 [CHANNELS]
@group(0) @binding(2) var<storage, read> variance: array<Lane>; // f32 [CHANNELS]
@group(0) @binding(3) var<storage, read> gamma: array<Lane>; // f32 [CHANNELS]
@group(0) @binding(4) var<storage, read> beta: array<Lane>; // f32 [CHANNELS]
@group(0) @binding(5) var<storage, read_write> y: array<Lane>; // f32 [ROWS, CHANNELS]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let lanes = CHANNELS / WIDTH;
  let blocks = (ROWS + ROWS_EACH - 1u) / ROWS_EACH;
  let index = linear_index(id, groups, 64u);
  if (index >= blocks * lanes) {
    return;
  }
  let lane = index % lanes;
  let first = (index / lanes) * ROWS_EACH;
  var scale = 1.0 / sqrt(variance[lane] + Lane(EPSILON));
  if (HAS_GAMMA == 1u) {
    scale *= gamma[lane];
  }
  var shift = Lane(0.0);
  if (HAS_BETA == 1u) {
    shift = beta[lane];
  }
  let centre = mean[lane];
  for (var row = first; row < min(ROWS, first + ROWS_EACH); row++) {
    let at = row * lanes + lane;
    y[at] = (x[at] - centre) * scale + shift;
  }
}
