// Binary convolution without groups with its threshold, to packed signs, in register tiles. One invocation makes 32 outputs
// of four pixels, eight at a time: whole words, which nobody else writes to.
//!include "lib/index.wgsl"
//!include "lib/conv/extents.wgsl"
//!include "lib/words/conv.wgsl"
//!include "lib/epilogue/conv_dots.wgsl"
//!include "lib/tile/binary.wgsl"
alias Lane = vec4f;
//!include "lib/epilogue/signs.wgsl"
//!include "lib/epilogue/minus_bits.wgsl"

@group(0) @binding(0) var<storage, read> a: array<u32>; // bits [BATCH, HEIGHT, WIDTH, CHANNELS] with its padding
@group(0) @binding(1) var<storage, read> w: array<vec4u>; // words [KERNEL_HEIGHT * KERNEL_WIDTH * ceil(CHANNELS / 32), OUT_CHANNELS]
@group(0) @binding(4) var<storage, read> edges: array<vec4i>; // [EDGE_ROWS, EDGE_COLUMNS, OUT_CHANNELS], what padding added
@group(0) @binding(5) var<storage, read_write> bits: array<u32>; // bits [BATCH, OUT_HEIGHT, OUT_WIDTH, OUT_CHANNELS]

// What is known so far of the words of the tile's four pixels.
var<private> word: vec4u;

fn store(pixel: u32, quad: u32, second: u32, d: vec4u, e: vec4u) {
  if (pixel >= ROWS) {
    return;
  }
  let dots = dots_of(pixel, quad, second, d, e);
  var minus = minus_bits(dots.left, quad);
  if (second == 1u) {
    minus |= minus_bits(dots.right, quad + 1u) << 4u;
  }
  word |= select(vec4u(), vec4u(minus << (quad % 8u * 4u)), vec4u(pixel % TILE_ROWS) == vec4u(0u, 1u, 2u, 3u));
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let out_words = (OUT_CHANNELS + 31u) / 32u;
  let index = linear_index(id, groups, 64u);
  let column = index % out_words;
  let row = index / out_words * TILE_ROWS;
  if (row >= ROWS) {
    return;
  }
  let last = min(column * 8u + 8u, COLUMNS / 4u);
  for (var quad = column * 8u; quad < last; quad += 2u) {
    tile(row, quad);
  }
  for (var i = 0u; i < min(TILE_ROWS, ROWS - row); i++) {
    bits[(row + i) * out_words + column] = word[i];
  }
}
