// Sums of the batch-norm gradient after max pooling, first stage; four channels an invocation.
//!include "lib/lanes4.wgsl"
//!include "lib/norm/grad-sums-pooled.wgsl"
