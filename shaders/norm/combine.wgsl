// Mean and variance of each channel, second stage; one channel an invocation, for any number of channels.
//!include "lib/words/lanes1.wgsl"
//!include "lib/norm/combine.wgsl"
