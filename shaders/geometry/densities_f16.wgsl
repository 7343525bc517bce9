// Histogram of the weights of filters, first stage; IEEE 754 binary16.
//!include "lib/geometry/densities.wgsl"
//!include "lib/geometry/f16.wgsl"
