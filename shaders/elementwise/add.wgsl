// Sum of two tensors; one element an invocation.
//!include "lib/lanes1.wgsl"
//!include "lib/elementwise/add.wgsl"
