// Sums of the batch-norm gradient after max pooling, first stage; four channels an invocation.
//!include "lib/words/lanes4.wgsl"
//!include "lib/norm/grad_sums_pooled.wgsl"
