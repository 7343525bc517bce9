// Batch-norm gradient with respect to what was pooled before it; one channel an invocation, for any number of channels.
//!include "lib/words/lanes1.wgsl"
//!include "lib/norm/grad_apply_pooled.wgsl"
