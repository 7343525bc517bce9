// The body of products of packed signs by dot products of packed bytes: a word becomes eight words of four bytes each,
// +1 or -1. One invocation makes four rows of eight columns. It needs what `lib/tile/binary.wgsl` needs.
//!needs a, advance, COLUMNS, DEPTH, first_word, ROWS, store, w, walk_to
//!gives tile, TILE_ROWS
const TILE_ROWS = 4u;

// The four lowest bits of words as bytes: bit 1 is -1, bit 0 is +1.
fn bytes_of(words: vec4u) -> vec4u {
  let bits = ((words & vec4u(15u)) * 0x00204081u) & vec4u(0x01010101u);
  return (bits * 255u) | vec4u(0x01010101u);
}

fn products(row: u32, columns: vec4u) -> vec4i {
  return vec4i(
    dot4I8Packed(row, columns.x),
    dot4I8Packed(row, columns.y),
    dot4I8Packed(row, columns.z),
    dot4I8Packed(row, columns.w),
  );
}

// From sums of products of +1 and -1 to how many are -1; the tails of words are products of +1.
fn differing(dots: vec4i) -> vec4u {
  return vec4u(vec4i(i32(DEPTH * 32u)) - dots) / 2u;
}

// The tile from a row that is a multiple of TILE_ROWS, below ROWS, and a quad of columns that is even, below COLUMNS / 4.
fn tile(row: u32, quad: u32) {
  let quads = COLUMNS / 4u;
  let second = min(quad + 1u, quads - 1u) - quad;
  // Rows beyond the last one repeat it, and aren't stored.
  let a0 = first_word(row);
  let a1 = first_word(min(row + 1u, ROWS - 1u));
  let a2 = first_word(min(row + 2u, ROWS - 1u));
  let a3 = first_word(min(row + 3u, ROWS - 1u));

  var d0 = vec4i();
  var e0 = vec4i();
  var d1 = vec4i();
  var e1 = vec4i();
  var d2 = vec4i();
  var e2 = vec4i();
  var d3 = vec4i();
  var e3 = vec4i();
  var walk = walk_to(0u);
  var weight = quad;
  for (var i = 0u; i < DEPTH; i++) {
    var w0 = w[weight];
    var w1 = w[weight + second];
    weight += quads;
    var v = vec4u(a[a0 + walk.offset], a[a1 + walk.offset], a[a2 + walk.offset], a[a3 + walk.offset]);
    walk = advance(walk, 1u);
    for (var nibble = 0u; nibble < 8u; nibble++) {
      let rows = bytes_of(v);
      let left = bytes_of(w0);
      let right = bytes_of(w1);
      d0 += products(rows.x, left);
      e0 += products(rows.x, right);
      d1 += products(rows.y, left);
      e1 += products(rows.y, right);
      d2 += products(rows.z, left);
      e2 += products(rows.z, right);
      d3 += products(rows.w, left);
      e3 += products(rows.w, right);
      v = v >> vec4u(4u);
      w0 = w0 >> vec4u(4u);
      w1 = w1 >> vec4u(4u);
    }
  }
  store(row, quad, second, differing(d0), differing(e0));
  store(row + 1u, quad, second, differing(d1), differing(e1));
  store(row + 2u, quad, second, differing(d2), differing(e2));
  store(row + 3u, quad, second, differing(d3), differing(e3));
}
