// Product of packed signs: out = a * transpose(w), counting the fours that go out of carry-save adders. N is a multiple
// of 4; the words of w lie with those of its rows side by side.
//!include "lib/index.wgsl"
//!include "lib/words/gemm.wgsl"
//!include "lib/epilogue/store_dots.wgsl"
//!include "lib/count/twos.wgsl"
//!include "lib/count/halves.wgsl"
//!include "lib/tile/binary_carry.wgsl"

@group(0) @binding(0) var<storage, read> a: array<u32>; // bits [M, K]
@group(0) @binding(1) var<storage, read> w: array<vec4u>; // words [ceil(K / 32), N]
@group(0) @binding(2) var<storage, read_write> out: array<vec4u>; // i32 or f32 [M, N]
