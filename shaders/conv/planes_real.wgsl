// First convolution by bit planes with its epilogue, to reals. One invocation makes four outputs of four pixels.
//!include "lib/index.wgsl"
//!include "lib/conv/extents.wgsl"
//!include "lib/words/planes.wgsl"
//!include "lib/tile/planes.wgsl"
alias Lane = f32;
//!include "lib/epilogue/real.wgsl"

@group(0) @binding(0) var<storage, read> planes: array<vec4u>; // [BATCH * OUT_HEIGHT * OUT_WIDTH, PIXEL_VECTORS]
@group(0) @binding(1) var<storage, read> w: array<vec4u>; // [PATCH_WORDS, ceil(OUT_CHANNELS / 4) * 4]
@group(0) @binding(6) var<storage, read_write> out: array<f32>; // [BATCH, OUT_HEIGHT, OUT_WIDTH, OUT_CHANNELS]

fn store(pixel: u32, first: u32, sums: vec4i) {
  if (pixel >= BATCH * OUT_HEIGHT * OUT_WIDTH) {
    return;
  }
  let dots = vec4f(sums);
  for (var i = 0u; i < min(4u, OUT_CHANNELS - first); i++) {
    let at = pixel * OUT_CHANNELS + first + i;
    out[at] = finish(dots[i], first + i, at);
  }
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let quads = (OUT_CHANNELS + 3u) / 4u;
  let index = linear_index(id, groups, 64u);
  let quad = index % quads;
  let pixel = index / quads * 4u;
  if (pixel >= BATCH * OUT_HEIGHT * OUT_WIDTH) {
    return;
  }
  let sums = sums_of(pixel, quad);
  store(pixel, quad * 4u, sums.p0);
  store(pixel + 1u, quad * 4u, sums.p1);
  store(pixel + 2u, quad * 4u, sums.p2);
  store(pixel + 3u, quad * 4u, sums.p3);
}
