// Binary convolution without groups, by dot products of packed bytes: signs as bytes of +1 and -1.
//!include "lib/index.wgsl"
//!include "lib/conv.wgsl"
//!include "lib/conv_words.wgsl"
//!include "lib/conv_dots.wgsl"
//!include "lib/store_dots.wgsl"
//!include "lib/binary_bytes.wgsl"
//!include "lib/tile_main.wgsl"

@group(0) @binding(0) var<storage, read> a: array<u32>; // bits [BATCH, HEIGHT, WIDTH, CHANNELS] with its padding
@group(0) @binding(1) var<storage, read> w: array<vec4u>; // words [KERNEL_HEIGHT * KERNEL_WIDTH * ceil(CHANNELS / 32), OUT_CHANNELS]
@group(0) @binding(2) var<storage, read> edges: array<vec4i>; // [EDGE_ROWS, EDGE_COLUMNS, OUT_CHANNELS], what padding added
@group(0) @binding(3) var<storage, read_write> out: array<vec4u>; // i32 or f32 [BATCH, OUT_HEIGHT, OUT_WIDTH, OUT_CHANNELS]
