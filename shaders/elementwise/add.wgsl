// Sum of two tensors; one element an invocation.
//!include "lib/words/lanes1.wgsl"
//!include "lib/elementwise/add.wgsl"
