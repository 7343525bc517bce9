// Sets every element to one value; four elements an invocation.
//!include "lib/words/lanes4.wgsl"
//!include "lib/elementwise/fill.wgsl"
