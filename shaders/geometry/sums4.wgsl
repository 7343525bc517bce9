// Sums over the weights of each filter, first stage; f32, lengths of whole vec4s.
//!include "lib/geometry/sums.wgsl"

@group(0) @binding(0) var<storage, read> latent: array<vec4u>; // f32 [FILTERS, LENGTH], as raw bits

fn weights_at(row: u32, quad: u32) -> vec4u {
  return latent[row * (LENGTH / 4u) + quad];
}

fn whole_at(row: u32, quad: u32) -> vec4u {
  return weights_at(row, quad);
}
