// Stochastic gradient descent with momentum on latent weights; rows of whole vec4s.
//!include "lib/lanes4.wgsl"
//!include "lib/optim/sgd-binary.wgsl"
