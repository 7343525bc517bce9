//!include "lib/matrix/i8_16x16x16.wgsl"
// Product of packed signs on matrix units: out = a * transpose(w), 128 rows of 128 columns a workgroup. N is a multiple of 4; the
// words of w lie with those of its rows side by side.
//!include "lib/words/gemm.wgsl"
//!include "lib/epilogue/store_dots.wgsl"

const TILE = 128u;
//!include "lib/tile/binary_matrix.wgsl"

@group(0) @binding(0) var<storage, read> a: array<u32>; // bits [M, K]
@group(0) @binding(1) var<storage, read> w: array<u32>; // words [ceil(K / 32), N]
@group(0) @binding(2) var<storage, read_write> out: array<vec4u>; // i32 or f32 [M, N]
