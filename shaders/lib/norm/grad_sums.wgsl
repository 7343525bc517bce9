// Sums of g and of g * (x - mean) over the rows k, k + CHUNKS, ...; one invocation a chunk and lane of channels.
//!needs Lane, WIDTH
//!gives x
//!include "lib/index.wgsl"

override ROWS: u32;
override CHANNELS: u32;
override CHUNKS: u32;

@group(0) @binding(0) var<storage, read> grad: array<Lane>; // f32 [ROWS, CHANNELS]
@group(0) @binding(1) var<storage, read> x: array<Lane>; // f32 [ROWS, CHANNELS]
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
  let centre = mean[index % lanes];
  var sum = Lane(0.0);
  var product = Lane(0.0);
  for (var at = index; at < ROWS * lanes; at += CHUNKS * lanes) {
    let g = grad[at];
    sum += g;
    product += g * (x[at] - centre);
  }
  grads[index] = sum;
  products[index] = product;
}
