// Sums of each channel over chunks of rows; one element an invocation.
//!include "lib/words/lanes1.wgsl"
//!include "lib/elementwise/column_sums.wgsl"
