// Sets every element to one value; one element an invocation.
//!include "lib/words/lanes1.wgsl"
//!include "lib/elementwise/fill.wgsl"
