// Adds the slices of a split sum; four elements an invocation.
//!include "lib/lanes4.wgsl"
//!include "lib/conv_sum_slices.wgsl"
