// Adds a tensor to another in place; four elements an invocation.
//!include "lib/lanes4.wgsl"
//!include "lib/elementwise/add-into.wgsl"
