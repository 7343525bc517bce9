// Bop; rows of whole vec4s.
//!include "lib/lanes4.wgsl"
//!include "lib/optim/bop.wgsl"
