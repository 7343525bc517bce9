// Adds the slices of a split sum; four elements an invocation.
//!include "lib/words/lanes4.wgsl"
//!include "lib/conv/sum_slices.wgsl"
