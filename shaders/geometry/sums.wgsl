// Sums over the weights of each filter, first stage; f32, any length.
//!include "lib/geometry/sums.wgsl"
//!include "lib/geometry/f32.wgsl"
