// Sums of the batch-norm gradient, first stage; one channel an invocation, for any number of channels.
//!include "lib/lanes1.wgsl"
//!include "lib/norm/grad-sums.wgsl"
