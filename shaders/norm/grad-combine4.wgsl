// Sums of the batch-norm gradient, second stage; four channels an invocation.
//!include "lib/lanes4.wgsl"
//!include "lib/norm/grad-combine.wgsl"
