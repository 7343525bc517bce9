// Mean and variance of each channel, first stage; one channel an invocation, for any number of channels.
//!include "lib/words/lanes1.wgsl"
//!include "lib/norm/moments.wgsl"
