// Updates of real parameters; any number of channels.
//!include "lib/lanes1.wgsl"
//!include "lib/update/unmeasured.wgsl"
//!include "lib/update/real.wgsl"
