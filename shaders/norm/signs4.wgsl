// Normalises and binarizes; rows of whole vec4s.
//!include "lib/words/lanes4.wgsl"
//!include "lib/norm/signs.wgsl"
