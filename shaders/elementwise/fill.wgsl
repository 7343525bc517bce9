// Sets every element to one value; one element an invocation.
//!include "lib/lanes1.wgsl"
//!include "lib/elementwise/fill.wgsl"
