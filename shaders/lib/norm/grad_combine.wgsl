// Adds up the chunks of `norm/grad_sums` in their order.
//!needs Lane, WIDTH

override CHANNELS: u32;
override CHUNKS: u32;

@group(0) @binding(0) var<storage, read> grads: array<Lane>; // f32 [CHUNKS, CHANNELS]
@group(0) @binding(1) var<storage, read> products: array<Lane>; // f32 [CHUNKS, CHANNELS]
@group(0) @binding(2) var<storage, read> inverse_std: array<Lane>; // f32 [CHANNELS]
@group(0) @binding(3) var<storage, read_write> grad_gamma: array<Lane>; // f32 [CHANNELS]: sum of g * xhat
@group(0) @binding(4) var<storage, read_write> grad_beta: array<Lane>; // f32 [CHANNELS]: sum of g

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let lanes = CHANNELS / WIDTH;
  let lane = id.x;
  if (lane >= lanes) {
    return;
  }
  var sum = Lane(0.0);
  var product = Lane(0.0);
  for (var chunk = 0u; chunk < CHUNKS; chunk++) {
    sum += grads[chunk * lanes + lane];
    product += products[chunk * lanes + lane];
  }
  grad_gamma[lane] = product * inverse_std[lane];
  grad_beta[lane] = sum;
}
