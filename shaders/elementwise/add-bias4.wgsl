// Adds a number to each channel; four elements an invocation.
//!include "lib/lanes4.wgsl"
//!include "lib/elementwise/add-bias.wgsl"
