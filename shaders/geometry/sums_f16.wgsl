// Sums over the weights of each filter, first stage; IEEE 754 binary16, any length.
//!include "lib/geometry/sums.wgsl"
//!include "lib/geometry/f16.wgsl"
