// Updates of binary weights; rows of whole vec4s.
//!include "lib/words/lanes4.wgsl"
//!include "lib/update/edit4.wgsl"
//!include "lib/update/unmeasured.wgsl"
//!include "lib/update/binary.wgsl"
