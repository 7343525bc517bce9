// Sums of the batch-norm gradient after max pooling, first stage; one channel an invocation, for any number of channels.
//!include "lib/words/lanes1.wgsl"
//!include "lib/norm/grad_sums_pooled.wgsl"
