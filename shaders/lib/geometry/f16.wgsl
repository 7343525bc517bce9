// Weights as IEEE 754 binary16.
//!gives widen
//!include "lib/geometry/halves.wgsl"

// The bits of f32 with the same value, by integer arithmetic: no optional feature, and nothing is left to the device
// for NaN, infinities and subnormals (which are normal numbers in f32).
fn widen(half: vec4u) -> vec4u {
  let sign = (half & vec4u(0x8000u)) << vec4u(16u);
  let size = half & vec4u(0x7fffu);
  let normal = (size << vec4u(13u)) + vec4u(112u << 23u); // the exponent's bias goes from 15 to 127
  let subnormal = bitcast<vec4u>(vec4f(size) * 0x1p-24);
  let broken = vec4u(0x7f800000u) | ((size & vec4u(0x3ffu)) << vec4u(13u));
  let finite = select(normal, subnormal, size < vec4u(0x400u));
  return sign | select(finite, broken, size >= vec4u(0x7c00u));
}
