// Batch-norm gradient with respect to the input; one channel an invocation, for any number of channels.
//!include "lib/words/lanes1.wgsl"
//!include "lib/norm/grad_apply.wgsl"
