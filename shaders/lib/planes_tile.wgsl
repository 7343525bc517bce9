// Products of 8-bit patches with signs: the sum of a patch less twice what meets -1, bit plane by bit plane. It needs
// lib/conv.wgsl and lib/planes.wgsl, and
//   planes: array<u32>, of planes_split.wgsl
//   w: array<vec4u>, of planes_filters.wgsl
override SIGNED: u32; // 1: the highest plane weighs -128

// Of four neighbouring pixels, and the four outputs of a quad.
struct Sums {
  p0: vec4i,
  p1: vec4i,
  p2: vec4i,
  p3: vec4i,
}

fn first_of(pixel: u32) -> u32 {
  return min(pixel, BATCH * OUT_HEIGHT * OUT_WIDTH - 1u) * PIXEL_WORDS; // a tile may reach beyond the last pixel
}

// What one plane adds to twice what the planes above it made.
fn shifted(above: vec4i, met: vec4u) -> vec4i {
  return 2 * above + vec4i(met);
}

fn patch_sum(first: u32) -> vec4i {
  return vec4i(bitcast<i32>(planes[first + 8u * PATCH_WORDS]));
}

fn sums_of(pixel: u32, quad: u32) -> Sums {
  let quads = (OUT_CHANNELS + 3u) / 4u;
  let a0 = first_of(pixel);
  let a1 = first_of(pixel + 1u);
  let a2 = first_of(pixel + 2u);
  let a3 = first_of(pixel + 3u);
  var s0 = vec4i();
  var s1 = vec4i();
  var s2 = vec4i();
  var s3 = vec4i();
  for (var plane = 8u; plane > 0u; plane--) {
    let at = (plane - 1u) * PATCH_WORDS;
    var m0 = vec4u();
    var m1 = vec4u();
    var m2 = vec4u();
    var m3 = vec4u();
    for (var word = 0u; word < PATCH_WORDS; word++) {
      let minus = w[word * quads + quad];
      m0 += countOneBits(vec4u(planes[a0 + at + word]) & minus);
      m1 += countOneBits(vec4u(planes[a1 + at + word]) & minus);
      m2 += countOneBits(vec4u(planes[a2 + at + word]) & minus);
      m3 += countOneBits(vec4u(planes[a3 + at + word]) & minus);
    }
    s0 = shifted(s0, m0);
    s1 = shifted(s1, m1);
    s2 = shifted(s2, m2);
    s3 = shifted(s3, m3);
    if (SIGNED == 1u && plane == 8u) {
      s0 = -s0;
      s1 = -s1;
      s2 = -s2;
      s3 = -s3;
    }
  }
  return Sums(patch_sum(a0) - 2 * s0, patch_sum(a1) - 2 * s1, patch_sum(a2) - 2 * s2, patch_sum(a3) - 2 * s3);
}
