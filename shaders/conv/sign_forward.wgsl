// Convolution of real inputs with binary filters, any geometry.
//!include "lib/conv/forward.wgsl"
//!include "lib/words/expand.wgsl"

@group(0) @binding(1) var<storage, read> w: array<u32>; // bits [OUT_CHANNELS, KERNEL_HEIGHT, KERNEL_WIDTH, CHANNELS / GROUPS]

fn weight_at(tap: u32, channel: u32) -> f32 {
  return sign_of(w[tap * ((CHANNELS / GROUPS + 31u) / 32u) + (channel >> 5u)], channel & 31u);
}
