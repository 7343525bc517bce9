// Adds the slices of a split sum; one element an invocation.
//!include "lib/words/lanes1.wgsl"
//!include "lib/conv/sum_slices.wgsl"
