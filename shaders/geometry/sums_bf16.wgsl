// Sums over the weights of each filter, first stage; bfloat16, any length.
//!include "lib/geometry/sums.wgsl"
//!include "lib/geometry/halves.wgsl"

fn widen(half: vec4u) -> vec4u {
  return half << vec4u(16u);
}
