// `norm/grad_apply` and the gradient of max pooling before it: each window hands its gradient to its first maximum in
// row-major order. One invocation takes one lane of channels in one cell of the grid of windows; cells at the end of an
// image may hold pixels that no window has, whose gradient is 0.
//!needs Lane, WIDTH
//!gives x
//!include "lib/index.wgsl"
//!include "lib/norm/pooled.wgsl"

override HAS_GAMMA: u32; // 0: gamma is another tensor, and is taken for 1

@group(0) @binding(0) var<storage, read> grad: array<Lane>; // f32 [BATCH * OUT_HEIGHT * OUT_WIDTH, CHANNELS]
@group(0) @binding(1) var<storage, read> x: array<Lane>; // f32 [BATCH, IMAGE_HEIGHT, IMAGE_WIDTH, CHANNELS]
@group(0) @binding(2) var<storage, read> mean: array<Lane>; // f32 [CHANNELS]
@group(0) @binding(3) var<storage, read> inverse_std: array<Lane>; // f32 [CHANNELS]
@group(0) @binding(4) var<storage, read> gamma: array<Lane>; // f32 [CHANNELS]
@group(0) @binding(5) var<storage, read> grad_gamma: array<Lane>; // f32 [CHANNELS]
@group(0) @binding(6) var<storage, read> grad_beta: array<Lane>; // f32 [CHANNELS]
@group(0) @binding(7) var<storage, read_write> grad_x: array<Lane>; // f32 [BATCH, IMAGE_HEIGHT, IMAGE_WIDTH, CHANNELS]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let lanes = CHANNELS / WIDTH;
  let cells_x = (IMAGE_WIDTH + PAD_LEFT + POOL_WIDTH - 1u) / POOL_WIDTH;
  let cells_y = (IMAGE_HEIGHT + PAD_TOP + POOL_HEIGHT - 1u) / POOL_HEIGHT;
  let index = linear_index(id, groups, 64u);
  if (index >= BATCH * cells_y * cells_x * lanes) {
    return;
  }
  let lane = index % lanes;
  let cell = index / lanes;
  let n = cell / (cells_y * cells_x);
  let cell_y = cell / cells_x % cells_y;
  let cell_x = cell % cells_x;
  let window = window_of(n, cell_y, cell_x);

  if (cell_y >= OUT_HEIGHT || cell_x >= OUT_WIDTH) {
    for (var row = window.rows.first; row < window.rows.end; row++) {
      for (var column = window.columns.first; column < window.columns.end; column++) {
        grad_x[pixel_at(n, row, column, lane)] = Lane(0.0);
      }
    }
    return;
  }

  let largest = largest_of(window, lane);
  let rows = f32(BATCH * OUT_HEIGHT * OUT_WIDTH);
  let inverse = inverse_std[lane];
  let mean_grad = grad_beta[lane] / rows;
  let slope = grad_gamma[lane] / rows * inverse;
  var scale = inverse;
  if (HAS_GAMMA == 1u) {
    scale *= gamma[lane];
  }
  let g = grad[((n * OUT_HEIGHT + cell_y) * OUT_WIDTH + cell_x) * lanes + lane];
  var left = scale * (g - mean_grad - (largest - mean[lane]) * slope);
  for (var row = window.rows.first; row < window.rows.end; row++) {
    for (var column = window.columns.first; column < window.columns.end; column++) {
      let at = pixel_at(n, row, column, lane);
      let here = x[at] == largest;
      grad_x[at] = select(Lane(0.0), left, here);
      left = select(left, Lane(0.0), here);
    }
  }
}
