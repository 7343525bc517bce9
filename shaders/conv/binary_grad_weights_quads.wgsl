// Gradient of a binary convolution with respect to its (sign) filters, without groups, for channels in fours, from packed
// activations, through a tile of eight outputs and eight channels. The four invocations of a quad have the channels of one
// word and the same outputs: each loads one of four pixels, and the others have it by broadcast.
enable subgroups;
diagnostic(off, subgroup_uniformity); // whole quads leave together

//!include "lib/index.wgsl"
//!include "lib/conv/extents.wgsl"
//!include "lib/tile/grad_weights.wgsl"
//!include "lib/tile/sign_pixels.wgsl"
//!include "lib/epilogue/store_filters.wgsl"

@group(0) @binding(0) var<storage, read> g: array<vec4f>; // [BATCH, OUT_HEIGHT, OUT_WIDTH, OUT_CHANNELS]
@group(0) @binding(1) var<storage, read> a: array<u32>; // bits [BATCH, HEIGHT, WIDTH, CHANNELS]
@group(0) @binding(2) var<storage, read_write> out: array<vec4f>; // [CHUNKS, OUT_CHANNELS, KERNEL_HEIGHT, KERNEL_WIDTH, CHANNELS]

var<private> part: u32; // of the quad

fn from_quad(x: vec4f) -> mat4x4f {
  return mat4x4f(quadBroadcast(x, 0u), quadBroadcast(x, 1u), quadBroadcast(x, 2u), quadBroadcast(x, 3u));
}

fn terms_at(pixel: u32, span: Span) -> Terms {
  let mine = pixel_at(pixel + part, span);
  return terms_of(
    vec4u(
      quadBroadcast(mine.word, 0u),
      quadBroadcast(mine.word, 1u),
      quadBroadcast(mine.word, 2u),
      quadBroadcast(mine.word, 3u),
    ),
    from_quad(mine.left),
    from_quad(mine.right),
    span,
  );
}

@compute @workgroup_size(64)
fn main(
  @builtin(global_invocation_id) id: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  part = lane & 3u;
  sum_tile(linear_index(id, groups, 64u), (CHANNELS + 31u) / 32u * 4u);
}
