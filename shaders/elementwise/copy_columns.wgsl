// Copies a block of columns from one matrix to another; one element an invocation.
//!include "lib/words/lanes1.wgsl"
//!include "lib/elementwise/copy_columns.wgsl"
