// Updates of real parameters; any number of channels.
//!include "lib/words/lanes1.wgsl"
//!include "lib/update/unmeasured.wgsl"
//!include "lib/update/real.wgsl"
