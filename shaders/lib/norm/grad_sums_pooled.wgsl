// `norm/grad_sums` with the largest value of every window in place of x: the same sums in the same order.
//!needs Lane, WIDTH
//!gives x
//!include "lib/index.wgsl"
//!include "lib/norm/pooled.wgsl"

override CHUNKS: u32;

@group(0) @binding(0) var<storage, read> grad: array<Lane>; // f32 [BATCH * OUT_HEIGHT * OUT_WIDTH, CHANNELS]
@group(0) @binding(1) var<storage, read> x: array<Lane>; // f32 [BATCH, IMAGE_HEIGHT, IMAGE_WIDTH, CHANNELS]
@group(0) @binding(2) var<storage, read> mean: array<Lane>; // f32 [CHANNELS]
@group(0) @binding(3) var<storage, read_write> grads: array<Lane>; // f32 [CHUNKS, CHANNELS]
@group(0) @binding(4) var<storage, read_write> products: array<Lane>; // f32 [CHUNKS, CHANNELS]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let lanes = CHANNELS / WIDTH;
  let index = linear_index(id, groups, 64u);
  if (index >= CHUNKS * lanes) {
    return;
  }
  let lane = index % lanes;
  let centre = mean[lane];
  var sum = Lane(0.0);
  var product = Lane(0.0);
  for (var row = index / lanes; row < BATCH * OUT_HEIGHT * OUT_WIDTH; row += CHUNKS) {
    let g = grad[row * lanes + lane];
    let line = row / OUT_WIDTH;
    let window = window_of(line / OUT_HEIGHT, line % OUT_HEIGHT, row % OUT_WIDTH);
    sum += g;
    product += g * (largest_of(window, lane) - centre);
  }
  grads[index] = sum;
  products[index] = product;
}
