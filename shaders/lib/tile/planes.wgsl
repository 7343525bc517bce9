// Products of 8-bit patches with signs: the sum of a patch less twice what meets -1, bit plane by bit plane. It needs
// lib/conv/extents.wgsl and lib/words/planes.wgsl, and
//   planes: array<vec4u>, of planes_split.wgsl
//   w: array<vec4u>, of planes_filters.wgsl
//!needs BATCH, OUT_CHANNELS, OUT_HEIGHT, OUT_WIDTH, PATCH_WORDS, PIXEL_VECTORS, planes, w
//!gives sums_of
override SIGNED: u32; // 1: the highest plane weighs -128

// Of four neighbouring pixels, and the four outputs of a quad.
struct Sums {
  p0: vec4i,
  p1: vec4i,
  p2: vec4i,
  p3: vec4i,
}

fn first_of(pixel: u32) -> u32 {
  return min(pixel, BATCH * OUT_HEIGHT * OUT_WIDTH - 1u) * PIXEL_VECTORS; // a tile may reach beyond the last pixel
}

// What 32 taps of a pixel that meet -1 sum up to: of four neighbouring planes, the last of which weighs `top`.
fn weigh(bits: vec4u, minus: vec4u, top: i32) -> vec4i {
  return vec4i(countOneBits(vec4u(bits.x) & minus)) + 2 * vec4i(countOneBits(vec4u(bits.y) & minus))
    + 4 * vec4i(countOneBits(vec4u(bits.z) & minus)) + top * vec4i(countOneBits(vec4u(bits.w) & minus));
}

fn meet(at: u32, minus: vec4u) -> vec4i {
  return weigh(planes[at], minus, 8) + 16 * weigh(planes[at + 1u], minus, select(8, -8, SIGNED == 1u));
}

fn patch_sum(first: u32) -> vec4i {
  return vec4i(bitcast<i32>(planes[first + 2u * PATCH_WORDS].x));
}

fn sums_of(pixel: u32, quad: u32) -> Sums {
  let quads = (OUT_CHANNELS + 3u) / 4u;
  let a0 = first_of(pixel);
  let a1 = first_of(pixel + 1u);
  let a2 = first_of(pixel + 2u);
  let a3 = first_of(pixel + 3u);
  var m0 = vec4i();
  var m1 = vec4i();
  var m2 = vec4i();
  var m3 = vec4i();
  for (var word = 0u; word < PATCH_WORDS; word++) {
    let minus = w[word * quads + quad];
    m0 += meet(a0 + 2u * word, minus);
    m1 += meet(a1 + 2u * word, minus);
    m2 += meet(a2 + 2u * word, minus);
    m3 += meet(a3 + 2u * word, minus);
  }
  return Sums(patch_sum(a0) - 2 * m0, patch_sum(a1) - 2 * m1, patch_sum(a2) - 2 * m2, patch_sum(a3) - 2 * m3);
}
