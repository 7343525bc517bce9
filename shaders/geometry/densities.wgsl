// Histogram of the weights of filters, first stage; f32.
//!include "lib/geometry/densities.wgsl"
//!include "lib/geometry/f32.wgsl"
