// Sum of two tensors; four elements an invocation.
//!include "lib/lanes4.wgsl"
//!include "lib/elementwise/add.wgsl"
