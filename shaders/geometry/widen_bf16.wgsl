// Filters of bf16 as f32.
//!include "lib/geometry/widened.wgsl"
//!include "lib/geometry/bf16.wgsl"
