// Batch-norm gradient with respect to what was pooled before it; four channels an invocation.
//!include "lib/words/lanes4.wgsl"
//!include "lib/norm/grad_apply_pooled.wgsl"
