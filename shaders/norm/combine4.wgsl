// Mean and variance of each channel, second stage; four channels an invocation.
//!include "lib/words/lanes4.wgsl"
//!include "lib/norm/combine.wgsl"
