// Sums over the weights of each filter, first stage; lengths of whole vec4s.
//!include "lib/lanes4.wgsl"
//!include "lib/geometry/sums.wgsl"
