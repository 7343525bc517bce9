// Gradient of a convolution of real inputs with respect to its filters, without groups, for channels in fours, through a
// tile of eight outputs and eight channels.
//!include "lib/index.wgsl"
//!include "lib/conv/extents.wgsl"
//!include "lib/tile/grad_weights.wgsl"
//!include "lib/epilogue/store_filters.wgsl"

@group(0) @binding(0) var<storage, read> g: array<vec4f>; // [BATCH, OUT_HEIGHT, OUT_WIDTH, OUT_CHANNELS]
@group(0) @binding(1) var<storage, read> x: array<vec4f>; // [BATCH, HEIGHT, WIDTH, CHANNELS]
@group(0) @binding(2) var<storage, read_write> out: array<vec4f>; // [CHUNKS, OUT_CHANNELS, KERNEL_HEIGHT, KERNEL_WIDTH, CHANNELS]

// One pixel: the input for eight channels, the gradients of eight outputs.
fn pixel_at(pixel: u32, span: Span) -> mat4x4f {
  let place = place_of(pixel, span);
  let quads = CHANNELS / 4u;
  let gradient = place.gradient * (OUT_CHANNELS / 4u) + span.output;
  return mat4x4f(
    select(vec4f(f32(PAD_VALUE)), x[place.input * quads + span.quad], place.inside),
    select(vec4f(f32(PAD_VALUE)), x[place.input * quads + min(span.quad + 1u, quads - 1u)], place.inside),
    counted(g[gradient], place),
    counted(g[gradient + span.second], place),
  );
}

fn terms_at(pixel: u32, span: Span) -> Terms {
  let p0 = pixel_at(pixel, span);
  let p1 = pixel_at(pixel + 1u, span);
  let p2 = pixel_at(pixel + 2u, span);
  let p3 = pixel_at(pixel + 3u, span);
  return Terms(
    mat4x4f(p0[0], p1[0], p2[0], p3[0]),
    mat4x4f(p0[1], p1[1], p2[1], p3[1]),
    mat4x4f(p0[2], p1[2], p2[2], p3[2]),
    mat4x4f(p0[3], p1[3], p2[3], p3[3]),
  );
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  sum_tile(linear_index(id, groups, 64u), (CHANNELS + 7u) / 8u);
}
