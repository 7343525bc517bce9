// Binary convolution without groups with its epilogue, to reals, in register tiles.
//!include "lib/index.wgsl"
//!include "lib/conv.wgsl"
//!include "lib/conv_words.wgsl"
//!include "lib/conv_dots.wgsl"
//!include "lib/binary_tile.wgsl"
//!include "lib/tile_main.wgsl"
alias Lane = vec4f;
//!include "lib/epilogue_real.wgsl"
//!include "lib/store_real.wgsl"

@group(0) @binding(0) var<storage, read> a: array<u32>; // bits [BATCH, HEIGHT, WIDTH, CHANNELS] with its padding
@group(0) @binding(1) var<storage, read> w: array<vec4u>; // words [KERNEL_HEIGHT * KERNEL_WIDTH * ceil(CHANNELS / 32), OUT_CHANNELS]
@group(0) @binding(6) var<storage, read> edges: array<vec4i>; // [EDGE_ROWS, EDGE_COLUMNS, OUT_CHANNELS], what padding added
@group(0) @binding(7) var<storage, read_write> out: array<vec4f>; // [BATCH, OUT_HEIGHT, OUT_WIDTH, OUT_CHANNELS]
