// Two tiles of `lib/tile/binary_quads.wgsl` an invocation, side by side, to packed signs: a quad makes 32 outputs of sixteen pixels,
// each of its invocations eight, four at a time: whole words, which nobody else writes to. It needs, of the kernel that
// includes it:
//   bits: array<u32>, bits [ROWS, OUT_CHANNELS]
//   dots_of of `lib/epilogue/conv_dots.wgsl`, minus_bits of `lib/epilogue/minus_bits.wgsl`
//!needs bits, COLUMNS, count_tile, differing, dots_of, LANES, minus_bits, OUT_CHANNELS, ROWS, TILE_ROWS

// What this invocation knows of the words of the tile's pixels.
var<private> known: array<u32, TILE_ROWS>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let out_words = (OUT_CHANNELS + 31u) / 32u;
  let across = (out_words + LANES / 4u - 1u) / (LANES / 4u);
  let index = group.y * groups.x + group.x;
  let column = index % across * (LANES / 4u) + local % LANES / 4u;
  let row = (index / across * (64u / LANES) + local / LANES) * TILE_ROWS;
  // The same for a whole quad, which is all that broadcasts within quads need.
  if (row >= ROWS || column >= out_words) {
    return;
  }
  for (var part = 0u; part < 2u; part++) {
    let quad = column * 8u + part * 4u + (lane & 3u);
    count_tile(row, quad, lane);
    if (quad < COLUMNS / 4u) {
      for (var r = 0u; r < min(TILE_ROWS, ROWS - row); r++) {
        let dots = dots_of(row + r, quad, 0u, differing[r], vec4u());
        known[r] |= minus_bits(dots.left, quad) << (quad % 8u * 4u);
      }
    }
  }
  for (var r = 0u; r < TILE_ROWS; r++) {
    var word = known[r];
    word |= quadSwapX(word);
    word |= quadSwapY(word);
    // Each of a quad stores every fourth row.
    if (r % 4u == (lane & 3u) && row + r < ROWS) {
      bits[(row + r) * out_words + column] = word;
    }
  }
}
