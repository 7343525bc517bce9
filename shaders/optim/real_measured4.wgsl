// Updates of real parameters, by an optimizer that measures them; rows of whole vec4s.
//!include "lib/words/lanes4.wgsl"
//!include "lib/update/measured.wgsl"
//!include "lib/update/real.wgsl"

@group(0) @binding(5) var<storage, read_write> measures: array<f32>; // [2 + invocations]
