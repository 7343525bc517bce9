// Filters of f16 as f32.
//!include "lib/geometry/widened.wgsl"
//!include "lib/geometry/f16.wgsl"
