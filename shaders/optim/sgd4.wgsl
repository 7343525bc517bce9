// Stochastic gradient descent with momentum on real parameters; four an invocation.
//!include "lib/lanes4.wgsl"
//!include "lib/optim/sgd.wgsl"
