// Updates of binary weights; any number of channels.
//!include "lib/words/lanes1.wgsl"
//!include "lib/update/edit1.wgsl"
//!include "lib/update/unmeasured.wgsl"
//!include "lib/update/binary.wgsl"
