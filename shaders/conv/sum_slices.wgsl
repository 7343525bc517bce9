// Adds the slices of a split sum; one element an invocation.
//!include "lib/lanes1.wgsl"
//!include "lib/conv_sum_slices.wgsl"
