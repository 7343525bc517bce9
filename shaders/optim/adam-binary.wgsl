// Adam on latent weights; any number of channels.
//!include "lib/lanes1.wgsl"
//!include "lib/optim/adam-binary.wgsl"
