// Binary convolution without groups with its threshold, to packed signs, sharing loads within quads of invocations.
enable subgroups;
diagnostic(off, subgroup_uniformity); // whole quads leave together

//!include "lib/conv/extents.wgsl"
//!include "lib/words/conv.wgsl"
//!include "lib/epilogue/conv_dots.wgsl"
//!include "lib/count/twos.wgsl"
//!include "lib/tile/binary_quads.wgsl"
alias Lane = vec4f;
//!include "lib/epilogue/signs.wgsl"
//!include "lib/epilogue/minus_bits.wgsl"
//!include "lib/tile/quads_signs.wgsl"

@group(0) @binding(0) var<storage, read> a: array<u32>; // bits [BATCH, HEIGHT, WIDTH, CHANNELS] with its padding
@group(0) @binding(1) var<storage, read> w: array<vec4u>; // words [KERNEL_HEIGHT * KERNEL_WIDTH * ceil(CHANNELS / 32), OUT_CHANNELS]
@group(0) @binding(4) var<storage, read> edges: array<vec4i>; // [EDGE_ROWS, EDGE_COLUMNS, OUT_CHANNELS], what padding added
@group(0) @binding(5) var<storage, read_write> bits: array<u32>; // bits [BATCH, OUT_HEIGHT, OUT_WIDTH, OUT_CHANNELS]
