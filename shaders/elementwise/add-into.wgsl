// Adds a tensor to another in place; one element an invocation.
//!include "lib/lanes1.wgsl"
//!include "lib/elementwise/add-into.wgsl"
