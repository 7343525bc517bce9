// Convolution of reals, any geometry.
//!include "lib/conv/forward.wgsl"

@group(0) @binding(1) var<storage, read> w: array<f32>; // [OUT_CHANNELS, KERNEL_HEIGHT, KERNEL_WIDTH, CHANNELS / GROUPS]

fn weight_at(tap: u32, channel: u32) -> f32 {
  return w[tap * (CHANNELS / GROUPS) + channel];
}
