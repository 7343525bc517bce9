// Stochastic gradient descent with momentum on latent weights; any number of channels.
//!include "lib/lanes1.wgsl"
//!include "lib/optim/sgd-binary.wgsl"
