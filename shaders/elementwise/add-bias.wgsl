// Adds a number to each channel; one element an invocation.
//!include "lib/lanes1.wgsl"
//!include "lib/elementwise/add-bias.wgsl"
