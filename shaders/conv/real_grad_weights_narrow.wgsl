// Gradient of a convolution of real inputs with respect to its filters, without groups, for few channels (a first layer):
// one invocation sums eight outputs times four neighbours along the row of (kx, channel) pairs over one slice of the
// output rows; `sum_slices` adds the slices.
//!include "lib/index.wgsl"
//!include "lib/conv/extents.wgsl"

override CHUNKS: u32; // slices of the sum over BATCH * OUT_HEIGHT rows

@group(0) @binding(0) var<storage, read> g: array<vec4f>; // [BATCH, OUT_HEIGHT, OUT_WIDTH, OUT_CHANNELS]
@group(0) @binding(1) var<storage, read> x: array<f32>; // [BATCH, HEIGHT, WIDTH, CHANNELS]
@group(0) @binding(2) var<storage, read_write> out: array<f32>; // [CHUNKS, OUT_CHANNELS, KERNEL_HEIGHT, KERNEL_WIDTH, CHANNELS]

// Entries of one row of a filter.
fn entries() -> u32 {
  return KERNEL_WIDTH * CHANNELS;
}

// One entry of a filter's row: its column in the image for output column 0, which wraps around, and its channel.
struct Entry {
  column: u32,
  c: u32,
}

fn entry_at(index: u32) -> Entry {
  let entry = min(index, entries() - 1u);
  return Entry(input_column(0u, entry / CHANNELS), entry % CHANNELS);
}

fn input_at(in_row: u32, inside: bool, along: u32, entry: Entry) -> f32 {
  let column = along + entry.column;
  let is_there = inside && column < WIDTH;
  return select(f32(PAD_VALUE), x[select(0u, (in_row + column) * CHANNELS + entry.c, is_there)], is_there);
}

fn store(chunk: u32, o: u32, ky: u32, entry: u32, sum: vec4f) {
  if (o >= OUT_CHANNELS) {
    return;
  }
  let first = ((chunk * OUT_CHANNELS + o) * KERNEL_HEIGHT + ky) * entries() + entry;
  for (var i = 0u; i < min(4u, entries() - entry); i++) {
    out[first + i] = sum[i];
  }
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  let entry_tiles = (entries() + 3u) / 4u;
  let output_tiles = (OUT_CHANNELS + 7u) / 8u;
  if (index >= entry_tiles * KERNEL_HEIGHT * output_tiles * CHUNKS) {
    return;
  }
  let entry = index % entry_tiles * 4u;
  let ky = index / entry_tiles % KERNEL_HEIGHT;
  let o = index / (entry_tiles * KERNEL_HEIGHT) % output_tiles * 8u;
  let chunk = index / (entry_tiles * KERNEL_HEIGHT * output_tiles);
  let quads = OUT_CHANNELS / 4u;
  let second = min(o / 4u + 1u, quads - 1u) - o / 4u; // 0 where the last pair of quads has one only

  let entry0 = entry_at(entry);
  let entry1 = entry_at(entry + 1u);
  let entry2 = entry_at(entry + 2u);
  let entry3 = entry_at(entry + 3u);
  var d0 = vec4f();
  var d1 = vec4f();
  var d2 = vec4f();
  var d3 = vec4f();
  var d4 = vec4f();
  var d5 = vec4f();
  var d6 = vec4f();
  var d7 = vec4f();

  let rows = BATCH * OUT_HEIGHT;
  let per_chunk = (rows + CHUNKS - 1u) / CHUNKS;
  for (var r = chunk * per_chunk; r < min(rows, (chunk + 1u) * per_chunk); r++) {
    let row = input_row(r % OUT_HEIGHT, ky);
    let inside = row < HEIGHT;
    if (!inside && PAD_VALUE == 0) {
      continue;
    }
    let in_row = (r / OUT_HEIGHT * HEIGHT + row) * WIDTH;
    var gradient = r * OUT_WIDTH * quads + o / 4u;
    for (var along = 0u; along < OUT_WIDTH * STRIDE_X; along += STRIDE_X) {
      let g0 = g[gradient];
      let g1 = g[gradient + second];
      gradient += quads;
      let v = vec4f(
        input_at(in_row, inside, along, entry0),
        input_at(in_row, inside, along, entry1),
        input_at(in_row, inside, along, entry2),
        input_at(in_row, inside, along, entry3),
      );
      d0 += g0.x * v;
      d1 += g0.y * v;
      d2 += g0.z * v;
      d3 += g0.w * v;
      d4 += g1.x * v;
      d5 += g1.y * v;
      d6 += g1.z * v;
      d7 += g1.w * v;
    }
  }
  store(chunk, o, ky, entry, d0);
  store(chunk, o + 1u, ky, entry, d1);
  store(chunk, o + 2u, ky, entry, d2);
  store(chunk, o + 3u, ky, entry, d3);
  store(chunk, o + 4u, ky, entry, d4);
  store(chunk, o + 5u, ky, entry, d5);
  store(chunk, o + 6u, ky, entry, d6);
  store(chunk, o + 7u, ky, entry, d7);
}
