// First convolution by bit planes with its threshold, to packed signs. One invocation makes 32 outputs of four pixels, four at
// a time; the tail bits of a pixel's last word are 0.
//!include "lib/index.wgsl"
//!include "lib/conv/extents.wgsl"
//!include "lib/words/planes.wgsl"
//!include "lib/tile/planes.wgsl"
alias Lane = vec4f;
//!include "lib/epilogue/signs.wgsl"

@group(0) @binding(0) var<storage, read> planes: array<vec4u>; // [BATCH * OUT_HEIGHT * OUT_WIDTH, PIXEL_VECTORS]
@group(0) @binding(1) var<storage, read> w: array<vec4u>; // [PATCH_WORDS, ceil(OUT_CHANNELS / 4) * 4]
@group(0) @binding(4) var<storage, read_write> bits: array<u32>; // bits [BATCH, OUT_HEIGHT, OUT_WIDTH, OUT_CHANNELS]

fn minus_bits(sums: vec4i, quad: u32) -> u32 {
  let minus = select(vec4u(1u, 2u, 4u, 8u), vec4u(), directed(vec4f(sums), quad) >= threshold[quad]);
  let known = min(4u, OUT_CHANNELS - quad * 4u);
  return (minus.x | minus.y | minus.z | minus.w) & ((1u << known) - 1u);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let out_words = (OUT_CHANNELS + 31u) / 32u;
  let pixels = BATCH * OUT_HEIGHT * OUT_WIDTH;
  let index = linear_index(id, groups, 64u);
  let column = index % out_words;
  let pixel = index / out_words * 4u;
  if (pixel >= pixels) {
    return;
  }
  var word = vec4u();
  for (var quad = column * 8u; quad < min(column * 8u + 8u, (OUT_CHANNELS + 3u) / 4u); quad++) {
    let sums = sums_of(pixel, quad);
    let minus = vec4u(
      minus_bits(sums.p0, quad),
      minus_bits(sums.p1, quad),
      minus_bits(sums.p2, quad),
      minus_bits(sums.p3, quad),
    );
    word |= minus << vec4u(quad % 8u * 4u);
  }
  for (var i = 0u; i < min(4u, pixels - pixel); i++) {
    bits[(pixel + i) * out_words + column] = word[i];
  }
}
