// Adam on real parameters; four an invocation.
//!include "lib/lanes4.wgsl"
//!include "lib/optim/adam.wgsl"
