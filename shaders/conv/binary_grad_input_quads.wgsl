// Gradient of a convolution with binary filters with respect to its input, without groups, for both kinds of channels in
// fours, through a tile of eight pixels and eight channels. The four invocations of a quad have the channels of one word and
// the same pixels: each loads the signs of one of four outputs and the gradients at two pixels, and the others have them by
// broadcast.
enable subgroups;
diagnostic(off, subgroup_uniformity); // whole quads leave together

//!include "lib/index.wgsl"
//!include "lib/conv/extents.wgsl"
//!include "lib/conv/readers.wgsl"
//!include "lib/words/sign_bytes.wgsl"

override M = BATCH * HEIGHT * WIDTH;
override K = CHANNELS;
override WORDS = (K + 31u) / 32u; // of a pixel

@group(0) @binding(0) var<storage, read> g: array<vec4f>; // [BATCH, OUT_HEIGHT, OUT_WIDTH, OUT_CHANNELS]
@group(0) @binding(1) var<storage, read> w: array<u32>; // bits [OUT_CHANNELS, KERNEL_HEIGHT, KERNEL_WIDTH, CHANNELS]
@group(0) @binding(2) var<storage, read> gate: array<u32>; // bits [BATCH, HEIGHT, WIDTH, CHANNELS], 1 = passes
@group(0) @binding(3) var<storage, read_write> out: array<vec4f>; // [BATCH, HEIGHT, WIDTH, CHANNELS]

//!include "lib/epilogue/store_gated.wgsl"

const PIXELS = 8u;

@compute @workgroup_size(64)
fn main(
  @builtin(global_invocation_id) id: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let part = lane & 3u; // of the quad
  let tile = linear_index(id, groups, 64u) / 4u;
  let word = tile % WORDS;
  let first = tile / WORDS * PIXELS;
  if (first >= M) {
    return;
  }
  let factor = byte_factor(part);
  let near = place_at(first + part);
  let far = place_at(first + 4u + part);
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

  for (var ky = 0u; ky < KERNEL_HEIGHT; ky++) {
    for (var kx = 0u; kx < KERNEL_WIDTH; kx++) {
      let r0 = reader_of(near, ky, kx);
      let r1 = reader_of(far, ky, kx);
      let m0 = select(0xffffffffu, 0u, r0 == NOWHERE);
      let m1 = select(0xffffffffu, 0u, r1 == NOWHERE);
      let a0 = (r0 * (OUT_CHANNELS / 4u)) & m0;
      let a1 = (r1 * (OUT_CHANNELS / 4u)) & m1;
      let step = KERNEL_HEIGHT * KERNEL_WIDTH * WORDS; // from an output to the next
      let at = part * step + (ky * KERNEL_WIDTH + kx) * WORDS + word;
      for (var o = 0u; o < OUT_CHANNELS / 4u; o++) {
        let mine = w[4u * o * step + at];
        let words = vec4u(
          quadBroadcast(mine, 0u),
          quadBroadcast(mine, 1u),
          quadBroadcast(mine, 2u),
          quadBroadcast(mine, 3u),
        );
        let signs = signs_of_bytes(words * factor);
        let x = gradient_at(a0 + o, m0);
        let y = gradient_at(a1 + o, m1);
        let g0 = quadBroadcast(x, 0u);
        d0 += signs.lo * g0;
        e0 += signs.hi * g0;
        let g1 = quadBroadcast(x, 1u);
        d1 += signs.lo * g1;
        e1 += signs.hi * g1;
        let g2 = quadBroadcast(x, 2u);
        d2 += signs.lo * g2;
        e2 += signs.hi * g2;
        let g3 = quadBroadcast(x, 3u);
        d3 += signs.lo * g3;
        e3 += signs.hi * g3;
        let g4 = quadBroadcast(y, 0u);
        d4 += signs.lo * g4;
        e4 += signs.hi * g4;
        let g5 = quadBroadcast(y, 1u);
        d5 += signs.lo * g5;
        e5 += signs.hi * g5;
        let g6 = quadBroadcast(y, 2u);
        d6 += signs.lo * g6;
        e6 += signs.hi * g6;
        let g7 = quadBroadcast(y, 3u);
        d7 += signs.lo * g7;
        e7 += signs.hi * g7;
      }
    }
  }
  let column = word * 32u + part * 8u;
  store(first, column, d0);
  store(first, column + 4u, e0);
  store(first + 1u, column, d1);
  store(first + 1u, column + 4u, e1);
  store(first + 2u, column, d2);
  store(first + 2u, column + 4u, e2);
  store(first + 3u, column, d3);
  store(first + 3u, column + 4u, e3);
  store(first + 4u, column, d4);
  store(first + 4u, column + 4u, e4);
  store(first + 5u, column, d5);
  store(first + 5u, column + 4u, e5);
  store(first + 6u, column, d6);
  store(first + 6u, column + 4u, e6);
  store(first + 7u, column, d7);
  store(first + 7u, column + 4u, e7);
}
