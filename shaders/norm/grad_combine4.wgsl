// Sums of the batch-norm gradient, second stage; four channels an invocation.
//!include "lib/words/lanes4.wgsl"
//!include "lib/norm/grad_combine.wgsl"
