// Convolution of reals without groups: one invocation makes eight neighbouring pixels (along the flat index; four in the
// smaller tile) of eight outputs. The input is read a value at a time, so any number of channels will do, one or three above all.
//!include "lib/index.wgsl"
//!include "lib/tile/sums.wgsl"
//!include "lib/conv/extents.wgsl"
//!include "lib/conv/pixel.wgsl"

@group(0) @binding(0) var<storage, read> x: array<f32>; // [BATCH, HEIGHT, WIDTH, CHANNELS]
@group(0) @binding(1) var<storage, read> w: array<vec4f>; // [KERNEL_HEIGHT, KERNEL_WIDTH, CHANNELS, OUT_CHANNELS]
@group(0) @binding(2) var<storage, read_write> out: array<vec4f>; // [BATCH, OUT_HEIGHT, OUT_WIDTH, OUT_CHANNELS]

override PIXELS = TILE_SUMS / 8u;

fn store(pixel: u32, quad: u32, sum: vec4f) {
  if (pixel < BATCH * OUT_HEIGHT * OUT_WIDTH) {
    out[pixel * (OUT_CHANNELS / 4u) + quad] = sum;
  }
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let quads = OUT_CHANNELS / 4u;
  let pairs = (quads + 1u) / 2u;
  let index = linear_index(id, groups, 64u);
  let quad = index % pairs * 2u;
  let first = index / pairs * PIXELS;
  if (first >= BATCH * OUT_HEIGHT * OUT_WIDTH) {
    return;
  }
  let second = min(quad + 1u, quads - 1u) - quad; // 0 where the last pair of quads has one only
  let padding = f32(PAD_VALUE);

  let p0 = pixel_at(first);
  let p1 = pixel_at(first + 1u);
  let p2 = pixel_at(first + 2u);
  let p3 = pixel_at(first + 3u);
  let p4 = pixel_at(first + 4u);
  let p5 = pixel_at(first + 5u);
  let p6 = pixel_at(first + 6u);
  let p7 = pixel_at(first + 7u);
  var d0 = vec4f();
  var e0 = vec4f();
  var d1 = vec4f();
  var e1 = vec4f();
  var d2 = vec4f();
  var e2 = vec4f();
  var d3 = vec4f();
  var e3 = vec4f();
  var d4 = vec4f();
  var e4 = vec4f();
  var d5 = vec4f();
  var e5 = vec4f();
  var d6 = vec4f();
  var e6 = vec4f();
  var d7 = vec4f();
  var e7 = vec4f();

  var weight = quad;
  for (var ky = 0u; ky < KERNEL_HEIGHT; ky++) {
    for (var kx = 0u; kx < KERNEL_WIDTH; kx++) {
      let down = ky * DILATION_Y;
      let right = kx * DILATION_X;
      let offset = down * WIDTH + right;
      let in0 = is_inside(p0, down, right);
      let in1 = is_inside(p1, down, right);
      let in2 = is_inside(p2, down, right);
      let in3 = is_inside(p3, down, right);
      let in4 = is_inside(p4, down, right);
      let in5 = is_inside(p5, down, right);
      let in6 = is_inside(p6, down, right);
      let in7 = is_inside(p7, down, right);
      let x0 = select(0u, (p0.index + offset) * CHANNELS, in0);
      let x1 = select(0u, (p1.index + offset) * CHANNELS, in1);
      let x2 = select(0u, (p2.index + offset) * CHANNELS, in2);
      let x3 = select(0u, (p3.index + offset) * CHANNELS, in3);
      let x4 = select(0u, (p4.index + offset) * CHANNELS, in4);
      let x5 = select(0u, (p5.index + offset) * CHANNELS, in5);
      let x6 = select(0u, (p6.index + offset) * CHANNELS, in6);
      let x7 = select(0u, (p7.index + offset) * CHANNELS, in7);
      for (var c = 0u; c < CHANNELS; c++) {
        let w0 = w[weight];
        let w1 = w[weight + second];
        weight += quads;
        let v0 = select(padding, x[x0 + c], in0);
        d0 += v0 * w0;
        e0 += v0 * w1;
        let v1 = select(padding, x[x1 + c], in1);
        d1 += v1 * w0;
        e1 += v1 * w1;
        let v2 = select(padding, x[x2 + c], in2);
        d2 += v2 * w0;
        e2 += v2 * w1;
        let v3 = select(padding, x[x3 + c], in3);
        d3 += v3 * w0;
        e3 += v3 * w1;
        let v4 = select(padding, x[x4 + c], in4);
        d4 += v4 * w0;
        e4 += v4 * w1;
        let v5 = select(padding, x[x5 + c], in5);
        d5 += v5 * w0;
        e5 += v5 * w1;
        let v6 = select(padding, x[x6 + c], in6);
        d6 += v6 * w0;
        e6 += v6 * w1;
        let v7 = select(padding, x[x7 + c], in7);
        d7 += v7 * w0;
        e7 += v7 * w1;
      }
    }
  }
  store(first, quad, d0);
  store(first + 1u, quad, d1);
  store(first + 2u, quad, d2);
  store(first + 3u, quad, d3);
  if (second == 1u) {
    store(first, quad + 1u, e0);
    store(first + 1u, quad + 1u, e1);
    store(first + 2u, quad + 1u, e2);
    store(first + 3u, quad + 1u, e3);
  }
  if (TILE_SUMS == 64u) {
    store(first + 4u, quad, d4);
    store(first + 5u, quad, d5);
    store(first + 6u, quad, d6);
    store(first + 7u, quad, d7);
    if (second == 1u) {
      store(first + 4u, quad + 1u, e4);
      store(first + 5u, quad + 1u, e5);
      store(first + 6u, quad + 1u, e6);
      store(first + 7u, quad + 1u, e7);
    }
  }
}
