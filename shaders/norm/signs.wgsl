// Normalises and binarizes; any number of channels.
//!include "lib/words/lanes1.wgsl"
//!include "lib/norm/signs.wgsl"
