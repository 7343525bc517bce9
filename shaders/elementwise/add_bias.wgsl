// Adds a number to each channel; one element an invocation.
//!include "lib/words/lanes1.wgsl"
//!include "lib/elementwise/add_bias.wgsl"
