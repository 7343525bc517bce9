// Product of reals with signs that have a scale for each group of them: few rows.
//!include "lib/grouped/f32.wgsl"
//!include "lib/grouped/reals.wgsl"
//!include "lib/grouped/vector.wgsl"

override M: u32;
override N: u32;
override K: u32;
override GROUP: u32; // a multiple of 32 that divides K
override TERNARY: u32; // 1 or 0
override HALF_SCALES: u32; // 1 or 0

@group(0) @binding(0) var<storage, read> x: array<vec4f>; // f32 [M, K]
@group(0) @binding(1) var<storage, read> w: array<u32>; // bits [N, K]
@group(0) @binding(2) var<storage, read> nonzero: array<u32>; // bits [N, K]: 1 where a weight is not 0; read where TERNARY is 1
@group(0) @binding(3) var<storage, read> scales: array<u32>; // f32 or f16 [N, K / GROUP]
@group(0) @binding(4) var<storage, read_write> out: array<f32>; // [M, N]
