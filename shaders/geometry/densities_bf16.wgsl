// Histogram of the weights of filters, first stage; bfloat16.
//!include "lib/geometry/densities.wgsl"
//!include "lib/geometry/bf16.wgsl"
