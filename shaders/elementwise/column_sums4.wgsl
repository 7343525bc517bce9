// Sums of each channel over chunks of rows; four elements an invocation.
//!include "lib/words/lanes4.wgsl"
//!include "lib/elementwise/column_sums.wgsl"
