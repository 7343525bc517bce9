// Sums over the weights of each filter, first stage; bfloat16, any length.
//!include "lib/geometry/sums.wgsl"
//!include "lib/geometry/bf16.wgsl"
