// Normalises and binarizes; any number of channels.
//!include "lib/lanes1.wgsl"
//!include "lib/norm/signs.wgsl"
