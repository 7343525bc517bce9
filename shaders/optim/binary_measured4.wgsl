// Updates of binary weights, by an optimizer that measures them; rows of whole vec4s.
//!include "lib/words/lanes4.wgsl"
//!include "lib/update/edit4.wgsl"
//!include "lib/update/measured.wgsl"
//!include "lib/update/binary.wgsl"

@group(0) @binding(7) var<storage, read_write> measures: array<f32>; // [2 + invocations]
