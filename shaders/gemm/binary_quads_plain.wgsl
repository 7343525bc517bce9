// Product of packed signs: out = a * transpose(w), sharing loads within quads of invocations and counting word by word. N is a multiple of 4; the words of w lie with those of its rows side by side.
enable subgroups;
diagnostic(off, subgroup_uniformity); // whole quads leave together

//!include "lib/words/gemm.wgsl"
//!include "lib/epilogue/store_dots.wgsl"
//!include "lib/count/plain.wgsl"
//!include "lib/tile/binary_quads.wgsl"
//!include "lib/tile/quads_main.wgsl"

@group(0) @binding(0) var<storage, read> a: array<u32>; // bits [M, K]
@group(0) @binding(1) var<storage, read> w: array<vec4u>; // words [ceil(K / 32), N]
@group(0) @binding(2) var<storage, read_write> out: array<vec4u>; // i32 or f32 [M, N]
