// Statistics of each filter; any length.
//!include "lib/lanes1.wgsl"
//!include "lib/geometry/filters.wgsl"
