// Batch-norm gradient with respect to what was pooled before it; one channel an invocation, for any number of channels.
//!include "lib/lanes1.wgsl"
//!include "lib/norm/grad-apply-pooled.wgsl"
