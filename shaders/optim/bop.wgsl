// Bop; any number of channels.
//!include "lib/lanes1.wgsl"
//!include "lib/optim/bop.wgsl"
