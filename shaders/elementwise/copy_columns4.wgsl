// Copies a block of columns from one matrix to another; four elements an invocation.
//!include "lib/words/lanes4.wgsl"
//!include "lib/elementwise/copy_columns.wgsl"
