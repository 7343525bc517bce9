// Batch-norm gradient with respect to the input; four channels an invocation.
//!include "lib/lanes4.wgsl"
//!include "lib/norm/grad-apply.wgsl"
