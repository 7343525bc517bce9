// Adam on real parameters; any number of them.
//!include "lib/lanes1.wgsl"
//!include "lib/optim/adam.wgsl"
