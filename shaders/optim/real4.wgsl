// Updates of real parameters; rows of whole vec4s.
//!include "lib/words/lanes4.wgsl"
//!include "lib/update/unmeasured.wgsl"
//!include "lib/update/real.wgsl"
