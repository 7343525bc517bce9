// The body of the tiled input gradients: one invocation makes eight neighbouring pixels (along the flat index) of eight
// channels, or of four in the smaller tile. It needs, of the kernel that includes it:
//   g: array<vec4f>, f32 [BATCH, OUT_HEIGHT, OUT_WIDTH, OUT_CHANNELS]
//   filters_at(o, tap, quad, second): the weights of four outputs from o on at a tap, for the channels of quad and of
//     quad + second
//   store(pixel, channel, sums): takes the sums of four channels
//!needs BATCH, CHANNELS, filters_at, HEIGHT, KERNEL_HEIGHT, KERNEL_WIDTH, linear_index, OUT_CHANNELS, store, WIDTH
//!gives Filters
//!include "lib/conv/readers.wgsl"
//!include "lib/tile/sums.wgsl"

const PIXELS = 8u;
override QUADS = TILE_SUMS / 32u; // of channels

// Of four outputs, a column each.
struct Filters {
  lo: mat4x4f, // four channels
  hi: mat4x4f, // the next four; not in the smaller tile
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let quads = CHANNELS / 4u;
  let across = (quads + QUADS - 1u) / QUADS;
  let index = linear_index(id, groups, 64u);
  let quad = index % across * QUADS;
  let first = index / across * PIXELS;
  if (first >= BATCH * HEIGHT * WIDTH) {
    return;
  }
  let second = min(quad + QUADS - 1u, quads - 1u) - quad; // 0 where there is one quad only

  let p0 = place_at(first);
  let p1 = place_at(first + 1u);
  let p2 = place_at(first + 2u);
  let p3 = place_at(first + 3u);
  let p4 = place_at(first + 4u);
  let p5 = place_at(first + 5u);
  let p6 = place_at(first + 6u);
  let p7 = place_at(first + 7u);
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
      let r0 = reader_of(p0, ky, kx);
      let r1 = reader_of(p1, ky, kx);
      let r2 = reader_of(p2, ky, kx);
      let r3 = reader_of(p3, ky, kx);
      let r4 = reader_of(p4, ky, kx);
      let r5 = reader_of(p5, ky, kx);
      let r6 = reader_of(p6, ky, kx);
      let r7 = reader_of(p7, ky, kx);
      let m0 = select(0xffffffffu, 0u, r0 == NOWHERE);
      let a0 = (r0 * (OUT_CHANNELS / 4u)) & m0;
      let m1 = select(0xffffffffu, 0u, r1 == NOWHERE);
      let a1 = (r1 * (OUT_CHANNELS / 4u)) & m1;
      let m2 = select(0xffffffffu, 0u, r2 == NOWHERE);
      let a2 = (r2 * (OUT_CHANNELS / 4u)) & m2;
      let m3 = select(0xffffffffu, 0u, r3 == NOWHERE);
      let a3 = (r3 * (OUT_CHANNELS / 4u)) & m3;
      let m4 = select(0xffffffffu, 0u, r4 == NOWHERE);
      let a4 = (r4 * (OUT_CHANNELS / 4u)) & m4;
      let m5 = select(0xffffffffu, 0u, r5 == NOWHERE);
      let a5 = (r5 * (OUT_CHANNELS / 4u)) & m5;
      let m6 = select(0xffffffffu, 0u, r6 == NOWHERE);
      let a6 = (r6 * (OUT_CHANNELS / 4u)) & m6;
      let m7 = select(0xffffffffu, 0u, r7 == NOWHERE);
      let a7 = (r7 * (OUT_CHANNELS / 4u)) & m7;
      let tap = ky * KERNEL_WIDTH + kx;
      for (var o = 0u; o < OUT_CHANNELS / 4u; o++) {
        let filters = filters_at(4u * o, tap, quad, second);
        let g0 = gradient_at(a0 + o, m0);
        d0 += filters.lo * g0;
        e0 += filters.hi * g0;
        let g1 = gradient_at(a1 + o, m1);
        d1 += filters.lo * g1;
        e1 += filters.hi * g1;
        let g2 = gradient_at(a2 + o, m2);
        d2 += filters.lo * g2;
        e2 += filters.hi * g2;
        let g3 = gradient_at(a3 + o, m3);
        d3 += filters.lo * g3;
        e3 += filters.hi * g3;
        let g4 = gradient_at(a4 + o, m4);
        d4 += filters.lo * g4;
        e4 += filters.hi * g4;
        let g5 = gradient_at(a5 + o, m5);
        d5 += filters.lo * g5;
        e5 += filters.hi * g5;
        let g6 = gradient_at(a6 + o, m6);
        d6 += filters.lo * g6;
        e6 += filters.hi * g6;
        let g7 = gradient_at(a7 + o, m7);
        d7 += filters.lo * g7;
        e7 += filters.hi * g7;
      }
    }
  }
  let column = quad * 4u;
  store(first, column, d0);
  store(first + 1u, column, d1);
  store(first + 2u, column, d2);
  store(first + 3u, column, d3);
  store(first + 4u, column, d4);
  store(first + 5u, column, d5);
  store(first + 6u, column, d6);
  store(first + 7u, column, d7);
  if (TILE_SUMS == 64u && second == 1u) {
    store(first, column + 4u, e0);
    store(first + 1u, column + 4u, e1);
    store(first + 2u, column + 4u, e2);
    store(first + 3u, column + 4u, e3);
    store(first + 4u, column + 4u, e4);
    store(first + 5u, column + 4u, e5);
    store(first + 6u, column + 4u, e6);
    store(first + 7u, column + 4u, e7);
  }
}
