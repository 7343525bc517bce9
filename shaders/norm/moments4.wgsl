// Mean and variance of each channel, first stage; four channels an invocation.
//!include "lib/lanes4.wgsl"
//!include "lib/norm/moments.wgsl"
