// Normalises, scales and shifts; four channels an invocation.
//!include "lib/words/lanes4.wgsl"
//!include "lib/norm/apply.wgsl"
