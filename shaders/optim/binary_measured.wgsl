// Updates of binary weights, by an optimizer that measures them; any number of channels.
//!include "lib/words/lanes1.wgsl"
//!include "lib/update/edit1.wgsl"
//!include "lib/update/measured.wgsl"
//!include "lib/update/binary.wgsl"

@group(0) @binding(7) var<storage, read_write> measures: array<f32>; // [2 + invocations]
