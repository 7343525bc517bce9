// Sums of each channel over chunks of rows; one element an invocation.
//!include "lib/lanes1.wgsl"
//!include "lib/elementwise/column-sums.wgsl"
