// Mean and variance of each channel, first stage; four channels an invocation.
//!include "lib/words/lanes4.wgsl"
//!include "lib/norm/moments.wgsl"
