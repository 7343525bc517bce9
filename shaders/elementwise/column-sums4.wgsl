// Sums of each channel over chunks of rows; four elements an invocation.
//!include "lib/lanes4.wgsl"
//!include "lib/elementwise/column-sums.wgsl"
