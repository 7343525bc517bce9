// Sums over the weights of each filter, first stage; signs, any length.
//!include "lib/geometry/sums.wgsl"
//!include "lib/geometry/bits.wgsl"
