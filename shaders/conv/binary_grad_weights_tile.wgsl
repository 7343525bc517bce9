// Gradient of a binary convolution with respect to its (sign) filters, without groups, from packed activations, through a
// tile of eight outputs and eight channels.
//!include "lib/index.wgsl"
//!include "lib/conv/extents.wgsl"
//!include "lib/tile/grad_weights.wgsl"
//!include "lib/tile/sign_pixels.wgsl"

@group(0) @binding(0) var<storage, read> g: array<vec4f>; // [BATCH, OUT_HEIGHT, OUT_WIDTH, OUT_CHANNELS]
@group(0) @binding(1) var<storage, read> a: array<u32>; // bits [BATCH, HEIGHT, WIDTH, CHANNELS]
@group(0) @binding(2) var<storage, read_write> out: array<f32>; // [CHUNKS, OUT_CHANNELS, KERNEL_HEIGHT, KERNEL_WIDTH, CHANNELS]

fn terms_at(pixel: u32, span: Span) -> Terms {
  let p0 = pixel_at(pixel, span);
  let p1 = pixel_at(pixel + 1u, span);
  let p2 = pixel_at(pixel + 2u, span);
  let p3 = pixel_at(pixel + 3u, span);
  return terms_of(
    vec4u(p0.word, p1.word, p2.word, p3.word),
    mat4x4f(p0.left, p1.left, p2.left, p3.left),
    mat4x4f(p0.right, p1.right, p2.right, p3.right),
    span,
  );
}

// Channels are any number: one by one.
fn store(o: u32, first: u32, quad: u32, d: vec4f, e: vec4f) {
  if (o >= OUT_CHANNELS) {
    return;
  }
  let c = quad * 4u;
  for (var i = 0u; i < 4u; i++) {
    if (c + i < CHANNELS) {
      out[first + c + i] = d[i];
    }
    if (c + 4u + i < CHANNELS) {
      out[first + c + 4u + i] = e[i];
    }
  }
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  sum_tile(linear_index(id, groups, 64u), (CHANNELS + 7u) / 8u);
}
