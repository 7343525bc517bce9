// Sums over the weights of each filter, first stage; any length.
//!include "lib/lanes1.wgsl"
//!include "lib/geometry/sums.wgsl"
