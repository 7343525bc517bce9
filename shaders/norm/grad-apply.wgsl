// Batch-norm gradient with respect to the input; one channel an invocation, for any number of channels.
//!include "lib/lanes1.wgsl"
//!include "lib/norm/grad-apply.wgsl"
