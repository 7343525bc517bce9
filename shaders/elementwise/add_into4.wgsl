// Adds a tensor to another in place; four elements an invocation.
//!include "lib/words/lanes4.wgsl"
//!include "lib/elementwise/add_into.wgsl"
