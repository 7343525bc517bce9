// Normalises, scales and shifts; one channel an invocation, for any number of channels.
//!include "lib/words/lanes1.wgsl"
//!include "lib/norm/apply.wgsl"
