// Sums of the batch-norm gradient, second stage; one channel an invocation, for any number of channels.
//!include "lib/words/lanes1.wgsl"
//!include "lib/norm/grad_combine.wgsl"
