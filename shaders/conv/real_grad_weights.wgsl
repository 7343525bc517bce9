// Gradient with respect to the filters from real inputs, any geometry.
//!include "lib/conv/grad_weights.wgsl"

@group(0) @binding(1) var<storage, read> x: array<f32>; // [BATCH, HEIGHT, WIDTH, CHANNELS]

fn input_at(pixel: u32, channel: u32) -> f32 {
  return x[pixel * CHANNELS + channel];
}
