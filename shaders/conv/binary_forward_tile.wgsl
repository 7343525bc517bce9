// Binary convolution without groups: one invocation makes four neighbouring pixels (along the flat index) of eight
// outputs, so that each word of activations meets eight filters and each word of filters four pixels.
//!include "lib/index.wgsl"
//!include "lib/conv.wgsl"
//!include "lib/conv_pixel.wgsl"

override INTEGER: u32; // 1: out is i32; 0: out is f32

@group(0) @binding(0) var<storage, read> a: array<u32>; // bits [BATCH, HEIGHT, WIDTH, CHANNELS]
@group(0) @binding(1) var<storage, read> w: array<vec4u>; // words [KERNEL_HEIGHT * KERNEL_WIDTH * ceil(CHANNELS / 32), OUT_CHANNELS]
@group(0) @binding(2) var<storage, read_write> out: array<vec4u>; // i32 or f32 [BATCH, OUT_HEIGHT, OUT_WIDTH, OUT_CHANNELS]

const PIXELS = 4u;

// Signs that differ in a word of activations and one of each of four filters; mask 0 leaves them out.
fn differing(activation: u32, filters: vec4u, mask: u32) -> vec4u {
  return countOneBits((vec4u(activation) ^ filters) & vec4u(mask));
}

fn store(pixel: u32, quad: u32, counted: u32, differ: vec4u) {
  let dot = vec4i(i32(counted)) - 2 * vec4i(differ);
  if (pixel < BATCH * OUT_HEIGHT * OUT_WIDTH) {
    out[pixel * (OUT_CHANNELS / 4u) + quad] = select(bitcast<vec4u>(vec4f(dot)), bitcast<vec4u>(dot), INTEGER == 1u);
  }
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let words = (CHANNELS + 31u) / 32u;
  let quads = OUT_CHANNELS / 4u;
  let pairs = (quads + 1u) / 2u;
  let index = linear_index(id, groups, 64u);
  let quad = index % pairs * 2u;
  let first = index / pairs * PIXELS;
  if (first >= BATCH * OUT_HEIGHT * OUT_WIDTH) {
    return;
  }
  let second = min(quad + 1u, quads - 1u) - quad; // 0 where the last pair of quads has one only
  let tail = 0xffffffffu >> (words * 32u - CHANNELS);

  let p0 = pixel_at(first);
  let p1 = pixel_at(first + 1u);
  let p2 = pixel_at(first + 2u);
  let p3 = pixel_at(first + 3u);
  var count0 = 0u;
  var count1 = 0u;
  var count2 = 0u;
  var count3 = 0u;
  var d0 = vec4u();
  var e0 = vec4u();
  var d1 = vec4u();
  var e1 = vec4u();
  var d2 = vec4u();
  var e2 = vec4u();
  var d3 = vec4u();
  var e3 = vec4u();

  var filter_word = quad;
  for (var ky = 0u; ky < KERNEL_HEIGHT; ky++) {
    for (var kx = 0u; kx < KERNEL_WIDTH; kx++) {
      let down = ky * DILATION_Y;
      let right = kx * DILATION_X;
      let offset = down * WIDTH + right;
      let in0 = is_inside(p0, down, right);
      let in1 = is_inside(p1, down, right);
      let in2 = is_inside(p2, down, right);
      let in3 = is_inside(p3, down, right);
      // What counts: with padding 0 the taps inside the image only.
      let m0 = select(0u, 0xffffffffu, in0 || PAD_VALUE != 0);
      let m1 = select(0u, 0xffffffffu, in1 || PAD_VALUE != 0);
      let m2 = select(0u, 0xffffffffu, in2 || PAD_VALUE != 0);
      let m3 = select(0u, 0xffffffffu, in3 || PAD_VALUE != 0);
      count0 += CHANNELS & m0;
      count1 += CHANNELS & m1;
      count2 += CHANNELS & m2;
      count3 += CHANNELS & m3;
      let a0 = select(0u, (p0.index + offset) * words, in0);
      let a1 = select(0u, (p1.index + offset) * words, in1);
      let a2 = select(0u, (p2.index + offset) * words, in2);
      let a3 = select(0u, (p3.index + offset) * words, in3);
      for (var i = 0u; i < words; i++) {
        let w0 = w[filter_word];
        let w1 = w[filter_word + second];
        filter_word += quads;
        let minus = select(0xffffffffu, tail, i + 1u == words);
        let padding = select(0u, minus, PAD_VALUE < 0);
        let v0 = select(padding, a[a0 + i], in0);
        d0 += differing(v0, w0, m0);
        e0 += differing(v0, w1, m0);
        let v1 = select(padding, a[a1 + i], in1);
        d1 += differing(v1, w0, m1);
        e1 += differing(v1, w1, m1);
        let v2 = select(padding, a[a2 + i], in2);
        d2 += differing(v2, w0, m2);
        e2 += differing(v2, w1, m2);
        let v3 = select(padding, a[a3 + i], in3);
        d3 += differing(v3, w0, m3);
        e3 += differing(v3, w1, m3);
      }
    }
  }
  store(first, quad, count0, d0);
  store(first + 1u, quad, count1, d1);
  store(first + 2u, quad, count2, d2);
  store(first + 3u, quad, count3, d3);
  if (second == 1u) {
    store(first, quad + 1u, count0, e0);
    store(first + 1u, quad + 1u, count1, e1);
    store(first + 2u, quad + 1u, count2, e2);
    store(first + 3u, quad + 1u, count3, e3);
  }
}
