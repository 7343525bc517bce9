// Copies a block of columns from one matrix to another; one element an invocation.
//!include "lib/lanes1.wgsl"
//!include "lib/elementwise/copy-columns.wgsl"
