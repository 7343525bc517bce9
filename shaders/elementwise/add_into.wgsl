// Adds a tensor to another in place; one element an invocation.
//!include "lib/words/lanes1.wgsl"
//!include "lib/elementwise/add_into.wgsl"
