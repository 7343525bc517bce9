// Adds a number to each channel; four elements an invocation.
//!include "lib/words/lanes4.wgsl"
//!include "lib/elementwise/add_bias.wgsl"
