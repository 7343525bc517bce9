// Weights as bfloat16.
//!gives widen
//!include "lib/geometry/halves.wgsl"

fn widen(half: vec4u) -> vec4u {
  return half << vec4u(16u);
}
