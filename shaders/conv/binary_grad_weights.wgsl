// Gradient with respect to the filters from packed activations, any geometry.
//!include "lib/conv/grad_weights.wgsl"
//!include "lib/words/expand.wgsl"

@group(0) @binding(1) var<storage, read> a: array<u32>; // bits [BATCH, HEIGHT, WIDTH, CHANNELS]

fn input_at(pixel: u32, channel: u32) -> f32 {
  return sign_of(a[pixel * ((CHANNELS + 31u) / 32u) + (channel >> 5u)], channel & 31u);
}
