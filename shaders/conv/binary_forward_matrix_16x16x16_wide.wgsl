//!include "lib/matrix/i8_16x16x16.wgsl"
// Binary convolution without groups on matrix units, 128 pixels of 128 outputs a workgroup.
//!include "lib/conv/extents.wgsl"
//!include "lib/words/conv.wgsl"
//!include "lib/epilogue/conv_dots.wgsl"
//!include "lib/epilogue/store_dots.wgsl"

const TILE = 128u;
//!include "lib/tile/binary_matrix.wgsl"

@group(0) @binding(0) var<storage, read> a: array<u32>; // bits [BATCH, HEIGHT, WIDTH, CHANNELS] with its padding
@group(0) @binding(1) var<storage, read> w: array<u32>; // words [KERNEL_HEIGHT * KERNEL_WIDTH * ceil(CHANNELS / 32), OUT_CHANNELS]
@group(0) @binding(2) var<storage, read> edges: array<vec4i>; // [EDGE_ROWS, EDGE_COLUMNS, OUT_CHANNELS], what padding added
@group(0) @binding(3) var<storage, read_write> out: array<vec4u>; // i32 or f32 [BATCH, OUT_HEIGHT, OUT_WIDTH, OUT_CHANNELS]
