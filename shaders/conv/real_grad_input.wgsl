// Gradient with respect to the input through real filters, any geometry.
//!include "lib/conv/grad_input.wgsl"

@group(0) @binding(1) var<storage, read> w: array<f32>; // [OUT_CHANNELS, KERNEL_HEIGHT, KERNEL_WIDTH, CHANNELS / GROUPS]
@group(0) @binding(2) var<storage, read_write> out: array<f32>; // [BATCH, HEIGHT, WIDTH, CHANNELS]

fn weight_at(tap: u32, channel: u32) -> f32 {
  return w[tap * (CHANNELS / GROUPS) + channel];
}

fn passes(pixel: u32, channel: u32) -> bool {
  return true;
}
