// Gradient with respect to the input through binary filters, any geometry; a gate of the straight-through estimator closes
// some inputs.
//!include "lib/conv/grad_input.wgsl"
//!include "lib/words/expand.wgsl"

override GATED: u32; // 1: gate decides what passes; 0: everything passes, gate is not read

@group(0) @binding(1) var<storage, read> w: array<u32>; // bits [OUT_CHANNELS, KERNEL_HEIGHT, KERNEL_WIDTH, CHANNELS / GROUPS]
@group(0) @binding(2) var<storage, read> gate: array<u32>; // bits [BATCH, HEIGHT, WIDTH, CHANNELS], 1 = passes
@group(0) @binding(3) var<storage, read_write> out: array<f32>; // [BATCH, HEIGHT, WIDTH, CHANNELS]

fn weight_at(tap: u32, channel: u32) -> f32 {
  return sign_of(w[tap * ((CHANNELS / GROUPS + 31u) / 32u) + (channel >> 5u)], channel & 31u);
}

fn passes(pixel: u32, channel: u32) -> bool {
  if (GATED == 0u) {
    return true;
  }
  let word = gate[pixel * ((CHANNELS + 31u) / 32u) + (channel >> 5u)];
  return ((word >> (channel & 31u)) & 1u) == 1u;
}
