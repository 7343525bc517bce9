// dx = gamma * inverse_std * (g - mean(g) - xhat * mean(g * xhat)) (Ioffe & Szegedy 2015, section 3, simplified).
//!needs Lane, WIDTH
//!gives x
//!include "lib/index.wgsl"

override ROWS: u32;
override CHANNELS: u32;
override ROWS_EACH: u32;
override HAS_GAMMA: u32; // 0: gamma is another tensor, and is taken for 1

@group(0) @binding(0) var<storage, read> grad: array<Lane>; // f32 [ROWS, CHANNELS]
@group(0) @binding(1) var<storage, read> x: array<Lane>; // f32 [ROWS, CHANNELS]
@group(0) @binding(2) var<storage, read> mean: array<Lane>; // f32 [CHANNELS]
@group(0) @binding(3) var<storage, read> inverse_std: array<Lane>; // f32 [CHANNELS]
@group(0) @binding(4) var<storage, read> gamma: array<Lane>; // f32 [CHANNELS]
@group(0) @binding(5) var<storage, read> grad_gamma: array<Lane>; // f32 [CHANNELS]
@group(0) @binding(6) var<storage, read> grad_beta: array<Lane>; // f32 [CHANNELS]
@group(0) @binding(7) var<storage, read_write> grad_x: array<Lane>; // f32 [ROWS, CHANNELS]

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
  let centre = mean[lane];
  let inverse = inverse_std[lane];
  let mean_grad = grad_beta[lane] / f32(ROWS);
  let slope = grad_gamma[lane] / f32(ROWS) * inverse;
  var scale = inverse;
  if (HAS_GAMMA == 1u) {
    scale *= gamma[lane];
  }
  for (var row = first; row < min(ROWS, first + ROWS_EACH); row++) {
    let at = row * lanes + lane;
    grad_x[at] = scale * (grad[at] - mean_grad - (x[at] - centre) * slope);
  }
}
