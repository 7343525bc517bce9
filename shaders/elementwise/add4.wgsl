// Sum of two tensors; four elements an invocation.
//!include "lib/words/lanes4.wgsl"
//!include "lib/elementwise/add.wgsl"
