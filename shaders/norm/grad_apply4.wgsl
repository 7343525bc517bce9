// Batch-norm gradient with respect to the input; four channels an invocation.
//!include "lib/words/lanes4.wgsl"
//!include "lib/norm/grad_apply.wgsl"
