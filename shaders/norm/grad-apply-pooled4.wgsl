// Batch-norm gradient with respect to what was pooled before it; four channels an invocation.
//!include "lib/lanes4.wgsl"
//!include "lib/norm/grad-apply-pooled.wgsl"
