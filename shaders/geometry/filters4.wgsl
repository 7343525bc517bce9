// Statistics of each filter; lengths of whole vec4s.
//!include "lib/lanes4.wgsl"
//!include "lib/geometry/filters.wgsl"
