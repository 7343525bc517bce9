// The body of the tiled filter gradients: one invocation sums eight outputs (four in the smaller tile) times eight channels of
// one tap over one slice of the output rows, four pixels at a time; `sum_slices` adds the slices. All kernels that include this
// add in the same order. It needs, of the kernel that includes it:
//   out: array<...> [CHUNKS, OUT_CHANNELS, KERNEL_HEIGHT, KERNEL_WIDTH, CHANNELS]
//   store(o, first, quad, d, e): takes the sums of output o for the channels of quad (d) and the next quad (e); the
//     filter's first value at this tap is out's value number `first`
//   terms_at(pixel, span): what four output pixels add, from `pixel` on
//!needs BATCH, CHANNELS, HEIGHT, input_column, input_row, KERNEL_HEIGHT, KERNEL_WIDTH, OUT_CHANNELS, OUT_HEIGHT
//!needs OUT_WIDTH, PAD_VALUE, store, terms_at, WIDTH
//!gives counted, place_of, Span, sum_tile, Terms
//!include "lib/tile/sums.wgsl"

override CHUNKS: u32; // slices of the sum over BATCH * OUT_HEIGHT rows
override OUTPUTS = TILE_SUMS / 8u; // of a tile

// What an invocation sums over.
struct Span {
  end: u32, // output pixels from here on belong to others
  quad: u32, // first of its channels, in fours
  output: u32, // first of its outputs, in fours
  second: u32, // 1 where there is a quad of outputs after it, or else 0
  ky: u32,
  kx: u32,
}

// Four pixels: a column each, of the input for eight channels (lo and hi) and of the gradients of eight outputs.
struct Terms {
  lo: mat4x4f,
  hi: mat4x4f,
  left: mat4x4f,
  right: mat4x4f,
}

// What an output pixel's tap reads.
struct Place {
  counts: bool, // or else it adds nothing
  inside: bool, // or else it reads the padding
  input: u32, // pixel of the input; 0 where there is none
  gradient: u32, // output pixel; 0 where there is none
}

fn place_of(pixel: u32, span: Span) -> Place {
  let line = pixel / OUT_WIDTH;
  let image = line / OUT_HEIGHT;
  let row = input_row(line - image * OUT_HEIGHT, span.ky);
  let column = input_column(pixel - line * OUT_WIDTH, span.kx);
  let there = pixel < span.end;
  let inside = there && row < HEIGHT && column < WIDTH;
  return Place(
    select(inside, there, PAD_VALUE != 0),
    inside,
    select(0u, (image * HEIGHT + row) * WIDTH + column, inside),
    select(0u, pixel, there),
  );
}

// Gradients of four outputs, or none.
fn counted(gradients: vec4f, place: Place) -> vec4f {
  return bitcast<vec4f>(bitcast<vec4u>(gradients) & vec4u(select(0u, 0xffffffffu, place.counts)));
}

struct Sums {
  d0: vec4f,
  e0: vec4f,
  d1: vec4f,
  e1: vec4f,
  d2: vec4f,
  e2: vec4f,
  d3: vec4f,
  e3: vec4f,
  d4: vec4f,
  e4: vec4f,
  d5: vec4f,
  e5: vec4f,
  d6: vec4f,
  e6: vec4f,
  d7: vec4f,
  e7: vec4f,
}

fn add_terms(s: Sums, t: Terms) -> Sums {
  // A column for each output.
  let left = transpose(t.left);
  let right = transpose(t.right);
  return Sums(
    s.d0 + t.lo * left[0],
    s.e0 + t.hi * left[0],
    s.d1 + t.lo * left[1],
    s.e1 + t.hi * left[1],
    s.d2 + t.lo * left[2],
    s.e2 + t.hi * left[2],
    s.d3 + t.lo * left[3],
    s.e3 + t.hi * left[3],
    s.d4 + t.lo * right[0],
    s.e4 + t.hi * right[0],
    s.d5 + t.lo * right[1],
    s.e5 + t.hi * right[1],
    s.d6 + t.lo * right[2],
    s.e6 + t.hi * right[2],
    s.d7 + t.lo * right[3],
    s.e7 + t.hi * right[3],
  );
}

// `channel_tiles` of eight channels lie side by side.
fn sum_tile(index: u32, channel_tiles: u32) {
  let taps = KERNEL_HEIGHT * KERNEL_WIDTH;
  let output_tiles = (OUT_CHANNELS + OUTPUTS - 1u) / OUTPUTS;
  if (index >= channel_tiles * taps * output_tiles * CHUNKS) {
    return;
  }
  let tap = index / channel_tiles % taps;
  let output = index / (channel_tiles * taps) % output_tiles * (OUTPUTS / 4u);
  let chunk = index / (channel_tiles * taps * output_tiles);
  let rows = BATCH * OUT_HEIGHT;
  let per_chunk = (rows + CHUNKS - 1u) / CHUNKS;
  let span = Span(
    min(rows, (chunk + 1u) * per_chunk) * OUT_WIDTH,
    index % channel_tiles * 2u,
    output,
    min(output + 1u, OUT_CHANNELS / 4u - 1u) - output,
    tap / KERNEL_WIDTH,
    tap % KERNEL_WIDTH,
  );
  var s = Sums();
  for (var pixel = chunk * per_chunk * OUT_WIDTH; pixel < span.end; pixel += 4u) {
    s = add_terms(s, terms_at(pixel, span));
  }
  let o = output * 4u;
  let step = taps * CHANNELS;
  let first = ((chunk * OUT_CHANNELS + o) * taps + tap) * CHANNELS;
  store(o, first, span.quad, s.d0, s.e0);
  store(o + 1u, first + step, span.quad, s.d1, s.e1);
  store(o + 2u, first + 2u * step, span.quad, s.d2, s.e2);
  store(o + 3u, first + 3u * step, span.quad, s.d3, s.e3);
  if (TILE_SUMS == 64u) {
    store(o + 4u, first + 4u * step, span.quad, s.d4, s.e4);
    store(o + 5u, first + 5u * step, span.quad, s.d5, s.e5);
    store(o + 6u, first + 6u * step, span.quad, s.d6, s.e6);
    store(o + 7u, first + 7u * step, span.quad, s.d7, s.e7);
  }
}
